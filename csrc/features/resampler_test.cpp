#include "features/resampler.h"

#include <algorithm>
#include <cmath>
#include <complex>
#include <limits>
#include <numbers>
#include <random>
#include <string>

#include "doctest/doctest.h"

using edge_ser::Resampler;
using edge_ser::ResamplerOptions;

namespace {

constexpr double kTwoPi = 2.0 * std::numbers::pi;

ResamplerOptions rates(int source, int target) {
  ResamplerOptions options;
  options.source_rate = source;
  options.target_rate = target;
  return options;
}

std::vector<float> tone(double hz, int rate, std::size_t count) {
  std::vector<float> x(count);
  for (std::size_t i = 0; i < count; ++i) {
    x[i] = static_cast<float>(std::sin(kTwoPi * hz * static_cast<double>(i) / rate));
  }
  return x;
}

std::vector<float> clip(const Resampler& resampler, const std::vector<float>& x) {
  std::vector<float> out(resampler.outputs_in_clip(x.size()));
  CHECK(resampler.compute(x, out) == out.size());
  return out;
}

/// Of the middle half, in dB against a full-scale sine: its power, that of the least-squares fit of
/// a sine of `hz`, and that of what the fit leaves.
struct Levels {
  double total;
  double fitted;
  double rest;
};

Levels levels(const std::vector<float>& y, double hz, int rate) {
  const std::size_t first = y.size() / 4, last = y.size() * 3 / 4;
  double ss = 0, cc = 0, sc = 0, ys = 0, yc = 0, yy = 0;
  for (std::size_t i = first; i < last; ++i) {
    const double angle = kTwoPi * hz * static_cast<double>(i) / rate,
                 value = static_cast<double>(y[i]);
    const double s = std::sin(angle), c = std::cos(angle);
    ss += s * s;
    cc += c * c;
    sc += s * c;
    ys += value * s;
    yc += value * c;
    yy += value * value;
  }
  const double determinant = ss * cc - sc * sc;
  const double a = (ys * cc - yc * sc) / determinant, b = (yc * ss - ys * sc) / determinant;
  double rest = 0;
  for (std::size_t i = first; i < last; ++i) {
    const double angle = kTwoPi * hz * static_cast<double>(i) / rate;
    rest += std::pow(static_cast<double>(y[i]) - a * std::sin(angle) - b * std::cos(angle), 2);
  }
  const double full = 0.5 * static_cast<double>(last - first);
  return {10 * std::log10(yy / full + 1e-30), 10 * std::log10(a * a + b * b),
          10 * std::log10(rest / full + 1e-30)};
}

constexpr int kRates[] = {8000,  11025, 12000, 16000, 22050, 24000, 32000,
                          44100, 44101, 48000, 88200, 96000, 192000};

}  // namespace

TEST_CASE("what the target rate cannot hold is at least 80 dB down") {
  for (const int source : kRates) {
    if (source <= 16000) continue;
    CAPTURE(source);
    const Resampler resampler(rates(source, 16000));
    for (const double part : {0.0, 0.001, 0.01, 0.05, 0.13, 0.37, 0.71, 0.999}) {
      const double hz = 8000.0 + part * (0.5 * source - 8000.0);
      CAPTURE(hz);
      // Half a bin off, because a sine at exactly 8 kHz may be sampled at its zeros.
      const auto y = clip(resampler, tone(hz + 1.7, source, static_cast<std::size_t>(source / 4)));
      CHECK(levels(y, 1000.0, 16000).total < -80.0);
    }
  }
}

TEST_CASE("the pass band is flat, on time, and without images") {
  for (const int source : kRates) {
    CAPTURE(source);
    const Resampler resampler(rates(source, 16000));
    const double nyquist = 0.5 * std::min(source, 16000);
    for (const double part : {0.01, 0.1, 0.33, 0.5, 0.77, 0.9}) {
      const double hz = part * nyquist;
      CAPTURE(hz);
      const auto y = clip(resampler, tone(hz, source, static_cast<std::size_t>(source / 4)));
      const Levels found = levels(y, hz, 16000);
      CHECK(std::abs(found.fitted) < 0.005);
      CHECK(found.rest < -80.0);
      // Output n is the input at time n / 16000: no delay.
      double worst = 0;
      for (std::size_t i = y.size() / 4; i < y.size() * 3 / 4; ++i) {
        worst = std::max(worst, std::abs(static_cast<double>(y[i]) -
                                         std::sin(kTwoPi * hz * static_cast<double>(i) / 16000)));
      }
      CHECK(worst < 1e-3);
    }
  }
}

