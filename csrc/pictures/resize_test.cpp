#include "pictures/resize.h"

#include <algorithm>

#include "doctest/doctest.h"

using namespace edge_ser;

namespace {

OwnedPicture ramp(int width, int height) {
  OwnedPicture made(width, height);
  for (int y = 0; y < height; ++y) {
    for (int i = 0; i < 3 * width; ++i) made.row(y)[i] = static_cast<std::uint8_t>(7 * y + 11 * i);
  }
  return made;
}

}  // namespace

TEST_CASE("a new pixel is the mean of the old ones that it covers") {
  OwnedPicture picture(6, 3);
  for (int y = 0; y < 3; ++y) {
    for (int x = 0; x < 6; ++x) picture.row(y)[3 * x] = static_cast<std::uint8_t>(10 * x + y);
  }
  const OwnedPicture thirds = shrink_by_area(picture.view(), 2, 1);
  CHECK(thirds.view().row(0)[0] == 11);
  CHECK(thirds.view().row(0)[3] == 41);
  // 6 to 4 columns: one and a half old ones each.
  const OwnedPicture shares = shrink_by_area(picture.view(), 4, 3);
  CHECK(shares.view().row(0)[0] == 3);   // (0 + 10 / 2) / 1.5
  CHECK(shares.view().row(2)[3] == 19);  // (10 / 2 + 20) / 1.5 + 2
}

TEST_CASE("a grey picture stays grey in every size") {
  for (const int grey : {0, 1, 77, 254, 255}) {
    OwnedPicture picture(300, 37);
    for (int y = 0; y < 37; ++y) std::fill_n(picture.row(y), 900, static_cast<std::uint8_t>(grey));
    const auto all_grey = [&](const OwnedPicture& found) {
      for (int y = 0; y < found.view().height; ++y) {
        for (int i = 0; i < 3 * found.view().width; ++i) {
          if (found.view().row(y)[i] != grey) return false;
        }
      }
      return true;
    };
    for (const int width : {1, 2, 99, 100, 150, 299, 300}) {
      for (const int height : {1, 17, 37}) {
        CHECK(all_grey(shrink_by_area(picture.view(), width, height)));
      }
    }
    CHECK(all_grey(resize_linear(picture.view(), 511, 128)));
    CHECK(all_grey(resize_linear(picture.view(), 30, 400)));
  }
}

TEST_CASE("a picture taller than sums of 16 bits hold is shrunk all the same") {
  OwnedPicture picture(1, 600);
  for (int y = 0; y < 600; ++y) std::fill_n(picture.row(y), 3, std::uint8_t{255});
  CHECK(shrink_by_area(picture.view(), 1, 1).view().row(0)[0] == 255);
  CHECK(shrink_by_area(picture.view(), 1, 2).view().row(1)[2] == 255);
}

TEST_CASE("rows may lie apart and in the other direction") {
  const OwnedPicture whole = ramp(40, 30);
  const Picture part = whole.view().part(5, 4, 20, 16);
  OwnedPicture copy(20, 16);
  for (int y = 0; y < 16; ++y) std::copy_n(part.row(y), 60, copy.row(y));
  Picture flipped = part;
  flipped.pixels = part.row(15);
  flipped.stride = -part.stride;
  const OwnedPicture expected = shrink_by_area(copy.view(), 10, 4);
  const OwnedPicture found = shrink_by_area(part, 10, 4);
  const OwnedPicture turned = shrink_by_area(flipped, 10, 4);
  for (int y = 0; y < 4; ++y) {
    for (int i = 0; i < 30; ++i) {
      CHECK(found.view().row(y)[i] == expected.view().row(y)[i]);
      CHECK(turned.view().row(3 - y)[i] == expected.view().row(y)[i]);
    }
  }
}

TEST_CASE("between pixels lies their mixture") {
  OwnedPicture picture(2, 1);
  picture.row(0)[0] = 0;
  picture.row(0)[3] = 200;
  const OwnedPicture wide = resize_linear(picture.view(), 4, 1);
  CHECK(wide.view().row(0)[0] == 0);
  CHECK(wide.view().row(0)[3] == 50);
  CHECK(wide.view().row(0)[6] == 150);
  CHECK(wide.view().row(0)[9] == 200);
}
