#include "alignment/clock_estimator.h"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <vector>

#include "alignment/clock_simulation_test.h"
#include "doctest/doctest.h"

using edge_ser::ClockEstimator;
using edge_ser::ClockEstimatorOptions;
using edge_ser::simulation::Device;
using edge_ser::simulation::Jitter;
using edge_ser::simulation::Noise;

namespace {

constexpr std::int64_t kMinute = 60 * 16000;

struct Run {
  double drift_error = 0.0;   // ppm
  double offset_error = 0.0;  // ms, at the newest position
  int steps = 0;
};

// What can befall a source within the minute.
enum class Fate { kNothing, kBursts, kDrops, kStop };

// Feeds a minute of buffers that begins at media time and counter `start`. Lost buffers are lost
// from the counter too ("delivered" counts only), so that only capture times tell.
Run feed(Noise noise, Fate fate, std::int64_t start, std::uint64_t seed, double jitter_ms = 10.0) {
  Jitter jitter(noise, jitter_ms, seed);
  Device device;
  device.drift_ppm = 600.0 * jitter.uniform() - 300.0;
  device.offset = start;
  ClockEstimator clock({});
  Run run;
  std::int64_t counted = 0, last = 0;
  double burst_end = -1.0;
  for (std::int64_t t = 0; t < kMinute; t += device.buffer) {
    // Not in the last second: a loss takes up to two dozen buffers to be told from a burst.
    if (fate == Fate::kDrops && jitter.uniform() < 0.001 && t < kMinute - 24000) {
      t += 25 * device.buffer;
    }
    if (fate == Fate::kStop && t == kMinute / 2) t += 8 * 16000;
    const double ms = static_cast<double>(t) / 16.0;
    double late = jitter();
    if (fate == Fate::kBursts && ms > burst_end && jitter.uniform() < 0.003) {
      burst_end = ms + 100.0 + 600.0 * jitter.uniform();
    }
    if (ms < burst_end) late += burst_end - ms;
    run.steps += clock.observe(start + counted, device.stamp(t, late)) ? 1 : 0;
    last = t;
    counted += device.buffer;
  }
  clock.refit();
  run.drift_error = clock.drift_ppm() - device.drift_ppm;
  const std::int64_t newest = start + counted - device.buffer;
  run.offset_error = (clock.time(newest, start) - device.true_time(last)) / 16.0;
  return run;
}

struct Worst {
  double drift = 0.0;
  double offset = 0.0;
  int steps = 0;
};

Worst worst_of(Noise noise, Fate fate, int seeds, std::int64_t start) {
  Worst worst;
  for (int seed = 1; seed <= seeds; ++seed) {
    const Run run = feed(noise, fate, start, static_cast<std::uint64_t>(seed));
    worst.drift = std::max(worst.drift, std::abs(run.drift_error));
    worst.offset = std::max(worst.offset, std::abs(run.offset_error));
    worst.steps = std::max(worst.steps, run.steps);
  }
  MESSAGE("worst of " << seeds << ": drift " << worst.drift << " ppm, offset " << worst.offset
                      << " ms, steps " << worst.steps);
  return worst;
}

}  // namespace

TEST_CASE("after a minute of 10 ms jitter drift is known to 10 ppm and offset to 2 ms") {
  for (const Noise noise : {Noise::kUniform, Noise::kQueue}) {
    for (const Fate fate : {Fate::kNothing, Fate::kBursts, Fate::kDrops, Fate::kStop}) {
      CAPTURE(static_cast<int>(noise));
      CAPTURE(static_cast<int>(fate));
      const Worst worst = worst_of(noise, fate, 8, std::int64_t{1} << 31);
      CHECK(worst.drift < 10.0);
      // A queue makes every stamp late: its offset is that of the delay's middle.
      CHECK(worst.offset < (noise == Noise::kUniform ? 2.0 : 10.0));
    }
  }
}

TEST_CASE("an undisturbed minute gives 4 ppm") {
  CHECK(worst_of(Noise::kUniform, Fate::kNothing, 20, 0).drift < 4.0);
  CHECK(worst_of(Noise::kQueue, Fate::kNothing, 20, 0).drift < 4.0);
}

