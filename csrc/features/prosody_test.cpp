#include "features/prosody.h"

#include <cmath>
#include <numbers>

#include "features/frame_kernel_test.h"

using edge_ser::Prosody;
using edge_ser::ProsodyOptions;
using edge_ser::testing::clip_frames;

namespace {

std::vector<float> tone(double hz, double gain, std::size_t count) {
  std::vector<float> x(count);
  for (std::size_t i = 0; i < count; ++i) {
    x[i] = static_cast<float>(
        gain * std::sin(2 * std::numbers::pi * hz * static_cast<double>(i) / 16000.0 + 0.3));
  }
  return x;
}

}  // namespace

TEST_CASE("a tone has its frequency as centroid, twice that many crossings, and no flux") {
  for (const edge_ser::SimdLevel level : edge_ser::simd_levels()) {
    for (const double gain : {0.01, 1.0}) {
      const auto frames = clip_frames(Prosody(ProsodyOptions{}, level), tone(1000, gain, 1040));
      REQUIRE(frames.size() == 5 * 4);
      for (std::size_t i = 0; i < 5; ++i) {
        CHECK(frames[4 * i] == doctest::Approx(std::log(gain * gain * 200)).epsilon(1e-4));
        CHECK(frames[4 * i + 1] == doctest::Approx(2 * 1000.0 / 16000).epsilon(0.03));
        CHECK(frames[4 * i + 2] == doctest::Approx(1000).epsilon(0.002));
        CHECK(frames[4 * i + 3] < 1e-3f);
      }
    }
  }
}

TEST_CASE("an onset has flux 1, whatever its gain, and a decay has none") {
  for (const float gain : {0.001f, 1.0f}) {
    std::vector<float> x = tone(1000, static_cast<double>(gain), 1200);
    std::fill(x.begin(), x.begin() + 400, 0.0f);
    ProsodyOptions options;
    options.hop_length = 400;
    const auto frames = clip_frames(Prosody(options), x);
    CHECK(frames[3] == 0.0f);
    CHECK(frames[7] == doctest::Approx(1.0));
    CHECK(frames[11] < 1e-3f);
  }
}

TEST_CASE("silence has the floor's energy and zeros") {
  const auto frames = clip_frames(Prosody(ProsodyOptions{}), std::vector<float>(400, 0.0f));
  CHECK(frames[0] == doctest::Approx(std::log(1e-10)));
  CHECK(frames[1] == 0.0f);
  CHECK(frames[2] == 0.0f);
  CHECK(frames[3] == 0.0f);
}

TEST_CASE("prosody keeps the contract of framed kernels") {
  edge_ser::testing::check_contract<Prosody>(ProsodyOptions{});
}

TEST_CASE("prosody options that make no sense are refused") {
  ProsodyOptions options;
  options.frame_length = 600;
  CHECK_THROWS_AS(options.validate(), std::invalid_argument);
}
