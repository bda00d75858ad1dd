#include "pictures/warp.h"

#include <algorithm>
#include <array>
#include <type_traits>

namespace edge_ser {

namespace {

/// The pixels of a row or a column between which a place lies, and their weights.
template <int kTaps>
struct Taps {
  std::array<int, kTaps> at;
  std::array<float, kTaps> weights;
};

std::array<float, 2> weights_at(float x, std::integral_constant<int, 2>) { return {1 - x, x}; }

std::array<float, 4> weights_at(float x, std::integral_constant<int, 4>) {
  constexpr float a = -0.75f;
  const float before = ((a * (x + 1) - 5 * a) * (x + 1) + 8 * a) * (x + 1) - 4 * a;
  const float low = ((a + 2) * x - (a + 3)) * x * x + 1;
  const float high = ((a + 2) * (1 - x) - (a + 3)) * (1 - x) * (1 - x) + 1;
  return {before, low, high, 1 - before - low - high};
}

template <int kTaps>
Taps<kTaps> taps_at(double place, int end) {
  // Beyond the outermost taps every pixel is the border's.
  const double inside = std::clamp(place, -2.0, end + 1.0);
  // Above 0 cutting off is rounding down.
  const int low = static_cast<int>(inside + 2.0) - 2;
  Taps<kTaps> taps{};
  for (int i = 0; i < kTaps; ++i) {
    taps.at[static_cast<std::size_t>(i)] = std::clamp(low + i + 1 - kTaps / 2, 0, end - 1);
  }
  taps.weights = weights_at(static_cast<float>(inside - low), std::integral_constant<int, kTaps>());
  return taps;
}

template <int kTaps>
void warp(const Picture& picture, const SquarePlace& place, OwnedPicture& square, int size) {
  for (int v = 0; v < size; ++v) {
    const double start_x = place.x - v * place.across_y, start_y = place.y + v * place.across_x;
    std::uint8_t* to = square.row(v);
    for (int u = 0; u < size; ++u) {
      const Taps<kTaps> x = taps_at<kTaps>(start_x + u * place.across_x, picture.width);
      const Taps<kTaps> y = taps_at<kTaps>(start_y + u * place.across_y, picture.height);
      float sums[3] = {};
      for (std::size_t j = 0; j < kTaps; ++j) {
        const std::uint8_t* row = picture.row(y.at[j]);
        for (std::size_t i = 0; i < kTaps; ++i) {
          const std::uint8_t* pixel = row + 3 * static_cast<std::ptrdiff_t>(x.at[i]);
          const float weight = y.weights[j] * x.weights[i];
          for (int c = 0; c < 3; ++c) sums[c] += weight * static_cast<float>(pixel[c]);
        }
      }
      for (const float sum : sums) *to++ = to_pixel(sum);
    }
  }
}

}  // namespace

OwnedPicture warp_square(const Picture& picture, const SquarePlace& place, int size, bool cubic) {
  OwnedPicture square(size, size);
  (cubic ? warp<4> : warp<2>)(picture, place, square, size);
  return square;
}

}  // namespace edge_ser
