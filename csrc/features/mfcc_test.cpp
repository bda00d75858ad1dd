#include "features/mfcc.h"

#include <cmath>
#include <numbers>

#include "features/frame_kernel_test.h"

using edge_ser::LogMel;
using edge_ser::Mfcc;
using edge_ser::MfccOptions;
using edge_ser::testing::clip_frames;

namespace {

MfccOptions with(int num_mels, int num_ceps, double lifter, bool energy) {
  MfccOptions options;
  options.mel.num_mels = num_mels;
  options.num_ceps = num_ceps;
  options.lifter = lifter;
  options.energy_as_c0 = energy;
  return options;
}

}  // namespace

TEST_CASE("cepstra are the liftered orthonormal cosine transform of the log-mel bands") {
  for (const MfccOptions& options :
       {with(40, 13, 0, false), with(23, 13, 22, false), with(80, 80, 0, false),
        with(1, 1, 0, false), with(30, 20, 22, false)}) {
    for (const edge_ser::SimdLevel level : edge_ser::simd_levels()) {
      const auto x = edge_ser::testing::ordinary_signals(4000)[2].second;
      const std::vector<float> mel = clip_frames(LogMel(options.mel, level), x);
      const std::vector<float> cepstra = clip_frames(Mfcc(options, level), x);
      const std::size_t bands = static_cast<std::size_t>(options.mel.num_mels);
      std::vector<double> expected;
      for (std::size_t frame = 0; frame < mel.size() / bands; ++frame) {
        for (int c = 0; c < options.num_ceps; ++c) {
          double sum = 0;
          for (std::size_t m = 0; m < bands; ++m) {
            sum += static_cast<double>(mel[frame * bands + m]) *
                   std::cos(std::numbers::pi * c * (static_cast<double>(m) + 0.5) /
                            static_cast<double>(bands));
          }
          sum *= std::sqrt((c == 0 ? 1.0 : 2.0) / static_cast<double>(bands));
          if (options.lifter > 0) {
            sum *= 1 + options.lifter / 2 * std::sin(std::numbers::pi * c / options.lifter);
          }
          expected.push_back(sum);
        }
      }
      CHECK(edge_ser::testing::relative_error(cepstra, expected) < 2e-4);
    }
  }
}

TEST_CASE("the log-energy of the raw frame can take the place of coefficient 0") {
  const auto x = edge_ser::testing::ordinary_signals(400)[0].second;
  const std::vector<float> cepstra = clip_frames(Mfcc(with(23, 13, 22, true)), x);
  double energy = 0;
  for (const float value : x) energy += static_cast<double>(value) * static_cast<double>(value);
  CHECK(cepstra[0] == doctest::Approx(std::log(energy)));
}

TEST_CASE("MFCC keeps the contract of framed kernels") {
  edge_ser::testing::check_contract<Mfcc>(MfccOptions{});
  edge_ser::testing::check_contract<Mfcc>(MfccOptions::kaldi());
  edge_ser::testing::check_contract<Mfcc>(MfccOptions::librosa());
}

TEST_CASE("MFCC options that make no sense are refused") {
  CHECK_THROWS_AS(with(13, 14, 0, false).validate(), std::invalid_argument);
  CHECK_THROWS_AS(with(13, 0, 0, false).validate(), std::invalid_argument);
  CHECK_THROWS_AS(with(13, 13, -1, false).validate(), std::invalid_argument);
  CHECK_THROWS_AS(with(0, 0, 0, false).validate(), std::invalid_argument);
  // sin(pi n / L) of an L near 0 is not a number.
  for (const double lifter : {5e-324, 1e-300, 0.5, 2e6, std::nan(""), HUGE_VAL}) {
    CHECK_THROWS_AS(with(13, 13, lifter, false).validate(), std::invalid_argument);
  }
}
