#include "alignment/aligner.h"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>
#include <stdexcept>
#include <vector>

#include "alignment/clock_simulation_test.h"
#include "doctest/doctest.h"
#include "test_support/allocation_count.h"

using edge_ser::Aligner;
using edge_ser::AlignerCounters;
using edge_ser::AlignerOptions;
using edge_ser::simulation::Jitter;
using edge_ser::simulation::Noise;
using edge_ser::testing::allocations;

namespace {

constexpr std::int64_t kStarts[] = {0, (std::int64_t{1} << 31) - 700, (std::int64_t{1} << 53) - 701,
                                    -5000};

struct Window {
  std::int64_t first = 0;
  std::vector<float> values;
  std::vector<std::uint8_t> mask;

  /// The longest run of masked frames, in ticks.
  std::int64_t largest_gap() const {
    std::int64_t run = 0, longest = 0;
    for (const std::uint8_t there : mask) {
      run = there ? 0 : run + 1;
      longest = std::max(longest, run);
    }
    return longest * 160;
  }
};

Window window_of(Aligner& aligner, std::int64_t end, std::size_t frames) {
  const auto dim = static_cast<std::size_t>(aligner.options().dim);
  Window window{0, std::vector<float>(frames * dim, -7.0f), std::vector<std::uint8_t>(frames, 7)};
  window.first = aligner.window(end, window.values, window.mask);
  return window;
}

/// Rows of one float: first, first + 1, ...
std::vector<float> ramp(std::int64_t first, std::size_t count) {
  std::vector<float> rows(count);
  for (std::size_t i = 0; i < count; ++i) {
    rows[i] = static_cast<float>(first + static_cast<std::int64_t>(i));
  }
  return rows;
}

}  // namespace

TEST_CASE("arguments that make no sense are refused and change nothing") {
  Aligner aligner({.dim = 13});
  const std::vector<float> row(13, 1.0f);
  constexpr std::int64_t kMax = std::numeric_limits<std::int64_t>::max();
  CHECK_THROWS_AS(aligner.push(0, 0, std::span(row).first(12)), std::invalid_argument);
  CHECK_THROWS_AS(aligner.push(0, kMax, row), std::invalid_argument);
  CHECK_THROWS_AS(aligner.push(-kMax, 0, row), std::invalid_argument);
  CHECK(aligner.push(0, 0, {}) == 0);
  CHECK(aligner.counters() == AlignerCounters{});
  CHECK(!aligner.drift());
  CHECK(!aligner.media_time(0));
  aligner.push(0, 0, row);
  CHECK_THROWS_AS(aligner.push(160, std::int64_t{1} << 61, row), std::invalid_argument);
  CHECK_THROWS_AS(aligner.push(std::int64_t{1} << 61, 160, row), std::invalid_argument);
  CHECK_THROWS_AS(aligner.media_time(std::int64_t{1} << 61), std::invalid_argument);
  CHECK(aligner.counters().pushed == 1);
  std::vector<float> values(26);
  std::vector<std::uint8_t> mask(2);
  CHECK_NOTHROW(aligner.window(160, values, mask));
  CHECK_THROWS_AS(aligner.window(160, values, {}), std::invalid_argument);
  CHECK_THROWS_AS(aligner.window(160, std::span(values).first(25), mask), std::invalid_argument);
}

TEST_CASE("options that make no sense are refused") {
  CHECK_NOTHROW(AlignerOptions{}.validate());
  const auto refused = [](const AlignerOptions& options) {
    CHECK_THROWS_AS(Aligner{options}, std::invalid_argument);
  };
  refused({.period = 0});
  refused({.dim = 0});
  refused({.capacity = 0});
  refused({.dim = 65536, .capacity = 1 << 22});
  refused({.observations = 63});
}

TEST_CASE("rows come back one for one, wherever the clocks began") {
  for (const std::int64_t start : kStarts) {
    Aligner aligner({.dim = 2});
    for (std::int64_t i = 0; i < 50; ++i) {
      const float rows[] = {static_cast<float>(2 * i), -1.0f, static_cast<float>(2 * i + 1), -1.0f};
      CHECK(aligner.push(3 * start + i * 320, start + i * 320, rows) == 2);
    }
    const Window window = window_of(aligner, start + 16000, 100);
    CHECK(window.first == start);
    for (std::size_t k = 0; k < 100; ++k) {
      CHECK(window.values[2 * k] == static_cast<float>(k));
      CHECK(window.values[2 * k + 1] == -1.0f);
      CHECK(window.mask[k] == 1);
    }
  }
}

