#include "features/log_energy.h"

#include <cmath>

#include "features/frame_kernel_test.h"

using edge_ser::LogEnergy;
using edge_ser::LogEnergyOptions;

TEST_CASE("log-energy is the logarithm of the sum of squares") {
  for (const edge_ser::SimdLevel level : edge_ser::simd_levels()) {
    for (const bool remove_dc : {false, true}) {
      LogEnergyOptions options;
      options.frame_length = 403;  // no multiple of any vector
      options.remove_dc = remove_dc;
      options.sample_scale = 2.0;
      const auto x = edge_ser::testing::ordinary_signals(403)[0].second;
      double mean = 0, energy = 0;
      for (const float value : x) mean += 2.0 * static_cast<double>(value) / 403.0;
      for (const float value : x) {
        energy += std::pow(2.0 * static_cast<double>(value) - (remove_dc ? mean : 0.0), 2);
      }
      const auto frames = edge_ser::testing::clip_frames(LogEnergy(options, level), x);
      REQUIRE(frames.size() == 1);
      CHECK(frames[0] == doctest::Approx(std::log(energy)).epsilon(1e-5));
    }
  }
}

TEST_CASE("silence gives the floor in every kind of logarithm") {
  using edge_ser::LogKind;
  for (const auto& [kind, expected] : {std::pair{LogKind::natural, std::log(1e-10)},
                                       {LogKind::log10, -10.0},
                                       {LogKind::db, -100.0},
                                       {LogKind::none, 0.0}}) {
    LogEnergyOptions options;
    options.log = kind;
    const auto frames =
        edge_ser::testing::clip_frames(LogEnergy(options), std::vector<float>(400, 0.0f));
    CHECK(frames[0] == doctest::Approx(expected));
  }
}

TEST_CASE("log-energy keeps the contract of framed kernels") {
  edge_ser::testing::check_contract<LogEnergy>(LogEnergyOptions{});
  LogEnergyOptions centred;
  centred.framing = edge_ser::Framing::centred_reflect;
  centred.remove_dc = false;
  edge_ser::testing::check_contract<LogEnergy>(centred);
}

TEST_CASE("log-energy refuses a floor of zero") {
  LogEnergyOptions options;
  options.floor = 0.0;
  CHECK_THROWS_AS(options.validate(), std::invalid_argument);
}
