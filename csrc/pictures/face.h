// One face in a picture.
#pragma once

#include <algorithm>
#include <array>

namespace edge_ser {

/// In pixels of the picture; parts of a face may lie outside.
struct Face {
  struct Point {
    float x = 0.0f;
    float y = 0.0f;
  };
  /// Right is the person's right: it lies on the left of a picture that is not mirrored.
  enum Keypoint { right_eye, left_eye, nose_tip, mouth, right_ear, left_ear };

  double left = 0.0;
  double top = 0.0;
  double width = 0.0;
  double height = 0.0;
  std::array<Point, 6> keypoints{};
  double score = 0.0;  ///< how sure the detector is, 0 to 1

  double size() const { return std::max(width, height); }
  double area() const { return width * height; }

  /// Whether it has a size and lies in reach of a picture; other numbers are damage.
  bool is_placed() const {
    constexpr double kFarthest = 1e9;
    const auto near = [](double value) { return value >= -kFarthest && value <= kFarthest; };
    return near(left) && near(top) && near(width) && near(height) && width > 0 && height > 0 &&
           std::all_of(keypoints.begin(), keypoints.end(),
                       [&](const Point& point) { return near(point.x) && near(point.y); });
  }
};

}  // namespace edge_ser
