#include "pictures/picture.h"

#include <algorithm>
#include <cmath>

namespace edge_ser {

int round_to_even(double value) {
  // Beyond any picture; NaN becomes the lower end.
  constexpr double kFar = 1 << 30;
  return static_cast<int>(std::nearbyint(value > -kFar ? std::min(value, kFar) : -kFar));
}

std::uint8_t to_pixel(float value) {
  // The sum has no bits for a fraction: the processor rounds it as it rounds every sum.
  constexpr float kWhole = 12582912.0f;
  const float inside = std::min(std::max(value, 0.0f), 255.0f);
  return static_cast<std::uint8_t>((inside + kWhole) - kWhole);
}

}  // namespace edge_ser