TEST_CASE("a dropped buffer is a gap of its own length, and what follows is not shifted") {
  Aligner aligner({});
  for (std::int64_t i = 0; i < 100; ++i) {
    if (i >= 40 && i < 47) continue;
    aligner.push(i * 320, i * 320, ramp(2 * i, 2));
  }
  const Window window = window_of(aligner, 32000, 200);
  for (std::size_t k = 0; k < 200; ++k) {
    const bool lost = k >= 80 && k < 94;
    CHECK(window.mask[k] == (lost ? 0 : 1));
    CHECK(window.values[k] == (lost ? 0.0f : static_cast<float>(k)));
  }
  CHECK(aligner.counters().missing == 14);
}

TEST_CASE("before the first and after the last row there is nothing") {
  Aligner aligner({});
  CHECK(window_of(aligner, 123456789, 10).largest_gap() == 1600);
  aligner.push(0, 1600, ramp(0, 10));
  const Window window = window_of(aligner, 4800, 30);
  for (std::size_t k = 0; k < 30; ++k) CHECK(window.mask[k] == (k >= 10 && k < 20 ? 1 : 0));
}

TEST_CASE("no row is repeated or skipped in a window, however the clock drifts") {
  for (const std::int64_t start : kStarts) {
    Aligner aligner({});
    // 1000 ppm: a row in 10 s would be skipped on the grid of the media clock.
    for (std::int64_t i = 0; i < 1500; ++i) {
      aligner.push(i * 320, start + i * 320 + i * 320 / 1000, ramp(2 * i, 2));
    }
    const std::int64_t end = *aligner.media_time(1500 * 320);
    const Window window = window_of(aligner, end, 1000);
    for (std::size_t k = 0; k < 1000; ++k) {
      CHECK(window.mask[k] == 1);
      CHECK(window.values[k] == static_cast<float>(2000 + k));
    }
    CHECK(std::abs(window.first - *aligner.media_time(2000 * 160)) <= 1);
  }
}

TEST_CASE("a row with NaN or infinity is masked and counted, its neighbours are kept") {
  Aligner aligner({.dim = 2});
  std::vector<float> rows(20, 1.0f);
  rows[6] = std::numeric_limits<float>::quiet_NaN();
  rows[11] = -std::numeric_limits<float>::infinity();
  CHECK(aligner.push(0, 0, rows) == 8);
  const Window window = window_of(aligner, 1600, 10);
  for (std::size_t k = 0; k < 10; ++k) {
    CHECK(window.mask[k] == (k == 3 || k == 5 ? 0 : 1));
    CHECK(std::isfinite(window.values[2 * k]));
  }
  CHECK(aligner.counters().non_finite == 2);
  CHECK(aligner.counters().missing == 2);
}

TEST_CASE("rows that are not beyond the newest are left out: the first is kept") {
  Aligner aligner({});
  aligner.push(0, 0, ramp(0, 10));
  CHECK(aligner.push(8 * 160, 8 * 160, ramp(100, 4)) == 2);
  CHECK(aligner.counters().repeated == 2);
  const Window window = window_of(aligner, 12 * 160, 12);
  CHECK(window.values[9] == 9.0f);
  CHECK(window.values[10] == 102.0f);
}

TEST_CASE("a loss that the counter does not show is told by the capture times") {
  for (const std::int64_t start : kStarts) {
    Aligner aligner({});
    Jitter jitter(Noise::kUniform, 3.0, 9);
    // Row values count 10 ms of true time; buffers 300..324 never came.
    std::int64_t position = 0;
    for (std::int64_t i = 0; i < 600; ++i) {
      if (i >= 300 && i < 325) continue;
      aligner.push(position, start + i * 320 + std::llround(16.0 * jitter()), ramp(2 * i, 2));
      position += 320;
    }
    CHECK(aligner.counters().steps == 1);
    CHECK(aligner.counters().missing == 50);
    const Window window = window_of(aligner, start + 600 * 320, 1000);
    CHECK(std::abs(window.largest_gap() - 50 * 160) <= 160);
    for (std::size_t k = 0; k < 1000; ++k) {
      if (window.mask[k] != 0) CHECK(std::abs(window.values[k] - (200.0f + k)) <= 1.0f);
    }
  }
}

