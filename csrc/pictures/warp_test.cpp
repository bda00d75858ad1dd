#include "pictures/warp.h"

#include <algorithm>

#include "doctest/doctest.h"

using namespace edge_ser;

namespace {

OwnedPicture noise(int width, int height) {
  OwnedPicture made(width, height);
  std::uint32_t state = 1;
  for (int y = 0; y < height; ++y) {
    for (int i = 0; i < 3 * width; ++i) {
      state = state * 1664525u + 1013904223u;
      made.row(y)[i] = static_cast<std::uint8_t>(state >> 24);
    }
  }
  return made;
}

}  // namespace

TEST_CASE("at whole places the square is the part of the picture") {
  const OwnedPicture picture = noise(30, 30);
  for (const bool cubic : {false, true}) {
    const OwnedPicture square = warp_square(picture.view(), {5, 7, 1, 0}, 10, cubic);
    for (int y = 0; y < 10; ++y) {
      for (int i = 0; i < 30; ++i) {
        CHECK(square.view().row(y)[i] == picture.view().row(y + 7)[15 + i]);
      }
    }
  }
}

TEST_CASE("turned by a right angle the square's rows are the picture's columns") {
  const OwnedPicture picture = noise(30, 30);
  for (const bool cubic : {false, true}) {
    const OwnedPicture square = warp_square(picture.view(), {20, 4, 0, 1}, 10, cubic);
    for (int v = 0; v < 10; ++v) {
      for (int u = 0; u < 10; ++u) {
        CHECK(square.view().row(v)[3 * u] == picture.view().row(4 + u)[3 * (20 - v)]);
      }
    }
  }
}

TEST_CASE("a grey picture stays grey, and beyond the border it goes on") {
  OwnedPicture picture(9, 5);
  for (int y = 0; y < 5; ++y) std::fill_n(picture.row(y), 27, std::uint8_t{201});
  for (const bool cubic : {false, true}) {
    for (const SquarePlace& place : {SquarePlace{-3.3, 1.2, 0.37, 0.21},
                                     {1e9, -1e9, 0.5, 0.5},
                                     {-1e200, 1e200, 1e100, -1e100}}) {
      const OwnedPicture square = warp_square(picture.view(), place, 16, cubic);
      for (int i = 0; i < 3 * 16 * 16; ++i) REQUIRE(square.view().pixels[i] == 201);
    }
  }
}

TEST_CASE("half way between two pixels lies their mean") {
  OwnedPicture picture(4, 1);
  for (int x = 0; x < 4; ++x) picture.row(0)[3 * x] = static_cast<std::uint8_t>(40 * x);
  CHECK(warp_square(picture.view(), {1.5, 0, 1, 0}, 1, false).view().pixels[0] == 60);
  CHECK(warp_square(picture.view(), {1.5, 0, 1, 0}, 1, true).view().pixels[0] == 60);
}
