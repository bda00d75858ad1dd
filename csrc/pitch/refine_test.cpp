#include "pitch/refine.h"

#include <cmath>
#include <vector>

#include "doctest/doctest.h"

using edge_ser::kRefineReach;
using edge_ser::PitchRefinement;
using edge_ser::refine_pitch;

namespace {

constexpr double kTwoPi = 6.283185307179586;

std::vector<float> harmonics(double f0, double glide_per_second = 0.0) {
  std::vector<float> x(2 * kRefineReach);
  for (int i = 0; i < 2 * kRefineReach; ++i) {
    const double t = (i - kRefineReach) / 16000.0;
    const double phase = f0 * t + 0.5 * glide_per_second * t * t;
    double sum = 0.0;
    for (int h = 1; h * f0 < 3500.0; ++h) sum += std::cos(kTwoPi * h * phase + h * h) / h;
    x[static_cast<std::size_t>(i)] = static_cast<float>(0.1 * sum);
  }
  return x;
}

}  // namespace

TEST_CASE("a period within a semitone of the coarse one is found to two cents") {
  for (const double f0 : {51.0, 73.1, 110.0, 187.7, 260.0, 391.3, 540.0}) {
    CAPTURE(f0);
    const auto x = harmonics(f0);
    const double coarse = f0 * 1.01;
    const PitchRefinement r =
        refine_pitch(x.data() + kRefineReach, coarse, coarse / 1.03, coarse * 1.015);
    CHECK(std::fabs(1200.0 * std::log2(r.f0_hz / f0)) < 2.0);
    CHECK(r.correlation > 0.99f);
  }
}

TEST_CASE("a glide gives the pitch at the centre") {
  const auto x = harmonics(150.0, 300.0);
  const PitchRefinement r = refine_pitch(x.data() + kRefineReach, 150.0, 146.0, 154.0);
  CHECK(std::fabs(1200.0 * std::log2(r.f0_hz / 150.0)) < 4.0);
}

TEST_CASE("silence answers the coarse pitch and no correlation") {
  const std::vector<float> x(2 * kRefineReach, 0.0f);
  const PitchRefinement r = refine_pitch(x.data() + kRefineReach, 100.0, 97.0, 103.0);
  CHECK(r.f0_hz == 100.0);
  CHECK(r.correlation == 0.0f);
}
