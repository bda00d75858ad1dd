#include "pictures/face_crop.h"

#include <algorithm>
#include <cmath>
#include <optional>
#include <stdexcept>
#include <string>

#include "pictures/luminance.h"
#include "pictures/resize.h"
#include "pictures/warp.h"

namespace edge_ser {

namespace {

// Nearer to each other than this share of the box, the eyes are seen from the side: the line
// through them says nothing about how the head is tilted.
constexpr double kEyesTooNear = 0.15;

// The detector finds no face that is tilted more than 60 degrees; a larger angle is an error of its
// keypoints.
constexpr double kLeastCosine = 0.5;

struct Shrunk {
  OwnedPicture picture;
  int x;
  int y;
};

/// The part around a face, smaller by a whole factor, and its corner in the picture.
Shrunk shrunk_around(const Picture& picture, double x, double y, double side, int factor) {
  // The tilted square fits into a circle of its half diagonal.
  const double reach = side * 0.75;
  const auto first = [&](double centre, int end) {
    return static_cast<int>(std::min(std::max(0.0, centre - reach), end - 1.0));
  };
  // A face wholly beyond the border is damage of the detection; a pixel of the picture is kept.
  const auto last = [&](double centre, int start, int end) {
    const double wanted = std::min(static_cast<double>(end), centre + reach);
    return std::max(static_cast<int>(std::max(wanted, 0.0)), start + 1);
  };
  const int x0 = first(x, picture.width), y0 = first(y, picture.height);
  const int x1 = last(x, x0, picture.width), y1 = last(y, y0, picture.height);
  const int width = std::max(1, (x1 - x0) / factor), height = std::max(1, (y1 - y0) / factor);
  const auto taken = [&](int small, int there) {
    return static_cast<int>(std::min<std::int64_t>(std::int64_t{small} * factor, there));
  };
  const Picture part =
      picture.part(x0, y0, taken(width, picture.width - x0), taken(height, picture.height - y0));
  return {shrink_by_area(part, width, height), x0, y0};
}

void check(const Face& face, const CropOptions& options, std::size_t values) {
  if (options.size < 1 || options.size > 4096) {
    throw std::invalid_argument("size is " + std::to_string(options.size) + "; 1 to 4096");
  }
  if (!(options.margin >= 0 && options.margin <= 10)) {
    throw std::invalid_argument("margin is " + std::to_string(options.margin) + "; 0 to 10");
  }
  const auto size = static_cast<std::size_t>(options.size);
  if (values != 3 * size * size) throw std::invalid_argument("a crop has 3 * size * size values");
  if (!face.is_placed()) {
    throw std::invalid_argument("a face needs a place in a picture and a size above 0");
  }
}

}  // namespace

Tilt head_tilt(const Face& face) {
  const Face::Point& left = face.keypoints[Face::left_eye];
  const Face::Point& right = face.keypoints[Face::right_eye];
  const double x = left.x - right.x, y = left.y - right.y;
  const double apart = std::sqrt(x * x + y * y);
  if (apart < kEyesTooNear * face.size() || !(x >= kLeastCosine * apart) || apart == 0) return {};
  return {x / apart, y / apart};
}

void crop_face(const Picture& picture, const Face& face, const CropOptions& options,
               std::span<float> crop) {
  check(face, options, crop.size());
  const Tilt tilt = head_tilt(face);
  double side = face.size() * (1 + 2 * options.margin);
  double x = face.left + face.width / 2, y = face.top + face.height / 2;
  // Where many pixels become one, they are averaged first: a warp only looks at four of them.
  const int factor = static_cast<int>(std::min(std::floor(side / options.size), 1e6));
  std::optional<Shrunk> shrunk;
  if (factor >= 2) {
    shrunk = shrunk_around(picture, x, y, side, factor);
    x = (x - shrunk->x) / factor;
    y = (y - shrunk->y) / factor;
    side /= factor;
  }
  const double zoom = side / options.size;
  const double across_x = tilt.cosine * zoom, across_y = tilt.sine * zoom;
  // Pixel centres lie at whole numbers: the middle of the crop is (size - 1) / 2.
  const double middle = (options.size - 1) / 2.0;
  const SquarePlace place{(x - 0.5) - middle * across_x + middle * across_y,
                          (y - 0.5) - middle * across_y - middle * across_x, across_x, across_y};
  const Picture source = shrunk ? shrunk->picture.view() : picture;
  const OwnedPicture square = warp_square(source, place, options.size, zoom < 1);
  const std::size_t plane = crop.size() / 3;
  const std::uint8_t* from = square.view().pixels;
  for (std::size_t i = 0; i < plane; ++i, from += 3) {
    const float rgb[3] = {static_cast<float>(from[0]), static_cast<float>(from[1]),
                          static_cast<float>(from[2])};
    const float grey = kLuminance[0] * rgb[0] + kLuminance[1] * rgb[1] + kLuminance[2] * rgb[2];
    for (std::size_t c = 0; c < 3; ++c) crop[c * plane + i] = options.grey ? grey : rgb[c];
  }
}

}  // namespace edge_ser
