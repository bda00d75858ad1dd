// What a face detector sees: a square of a picture, scaled to its size.
#pragma once

#include <span>

#include "pictures/picture.h"

namespace edge_ser {

/// Width and height in pixels of what the detector sees.
inline constexpr int kDetectorSide = 128;

/// Cuts a square out of a picture and scales it to [3, 128, 128], 0 to 255; black outside.
///
/// A square of less than a pixel still shows one. Throws std::invalid_argument if a number is not
/// finite, the side is not positive, or `view` has another size.
void square_view(const Picture& picture, double left, double top, double side,
                 std::span<float> view);

}  // namespace edge_ser
