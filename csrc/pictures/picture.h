// A picture that somebody else holds: 8-bit RGB, top row first.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

namespace edge_ser {

struct Picture {
  const std::uint8_t* pixels = nullptr;
  int width = 0;              ///< at least 1
  int height = 0;             ///< at least 1
  std::ptrdiff_t stride = 0;  ///< bytes from one row to the next; may be negative

  const std::uint8_t* row(int y) const { return pixels + y * stride; }
  /// The part whose left upper corner is (x, y); it must lie inside.
  Picture part(int x, int y, int part_width, int part_height) const {
    return {row(y) + 3 * static_cast<std::ptrdiff_t>(x), part_width, part_height, stride};
  }
};

/// A picture of our own, without bytes between its rows.
class OwnedPicture {
 public:
  OwnedPicture(int width, int height)
      : width_(width),
        height_(height),
        pixels_(3 * static_cast<std::size_t>(width) * static_cast<std::size_t>(height)) {}

  std::uint8_t* row(int y) { return pixels_.data() + y * stride(); }
  Picture view() const { return {pixels_.data(), width_, height_, stride()}; }

 private:
  std::ptrdiff_t stride() const { return 3 * static_cast<std::ptrdiff_t>(width_); }

  int width_;
  int height_;
  std::vector<std::uint8_t> pixels_;
};

/// To the nearest whole number, halves to the even one: on every platform alike.
int round_to_even(double value);

/// A value between 0 and 255, rounded likewise.
std::uint8_t to_pixel(float value);

}  // namespace edge_ser
