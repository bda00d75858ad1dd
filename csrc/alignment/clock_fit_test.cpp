#include "alignment/clock_fit.h"

#include <algorithm>
#include <cmath>
#include <vector>

#include "alignment/clock_simulation_test.h"
#include "doctest/doctest.h"

using edge_ser::ClockFit;
using edge_ser::simulation::Jitter;
using edge_ser::simulation::Noise;

namespace {

struct Errors {
  double rms_ppm = 0.0;
  double worst_ppm = 0.0;
  double worst_offset_ms = 0.0;
  double said_ppm = 0.0;  // mean of the standard deviation that the fit itself gives
};

// 60 s of stamps every `interval` ms under a drift within +-300 ppm, for 40 seeds.
Errors fit_errors(Noise noise, double ms, double interval, double burst_chance) {
  Errors errors;
  ClockFit fit(8192);
  constexpr int kSeeds = 40;
  for (int seed = 1; seed <= kSeeds; ++seed) {
    Jitter jitter(noise, ms, static_cast<std::uint64_t>(seed));
    const double drift = (600.0 * jitter.uniform() - 300.0) * 1e-6;
    double burst_end = -1.0;
    fit.clear();
    fit.begin_group();
    for (double t = 0.0; t < 60000.0; t += interval) {
      double late = jitter();
      if (t > burst_end && jitter.uniform() < burst_chance) {
        burst_end = t + 100.0 + 600.0 * jitter.uniform();
      }
      if (t < burst_end) late += burst_end - t;  // held back, then delivered all at once
      const double x = (t - 60000.0) * 16.0;
      fit.add(x, std::round(drift * x + 16.0 * late));
    }
    fit.solve(500e-6);
    const double error = (fit.slope() - drift) * 1e6;
    errors.rms_ppm += error * error / kSeeds;
    errors.worst_ppm = std::max(errors.worst_ppm, std::abs(error));
    errors.worst_offset_ms = std::max(errors.worst_offset_ms, std::abs(fit.offset(0)) / 16.0);
    errors.said_ppm += fit.slope_sd() * 1e6 / kSeeds;
  }
  errors.rms_ppm = std::sqrt(errors.rms_ppm);
  MESSAGE("rms " << errors.rms_ppm << " ppm, worst " << errors.worst_ppm << ", said "
                 << errors.said_ppm << "; offset worst " << errors.worst_offset_ms << " ms");
  return errors;
}

}  // namespace

TEST_CASE("uniform jitter of +-10 ms: far better than least squares could be") {
  // Least squares on 3000 stamps of standard deviation 5.8 ms over 60 s cannot beat 6.1 ppm.
  const Errors errors = fit_errors(Noise::kUniform, 10.0, 20.0, 0.0);
  CHECK(errors.rms_ppm < 1.5);
  CHECK(errors.worst_ppm < 4.0);
  CHECK(errors.worst_offset_ms < 0.5);
}

TEST_CASE("queueing delays of mean 10 ms: the lower edge tells the slope") {
  const Errors errors = fit_errors(Noise::kQueue, 10.0, 20.0, 0.0);
  CHECK(errors.rms_ppm < 1.5);
  CHECK(errors.worst_ppm < 4.0);
}

TEST_CASE("normal jitter of 10 ms: as good as any unbiased estimate can be") {
  // Cramer and Rao: sd / (span * sqrt(n / 12)) = 10 ms / (60 s * sqrt(6000 / 12)) = 7.45 ppm.
  const Errors errors = fit_errors(Noise::kNormal, 10.0, 10.0, 0.0);
  CHECK(errors.rms_ppm < 1.2 * 7.45);
  CHECK(errors.worst_offset_ms < 1.5);
}

TEST_CASE("bursts of up to 0.7 s do not move the line") {
  const Errors errors = fit_errors(Noise::kUniform, 10.0, 20.0, 0.003);
  CHECK(errors.worst_ppm < 5.0);
  CHECK(errors.worst_offset_ms < 1.0);
}

TEST_CASE("the stated uncertainty is the true one") {
  for (const auto noise : {Noise::kUniform, Noise::kNormal}) {
    const Errors errors = fit_errors(noise, 10.0, 20.0, 0.0);
    CHECK(errors.said_ppm > 0.6 * errors.rms_ppm);
    CHECK(errors.said_ppm < 1.6 * errors.rms_ppm);
  }
}

TEST_CASE("groups share the slope and keep their own offsets") {
  ClockFit fit(1000);
  const double offsets[] = {0.0, 5000.0, -80.0};
  double x = 0.0;
  for (const double offset : offsets) {
    fit.begin_group();
    for (int i = 0; i < 200; ++i, x += 320.0) fit.add(x, offset + 250e-6 * x);
  }
  fit.solve(500e-6);
  CHECK(fit.slope() * 1e6 == doctest::Approx(250.0).epsilon(1e-4));
  for (std::size_t g = 0; g < 3; ++g) CHECK(std::abs(fit.offset(g) - offsets[g]) < 0.1);
}

TEST_CASE("little or no data: no drift is claimed") {
  ClockFit fit(64);
  fit.solve(500e-6);
  CHECK(fit.slope() == 0.0);
  fit.begin_group();
  fit.add(0.0, 7.0);
  fit.solve(500e-6);
  CHECK(fit.slope() == 0.0);
  CHECK(fit.offset(0) == 7.0);
  fit.add(320.0, 27.0);  // 62500 ppm, were it believed
  fit.solve(500e-6);
  CHECK(std::abs(fit.slope()) < 500e-6);
  for (int i = 0; i < 200; ++i) fit.add(320.0 * i, 0.0);
  CHECK(fit.size() == 64);  // full: further points are not taken
}

TEST_CASE("stamps that are absurd or all equal give finite lines") {
  ClockFit fit(256);
  fit.begin_group();
  for (int i = 0; i < 256; ++i) fit.add(0.0, i % 2 == 0 ? 1e18 : -1e18);
  fit.solve(500e-6);
  CHECK(std::isfinite(fit.slope()));
  CHECK(std::isfinite(fit.offset(0)));
  CHECK(std::isfinite(fit.scale()));
}
