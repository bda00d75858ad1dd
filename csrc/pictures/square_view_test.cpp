#include "pictures/square_view.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <stdexcept>
#include <vector>

#include "doctest/doctest.h"

using namespace edge_ser;

namespace {

OwnedPicture grey_picture(int width, int height, std::uint8_t grey) {
  OwnedPicture made(width, height);
  for (int y = 0; y < height; ++y) std::fill_n(made.row(y), 3 * width, grey);
  return made;
}

std::vector<float> view_of(const Picture& picture, double left, double top, double side) {
  std::vector<float> view(3 * 128 * 128, -1.0f);
  square_view(picture, left, top, side, view);
  return view;
}

}  // namespace

TEST_CASE("beyond the picture the view is black") {
  const OwnedPicture picture = grey_picture(128, 64, 200);
  const std::vector<float> view = view_of(picture.view(), 0, -32, 128);
  for (std::size_t c = 0; c < 3; ++c) {
    for (std::size_t y = 0; y < 128; ++y) {
      const float expected = y >= 32 && y < 96 ? 200.0f : 0.0f;
      CHECK(view[(c * 128 + y) * 128] == expected);
      CHECK(view[(c * 128 + y) * 128 + 127] == expected);
    }
  }
}

TEST_CASE("squares of every size and place are looked at") {
  for (const int width : {1, 2, 3, 50, 129, 400}) {
    for (const int height : {1, 7, 128, 300}) {
      const OwnedPicture picture = grey_picture(width, height, 9);
      for (const double side : {0.01, 1.0, 99.5, 128.3, 1000.0, 1e300}) {
        for (const double at : {-1e300, -70.5, 0.0, 13.2, 1e300}) {
          for (const float value : view_of(picture.view(), at, at, side)) {
            REQUIRE((value == 0.0f || value == 9.0f));
          }
        }
      }
    }
  }
}

TEST_CASE("what is no square is refused") {
  const OwnedPicture picture = grey_picture(8, 8, 0);
  const double nan = std::numeric_limits<double>::quiet_NaN();
  CHECK_THROWS_AS(view_of(picture.view(), nan, 0, 8), std::invalid_argument);
  CHECK_THROWS_AS(view_of(picture.view(), 0, INFINITY, 8), std::invalid_argument);
  CHECK_THROWS_AS(view_of(picture.view(), 0, 0, 0), std::invalid_argument);
  CHECK_THROWS_AS(view_of(picture.view(), 0, 0, -8), std::invalid_argument);
  std::vector<float> small(7);
  CHECK_THROWS_AS(square_view(picture.view(), 0, 0, 8, small), std::invalid_argument);
}
