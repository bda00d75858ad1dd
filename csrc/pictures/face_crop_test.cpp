#include "pictures/face_crop.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <stdexcept>
#include <vector>

#include "doctest/doctest.h"

using namespace edge_ser;

namespace {

Face face_at(double x, double y, double size, double tilt = 0.0) {
  Face face;
  face.left = x;
  face.top = y;
  face.width = face.height = size;
  const double middle_x = x + size / 2, middle_y = y + size / 2;
  for (Face::Point& point : face.keypoints) {
    point = {static_cast<float>(middle_x), static_cast<float>(middle_y)};
  }
  const double across_x = std::cos(tilt) * size * 0.2, across_y = std::sin(tilt) * size * 0.2;
  face.keypoints[Face::right_eye] = {static_cast<float>(middle_x - across_x),
                                     static_cast<float>(middle_y - across_y)};
  face.keypoints[Face::left_eye] = {static_cast<float>(middle_x + across_x),
                                    static_cast<float>(middle_y + across_y)};
  face.score = 1.0;
  return face;
}

OwnedPicture grey_picture(int width, int height, std::uint8_t grey) {
  OwnedPicture made(width, height);
  for (int y = 0; y < height; ++y) std::fill_n(made.row(y), 3 * width, grey);
  return made;
}

}  // namespace

TEST_CASE("eyes that say nothing of the tilt are not followed") {
  const double degree = std::acos(-1.0) / 180;
  CHECK(head_tilt(face_at(0, 0, 100, 30 * degree)).sine == doctest::Approx(0.5));
  CHECK(head_tilt(face_at(0, 0, 100, -59 * degree)).cosine == doctest::Approx(0.515).epsilon(0.01));
  CHECK(head_tilt(face_at(0, 0, 100, 61 * degree)).sine == 0.0);
  CHECK(head_tilt(face_at(0, 0, 100, 180 * degree)).cosine == 1.0);
  Face profile = face_at(0, 0, 100);
  profile.keypoints[Face::left_eye] = {profile.keypoints[0].x + 3, profile.keypoints[0].y + 8};
  CHECK(head_tilt(profile).sine == 0.0);
}

TEST_CASE("the border of a picture goes on, however far the face is out") {
  const OwnedPicture picture = grey_picture(64, 48, 77);
  std::vector<float> crop(3 * 32 * 32);
  for (const double at : {-1e8, -500.0, -40.0, 10.0, 60.0, 1e8}) {
    for (const double size : {1e-3, 5.0, 40.0, 900.0, 1e8}) {
      crop_face(picture.view(), face_at(at, at, size), {32, 0.25, false}, crop);
      for (const float value : crop) REQUIRE(value == 77.0f);
    }
  }
}

TEST_CASE("grey crops hold the luminance three times") {
  OwnedPicture picture(40, 40);
  for (int y = 0; y < 40; ++y) {
    for (int x = 0; x < 40; ++x) {
      picture.row(y)[3 * x] = 200;
      picture.row(y)[3 * x + 1] = 100;
      picture.row(y)[3 * x + 2] = 50;
    }
  }
  std::vector<float> crop(3 * 16 * 16);
  crop_face(picture.view(), face_at(10, 10, 20), {16, 0.0, true}, crop);
  for (const float value : crop) {
    REQUIRE(value == doctest::Approx(0.299 * 200 + 0.587 * 100 + 0.114 * 50));
  }
}

TEST_CASE("what is no face or no crop is refused") {
  const OwnedPicture picture = grey_picture(8, 8, 0);
  std::vector<float> crop(3 * 4 * 4);
  const auto refused = [&](const Face& face, const CropOptions& options) {
    CHECK_THROWS_AS(crop_face(picture.view(), face, options, crop), std::invalid_argument);
  };
  const Face good = face_at(0, 0, 8);
  refused(face_at(std::numeric_limits<double>::quiet_NaN(), 0, 8), {4, 0.0, false});
  refused(face_at(0, 0, 0), {4, 0.0, false});
  refused(face_at(0, 0, std::numeric_limits<double>::infinity()), {4, 0.0, false});
  refused(good, {0, 0.0, false});
  refused(good, {5000, 0.0, false});
  refused(good, {4, -0.1, false});
  refused(good, {5, 0.0, false});
  Face broken = good;
  broken.keypoints[5].y = std::numeric_limits<float>::quiet_NaN();
  refused(broken, {4, 0.0, false});
}