TEST_CASE("a constant stays what it is") {
  for (const int source : kRates) {
    const auto y = clip(Resampler(rates(source, 16000)),
                        std::vector<float>(static_cast<std::size_t>(source / 2), 1.0f));
    for (std::size_t i = y.size() / 3; i < y.size() * 2 / 3; ++i) {
      CHECK(y[i] == doctest::Approx(1.0).epsilon(3e-6));
    }
  }
}

TEST_CASE("streams are bit-equal to the clip at every SIMD level, and keep their promises") {
  std::mt19937 random(9);
  std::normal_distribution<float> normal;
  for (const edge_ser::SimdLevel level : edge_ser::simd_levels()) {
    for (const int source : kRates) {
      if (level != edge_ser::best_simd_level() && source % 11025 != 0) continue;
      CAPTURE(source);
      Resampler resampler(rates(source, 16000), level);
      for (const std::size_t count : {0, 1, 50, 9001}) {
        std::vector<float> x(count);
        for (float& value : x) value = normal(random);
        const std::vector<float> whole = clip(resampler, x);
        CHECK(whole.size() == (count * 16000 + static_cast<std::size_t>(source) - 1) /
                                  static_cast<std::size_t>(source));
        for (const std::size_t largest : {1, 441, 9001}) {
          resampler.reset();
          std::vector<float> all;
          const auto append = [&](std::size_t ready, auto&& give) {
            std::vector<float> out(ready);
            CHECK(give(out) == ready);
            all.insert(all.end(), out.begin(), out.end());
          };
          for (std::size_t at = 0; at < count;) {
            const std::size_t size = std::min<std::size_t>(random() % (largest + 1), count - at);
            append(resampler.outputs_after(size),
                   [&](auto& out) { return resampler.accept({x.data() + at, size}, out); });
            at += size;
          }
          append(resampler.outputs_at_finish(), [&](auto& out) { return resampler.finish(out); });
          CHECK(all == whole);
        }
      }
    }
  }
}

TEST_CASE("the resampler refuses what it cannot take, and changes nothing") {
  Resampler resampler(rates(48000, 16000));
  std::vector<float> x(3000, 0.5f), out(2000);
  x[7] = std::numeric_limits<float>::quiet_NaN();
  CHECK_THROWS_AS(resampler.accept(x, out), edge_ser::SampleError);
  x[7] = 3.4e38f;
  CHECK_THROWS_AS(resampler.accept(x, std::span<float>{}), std::invalid_argument);
  CHECK(resampler.samples_accepted() == 0);
  const std::size_t done = resampler.accept(x, out);
  for (std::size_t i = 0; i < done; ++i) CHECK(std::isfinite(out[i]));
  resampler.finish(out);
  CHECK_THROWS_AS(resampler.accept(x, out), std::logic_error);
  CHECK_THROWS_AS(resampler.finish(out), std::logic_error);
  CHECK_THROWS_AS(rates(999, 16000).validate(), std::invalid_argument);
  CHECK_THROWS_AS(rates(48000, 400000).validate(), std::invalid_argument);
}

TEST_CASE("extreme ratios stay within a few megabytes and in time") {
  for (const auto& [source, target] : {std::pair{383999, 1000}, {1000, 383999}, {384000, 1000}}) {
    CAPTURE(source);
    const Resampler resampler(rates(source, target));
    const auto y = clip(resampler, std::vector<float>(static_cast<std::size_t>(source), 1.0f));
    CHECK(y.size() == static_cast<std::size_t>(target));
    CHECK(y[y.size() / 2] == doctest::Approx(1.0).epsilon(1e-5));
  }
}
