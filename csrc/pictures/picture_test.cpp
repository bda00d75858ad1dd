#include "pictures/picture.h"

#include <limits>

#include "doctest/doctest.h"

using namespace edge_ser;

TEST_CASE("halves go to the even neighbour") {
  CHECK(round_to_even(0.5) == 0);
  CHECK(round_to_even(1.5) == 2);
  CHECK(round_to_even(-2.5) == -2);
  CHECK(to_pixel(2.5f) == 2);
  CHECK(to_pixel(3.5f) == 4);
  CHECK(to_pixel(3.501f) == 4);
}

TEST_CASE("what lies beyond is the end of the range") {
  CHECK(to_pixel(-3.0f) == 0);
  CHECK(to_pixel(1e9f) == 255);
  CHECK(round_to_even(1e300) == 1 << 30);
  CHECK(round_to_even(-1e300) == -(1 << 30));
  CHECK(round_to_even(std::numeric_limits<double>::quiet_NaN()) == -(1 << 30));
}

TEST_CASE("a part shares its picture's rows") {
  OwnedPicture whole(4, 3);
  for (int y = 0; y < 3; ++y) {
    for (int i = 0; i < 12; ++i) whole.row(y)[i] = static_cast<std::uint8_t>(20 * y + i);
  }
  const Picture part = whole.view().part(1, 1, 2, 2);
  CHECK(part.row(0)[0] == 23);
  CHECK(part.row(1)[5] == 48);
}
