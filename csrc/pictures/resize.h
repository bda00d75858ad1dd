// A picture in another size, by the arithmetic of OpenCV's `resize` for 8 bits, with which the
// detectors and encoders were trained; written out here, so that no release of it changes a
// decision.
#pragma once

#include "pictures/picture.h"

namespace edge_ser {

/// Mean over the area of each new pixel (INTER_AREA). The new size must not be larger than the old.
OwnedPicture shrink_by_area(const Picture& picture, int width, int height);

/// Between the four nearest pixels (INTER_LINEAR), in steps of 1 / 2048.
OwnedPicture resize_linear(const Picture& picture, int width, int height);

}  // namespace edge_ser