TEST_CASE("when the wall clock is set back the media clock goes on, set forward there is a gap") {
  for (const std::int64_t start : kStarts) {
    for (const double seconds : {-3600.0, -5.0, -0.7, 5.0}) {
      CAPTURE(seconds);
      Aligner aligner({});
      Jitter jitter(Noise::kUniform, 4.0, 1);
      const bool back = seconds < 0.0;
      for (std::int64_t i = 0; i < 1500; ++i) {
        const std::int64_t set = i < 1300 ? 0 : std::llround(seconds * 16000.0);
        aligner.push(777 + i * 320, start + i * 320 + set + std::llround(16.0 * jitter()),
                     ramp(2 * i, 2));
      }
      const std::int64_t end = *aligner.media_time(777 + 1500 * 320);
      CHECK(std::abs(end - start - 1500 * 320 - (back ? 0 : 5 * 16000)) < 10 * 16);
      CHECK(aligner.counters().clock_jumps == (back ? 1 : 0));
      CHECK(aligner.counters().steps == (back ? 0 : 1));
      CHECK(std::abs(window_of(aligner, end, 1000).largest_gap() - (back ? 0 : 5 * 16000)) <= 480);
    }
  }
}

TEST_CASE("72 hours: nothing is allocated, no counter wraps, the window stays in place") {
  Aligner aligner({.dim = 13});
  Window window{0, std::vector<float>(300 * 13), std::vector<std::uint8_t>(300)};
  Jitter jitter(Noise::kUniform, 10.0, 1);
  const std::vector<float> rows(13 * 40, 1.0f);
  // Both cross a power of two that a narrower counter would stumble over.
  const std::int64_t start = (std::int64_t{1} << 31) - 16000 * 3600;
  const std::int64_t counter = (std::int64_t{1} << 53) - 16000 * 3600;
  constexpr double kDrift = 80e-6;
  constexpr std::int64_t kHours = 72, kBuffer = 6400;
  constexpr std::int64_t kBuffers = kHours * 3600 * 16000 / kBuffer;
  const std::size_t allocated = allocations.load();
  double worst_offset = 0.0, worst_drift = 0.0;
  std::int64_t worst_gap = 0;
  for (std::int64_t i = 0; i < kBuffers; ++i) {
    const std::int64_t t = i * kBuffer;
    const double true_time = static_cast<double>(t) * (1.0 + kDrift);
    aligner.push(counter + t, start + std::llround(true_time + 16.0 * jitter()), rows);
    // Every half minute, for the simulation's sake; live it is every half second.
    if (i < 750 || i % 75 != 0) continue;
    const std::int64_t newest = *aligner.media_time(counter + t);
    window.first = aligner.window(newest, window.values, window.mask);
    worst_offset =
        std::max(worst_offset, std::abs(static_cast<double>(newest - start) - true_time));
    worst_drift = std::max(worst_drift, std::abs(aligner.drift()->ppm - 80.0));
    worst_gap = std::max(worst_gap, window.largest_gap());
  }
  CHECK(allocations.load() == allocated);
  MESSAGE("worst offset " << worst_offset / 16.0 << " ms, drift " << worst_drift << " ppm");
  CHECK(worst_offset < 3.0 * 16);
  CHECK(worst_drift < 10.0);
  CHECK(worst_gap == 0);
  CHECK(aligner.counters().stored == static_cast<std::uint64_t>(kBuffers) * 40);
  CHECK(aligner.counters().missing == 0);
  CHECK(aligner.counters().steps == 0);
}

TEST_CASE("trouble allocates nothing either") {
  Aligner aligner({.dim = 13});
  Window window{0, std::vector<float>(300 * 13), std::vector<std::uint8_t>(300)};
  Jitter random(Noise::kUniform, 100.0, 4);
  const std::vector<float> rows(13 * 2, 1.0f);
  const std::size_t allocated = allocations.load();
  std::int64_t offset = 0, position = 0;
  for (std::int64_t i = 0; i < 30000; ++i) {
    const double what = random.uniform();
    if (what < 0.001) offset -= 160000;
    if (what > 0.999) offset += 160000;
    position += what > 0.500 && what < 0.501 ? 480000 : 320;
    aligner.push(position, i * 320 + offset + std::llround(random()), rows);
    if (i % 250 == 0) aligner.window(i * 320, window.values, window.mask);
  }
  CHECK(allocations.load() == allocated);
}
