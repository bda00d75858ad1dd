// An upright, square, equally large picture of a face: what the face encoder sees.
#pragma once

#include <span>

#include "pictures/face.h"
#include "pictures/picture.h"

namespace edge_ser {

/// Which way a head is turned in the plane of the picture.
struct Tilt {
  double cosine = 1.0;
  double sine = 0.0;  ///< above 0 where the line through the eyes falls to the right
};

/// The tilt of the line through the eyes; none where it is unknown.
Tilt head_tilt(const Face& face);

struct CropOptions {
  int size = 112;       ///< side of the crop in pixels, 1 to 4096
  double margin = 0.0;  ///< border on each side as a share of the face's size, 0 to 10
  bool grey = false;    ///< whether all three channels hold the luminance
};

/// Cuts a face out of a picture, turned so that its eyes are level, to [3, size, size], 0 to 255.
/// Beyond the picture its border goes on.
///
/// Throws std::invalid_argument if an option is out of range, the face is not finite or has no
/// size, or `crop` has another size.
void crop_face(const Picture& picture, const Face& face, const CropOptions& options,
               std::span<float> crop);

}  // namespace edge_ser
