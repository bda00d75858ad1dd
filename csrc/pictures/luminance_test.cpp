#include "pictures/luminance.h"

#include <algorithm>

#include "doctest/doctest.h"

using namespace edge_ser;

TEST_CASE("the colours are weighed, on every eighth pixel") {
  OwnedPicture picture(17, 9);
  picture.row(0)[0] = 255;           // red
  picture.row(8)[3 * 16 + 1] = 255;  // green
  picture.row(1)[2] = 255;           // not looked at
  CHECK(luminance(picture.view()) == doctest::Approx((0.299 + 0.587) * 255 / 6));
}

TEST_CASE("a single pixel is looked at") {
  OwnedPicture picture(1, 1);
  std::fill_n(picture.row(0), 3, std::uint8_t{90});
  CHECK(luminance(picture.view()) == doctest::Approx(90));
}
