// How bright a picture is.
#pragma once

#include "pictures/picture.h"

namespace edge_ser {

/// Luminance of RGB after ITU-R BT.601.
inline constexpr float kLuminance[3] = {0.299f, 0.587f, 0.114f};

/// Mean brightness, 0 to 255 (every eighth row and column is looked at).
double luminance(const Picture& picture);

}  // namespace edge_ser
