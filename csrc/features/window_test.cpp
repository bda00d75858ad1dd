#include "features/window.h"

#include "doctest/doctest.h"

using edge_ser::make_window;
using edge_ser::WindowKind;

TEST_CASE("windows have their textbook values") {
  CHECK(make_window(WindowKind::hann, 4, true)[1] == doctest::Approx(0.5));
  CHECK(make_window(WindowKind::hann, 5, false)[4] == doctest::Approx(0.0));
  CHECK(make_window(WindowKind::hamming, 5, false)[0] == doctest::Approx(0.08));
  CHECK(make_window(WindowKind::blackman, 5, false)[2] == doctest::Approx(1.0));
  CHECK(make_window(WindowKind::povey, 5, false)[1] == doctest::Approx(0.554785));
  CHECK(make_window(WindowKind::rectangular, 3, true) == std::vector<double>{1.0, 1.0, 1.0});
}

TEST_CASE("a periodic window is a symmetric one without its last value") {
  for (const WindowKind kind : {WindowKind::hann, WindowKind::hamming, WindowKind::blackman}) {
    const auto periodic = make_window(kind, 400, true);
    const auto symmetric = make_window(kind, 401, false);
    for (std::size_t i = 0; i < 400; ++i) CHECK(periodic[i] == doctest::Approx(symmetric[i]));
  }
}
