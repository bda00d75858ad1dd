// A square cut out of a picture at any place, size and angle.
#pragma once

#include "pictures/picture.h"

namespace edge_ser {

/// Where the pixel (u, v) of the square lies in the picture: at (x, y) + u (across_x, across_y) +
/// v (-across_y, across_x); pixel centres lie at whole numbers.
struct SquarePlace {
  double x;
  double y;
  double across_x;
  double across_y;
};

/// The square, `size` pixels wide; beyond the picture its border goes on. Every number is finite.
/// Cubic: between sixteen pixels (R. Keys, 1981, with a = -0.75 as in OpenCV); otherwise between
/// four.
OwnedPicture warp_square(const Picture& picture, const SquarePlace& place, int size, bool cubic);

}  // namespace edge_ser
