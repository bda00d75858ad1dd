#include "pictures/luminance.h"

namespace edge_ser {

double luminance(const Picture& picture) {
  constexpr int kStep = 8;
  std::uint64_t sums[3] = {};
  for (int y = 0; y < picture.height; y += kStep) {
    const std::uint8_t* row = picture.row(y);
    for (int x = 0; x < picture.width; x += kStep) {
      for (int c = 0; c < 3; ++c) sums[c] += row[3 * x + c];
    }
  }
  const auto looked = [](int size) { return (size + kStep - 1) / kStep; };
  const auto count = static_cast<double>(looked(picture.width)) * looked(picture.height);
  double result = 0;
  for (int c = 0; c < 3; ++c) {
    result += static_cast<double>(kLuminance[c]) * (static_cast<double>(sums[c]) / count);
  }
  return result;
}

}  // namespace edge_ser
