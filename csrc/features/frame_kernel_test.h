// Checks that every framed kernel has to pass, and signals to pass them on.
#pragma once

#include <algorithm>
#include <cmath>
#include <limits>
#include <numbers>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include "doctest/doctest.h"
#include "features/frame_kernel.h"

namespace edge_ser::testing {

using Signal = std::pair<std::string, std::vector<float>>;

/// Noise, a chirp in noise, a vowel-like sum of harmonics with pauses.
inline std::vector<Signal> ordinary_signals(std::size_t count) {
  std::mt19937 random(11);
  std::normal_distribution<double> normal;
  std::vector<float> noise(count), chirp(count), vowel(count);
  for (std::size_t i = 0; i < count; ++i) {
    const double t = static_cast<double>(i) / 16000.0;
    const double hiss = normal(random);
    noise[i] = static_cast<float>(0.1 * hiss);
    chirp[i] = static_cast<float>(0.5 * std::sin(2 * std::numbers::pi * (100 + 1500 * t) * t) +
                                  1e-3 * hiss);
    double sum = 0;
    for (int k = 1; k < 25; ++k) {
      sum += std::sin(2 * std::numbers::pi * 130 * k * t + k) / k;
    }
    const bool pause = i / 4000 % 3 == 2;
    vowel[i] = static_cast<float>((pause ? 0.0 : 0.2 * sum) + 3e-4 * hiss);
  }
  return {{"noise", noise}, {"chirp", chirp}, {"vowel", vowel}};
}

/// Silence, constants, full-scale square waves, impulses, denormals, the largest floats.
inline std::vector<Signal> extreme_signals(std::size_t count) {
  std::vector<Signal> signals = {{"silence", std::vector<float>(count, 0.0f)},
                                 {"constant", std::vector<float>(count, 1.0f)},
                                 {"denormal", std::vector<float>(count, 1e-42f)},
                                 {"largest", std::vector<float>(count, 3.4e38f)}};
  std::vector<float> square(count), huge(count), impulse(count), mixed(count);
  for (std::size_t i = 0; i < count; ++i) {
    square[i] = i / 40 % 2 == 0 ? 1.0f : -1.0f;
    huge[i] = 3.4e38f * square[i];
    mixed[i] = i % 3 == 0 ? 1e-45f : (i % 3 == 1 ? -3.4e38f : 0.5f);
  }
  impulse[count / 2] = 1.0f;
  signals.insert(signals.end(),
                 {{"square", square}, {"huge", huge}, {"impulse", impulse}, {"mixed", mixed}});
  return signals;
}

template <class Kernel>
std::vector<float> clip_frames(const Kernel& kernel, const std::vector<float>& x) {
  std::vector<float> out(kernel.frames_in_clip(x.size()) * kernel.dim());
  const std::size_t frames = kernel.compute(x, out);
  CHECK(frames == kernel.frames_in_clip(x.size()));
  return out;
}

template <class Kernel>
std::vector<float> stream_frames(Kernel& kernel, const std::vector<float>& x, std::size_t chunk) {
  kernel.reset();
  std::vector<float> all;
  const auto append = [&](std::size_t ready, auto&& give) {
    std::vector<float> out(ready * kernel.dim());
    CHECK(give(out) == ready);
    all.insert(all.end(), out.begin(), out.end());
  };
  for (std::size_t at = 0; at < x.size(); at += chunk) {
    const std::span<const float> part(x.data() + at, std::min(chunk, x.size() - at));
    append(kernel.frames_after(part.size()), [&](auto& out) { return kernel.accept(part, out); });
  }
  append(kernel.frames_at_finish(), [&](auto& out) { return kernel.finish(out); });
  return all;
}

/// Streams are bit-equal to the clip; extremes give finite values; bad samples are refused.
template <class Kernel>
void check_contract(const typename Kernel::Options& options) {
  for (const SimdLevel level : simd_levels()) {
    CAPTURE(simd_name(level));
    Kernel kernel(options, level);
    for (const std::size_t count : {0, 1, 399, 400, 5000}) {
      for (const auto& [name, x] : ordinary_signals(count)) {
        CAPTURE(name);
        const std::vector<float> whole = clip_frames(kernel, x);
        for (const std::size_t chunk : {1, 160, 320, 1777, 5000}) {
          if (chunk == 1 && level != best_simd_level()) continue;
          CHECK(stream_frames(kernel, x, chunk) == whole);
        }
      }
    }
    for (const auto& [name, x] : extreme_signals(2000)) {
      CAPTURE(name);
      bool finite = true;
      for (const float value : clip_frames(kernel, x)) finite = finite && std::isfinite(value);
      CHECK(finite);
    }
    kernel.reset();
    std::vector<float> out(10 * kernel.dim());
    std::vector<float> bad(900, 0.0f);
    bad[600] = std::numeric_limits<float>::infinity();
    CHECK_THROWS_AS(kernel.accept(bad, out), SampleError);
    CHECK(kernel.samples_accepted() == 0);
    bad[600] = 0.0f;
    CHECK_THROWS_AS(kernel.accept(bad, std::span<float>{}), std::invalid_argument);
    CHECK(kernel.samples_accepted() == 0);
  }
}

/// Largest |a - b| / max(1, |b|).
inline double relative_error(const std::vector<float>& a, const std::vector<double>& b) {
  REQUIRE(a.size() == b.size());
  double worst = 0;
  for (std::size_t i = 0; i < a.size(); ++i) {
    worst =
        std::max(worst, std::abs(static_cast<double>(a[i]) - b[i]) / std::max(1.0, std::abs(b[i])));
  }
  return worst;
}

}  // namespace edge_ser::testing