TEST_CASE("the answer does not depend on where the clocks started") {
  const Run zero = feed(Noise::kUniform, Fate::kNothing, 0, 3);
  for (const std::int64_t start :
       {(std::int64_t{1} << 31) - 1000, (std::int64_t{1} << 32) - 1000,
        (std::int64_t{1} << 53) - 1001, std::int64_t{1} << 57, -(std::int64_t{1} << 53) - 1}) {
    const Run far = feed(Noise::kUniform, Fate::kNothing, start, 3);
    CHECK(far.drift_error == zero.drift_error);
    CHECK(far.offset_error == zero.offset_error);
  }
}

TEST_CASE("jitter and bursts are not taken for steps") {
  for (const Noise noise : {Noise::kUniform, Noise::kNormal, Noise::kQueue}) {
    CAPTURE(static_cast<int>(noise));
    CHECK(worst_of(noise, Fate::kNothing, 10, 0).steps == 0);
  }
  CHECK(worst_of(Noise::kUniform, Fate::kBursts, 10, 0).steps == 0);
}

TEST_CASE("a step is found, measured and dated back to where it began") {
  for (const double size_ms : {-3000.0, -40.0, 20.0, 64.0, 1000.0, 60000.0}) {
    for (std::uint64_t seed = 1; seed <= 5; ++seed) {
      CAPTURE(size_ms);
      CAPTURE(seed);
      Jitter jitter(Noise::kUniform, 2.0, seed);
      Device device;
      device.drift_ppm = 100.0;
      ClockEstimator clock({});
      std::optional<double> step;
      std::int64_t found_at = 0;
      constexpr std::int64_t kStepAt = 500 * 320;
      for (std::int64_t t = 0; t < 600 * 320; t += 320) {
        const auto moved = static_cast<std::int64_t>(t >= kStepAt ? 16.0 * size_ms : 0.0);
        const std::optional<double> now = clock.observe(t, device.stamp(t, jitter()) + moved);
        if (!now) continue;
        CHECK_FALSE(step);
        step = now;
        found_at = t;
      }
      REQUIRE(step);
      CHECK(std::abs(*step / 16.0 - size_ms) < 3.0);
      CHECK(found_at >= kStepAt);
      // Six readings for a large step, two dozen for a small one.
      CHECK(found_at < kStepAt + (std::abs(size_ms) > 50.0 ? 7 : 30) * 320);
      CHECK(std::abs(clock.newest_segment_begin() - kStepAt) <=
            (std::abs(size_ms) > 50.0 ? 0 : 2 * 320));
      CHECK(std::abs(clock.drift_ppm() - device.drift_ppm) < 40.0);
      // Positions before the step keep the old line.
      CHECK(std::abs(clock.time(kStepAt / 2, 0) - device.true_time(kStepAt / 2)) < 3.0 * 16);
    }
  }
}

TEST_CASE("more steps than segments: the oldest are forgotten, the newest are right") {
  ClockEstimator clock({});
  std::int64_t lost = 0;
  for (std::int64_t t = 0; t < 320 * 60 * 40; t += 320) {
    if (t > 0 && t % (320 * 60) == 0) lost += 16000;
    clock.observe(t, t + lost);
  }
  clock.refit();
  const std::int64_t newest = 320 * (60 * 40 - 1);
  CHECK(clock.time_ticks(newest) == newest + lost);
  CHECK(clock.time_ticks(newest - 320 * 60 * 5) == newest - 320 * 60 * 5 + lost - 5 * 16000);
}

TEST_CASE("position is the inverse of time") {
  Jitter jitter(Noise::kUniform, 10.0, 5);
  Device device{320, 250.0, std::int64_t{1} << 53};
  ClockEstimator clock({});
  for (std::int64_t i = 0; i < 2000; ++i) clock.observe(i * 320, device.stamp(i * 320, jitter()));
  clock.refit();
  for (const std::int64_t position :
       {std::int64_t{0}, std::int64_t{320000}, std::int64_t{640000}}) {
    CHECK(std::abs(clock.position(clock.time_ticks(position)) - static_cast<double>(position)) <=
          2.0);
  }
}

TEST_CASE("an old reading stops to count after the horizon") {
  ClockEstimatorOptions options;
  options.horizon = 16000;
  ClockEstimator clock(options);
  for (std::int64_t i = 0; i < 1000; ++i) clock.observe(i * 320, i * 320);
  clock.observe(999 * 320, 0);  // a repeated position is ignored
  CHECK(clock.observation_count() == 51);
}
