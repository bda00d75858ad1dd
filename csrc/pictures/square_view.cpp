#include "pictures/square_view.h"

#include <algorithm>
#include <cmath>
#include <stdexcept>

#include "pictures/resize.h"

namespace edge_ser {

void square_view(const Picture& picture, double left, double top, double side,
                 std::span<float> view) {
  constexpr std::size_t kPlane = static_cast<std::size_t>(kDetectorSide) * kDetectorSide;
  if (view.size() != 3 * kPlane) throw std::invalid_argument("a view has 3 * 128 * 128 values");
  if (!std::isfinite(left) || !std::isfinite(top) || !std::isfinite(side) || side <= 0) {
    throw std::invalid_argument("a square needs a place and a side above 0");
  }
  const int x0 = std::min(std::max(0, round_to_even(left)), picture.width - 1);
  const int y0 = std::min(std::max(0, round_to_even(top)), picture.height - 1);
  const int x1 = std::min(picture.width, std::max(round_to_even(left + side), x0 + 1));
  const int y1 = std::min(picture.height, std::max(round_to_even(top + side), y0 + 1));
  const double scale = kDetectorSide / side;
  const auto scaled = [&](int size) {
    return std::max(1, std::min(kDetectorSide, round_to_even(size * scale)));
  };
  const int width = scaled(x1 - x0), height = scaled(y1 - y0);
  const Picture part = picture.part(x0, y0, x1 - x0, y1 - y0);
  const bool shrinks = scale < 1 && width <= part.width && height <= part.height;
  const OwnedPicture small =
      shrinks ? shrink_by_area(part, width, height) : resize_linear(part, width, height);
  // A border that is rounded to a whole pixel may lie before the square's.
  const auto offset = [&](int start, double from, int size) {
    return std::max(0, std::min(round_to_even((start - from) * scale), kDetectorSide - size));
  };
  const int at_x = offset(x0, left, width), at_y = offset(y0, top, height);
  std::fill(view.begin(), view.end(), 0.0f);
  for (int y = 0; y < height; ++y) {
    const std::uint8_t* from = small.view().row(y);
    float* to = view.data() + static_cast<std::ptrdiff_t>(at_y + y) * kDetectorSide + at_x;
    for (int x = 0; x < width; ++x) {
      for (std::size_t c = 0; c < 3; ++c) {
        to[c * kPlane + static_cast<std::size_t>(x)] = static_cast<float>(*from++);
      }
    }
  }
}

}  // namespace edge_ser
