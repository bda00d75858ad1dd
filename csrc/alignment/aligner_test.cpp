#include "alignment/aligner.h"

#include <atomic>
#include <cmath>
#include <cstdint>
#include <limits>
#include <optional>
#include <stdexcept>
#include <thread>
#include <vector>

#include "alignment/clock_simulation.h"
#include "alignment/fixture.h"
#include "doctest/doctest.h"
#include "test_support/allocation_count.h"

using namespace edge_ser;
using namespace edge_ser::fixture;
using edge_ser::simulation::Jitter;
using edge_ser::simulation::Noise;

using edge_ser::testing::allocations;

namespace {

std::vector<SourceOptions> live_sources() {
  return {audio_source(13), camera_source(8), face_source(16), words_source("audio")};
}

/// Buffers for a window of 3 s, made once.
struct LiveWindow {
  static constexpr std::size_t kFrames = 300;
  std::vector<float> audio = std::vector<float>(kFrames * 13);
  std::vector<float> camera = std::vector<float>(kFrames * 8);
  std::vector<float> face = std::vector<float>(kFrames * 16);
  std::vector<std::int64_t> words = std::vector<std::int64_t>(kFrames);
  std::vector<std::uint8_t> masks = std::vector<std::uint8_t>(4 * kFrames);
  std::vector<WindowSummary> summaries = std::vector<WindowSummary>(4);
  std::vector<WindowSlot> slots;

  LiveWindow() {
    const auto mask = [&](std::size_t i) { return std::span(masks).subspan(i * kFrames, kFrames); };
    slots = {
        {audio, {}, mask(0)}, {camera, {}, mask(1)}, {face, {}, mask(2)}, {{}, words, mask(3)}};
  }
  void read(Aligner& aligner, std::int64_t end) {
    aligner.window(end, kFrames, slots, summaries, {});
  }
};

}  // namespace

TEST_CASE("names, kinds and arguments that make no sense are refused and change nothing") {
  Aligner aligner({}, live_sources());
  CHECK(aligner.source("words") == 3);
  CHECK_THROWS_WITH_AS(aligner.source("radar"),
                       "there is no source 'radar'; there are: audio, camera, face, words",
                       std::invalid_argument);
  const std::vector<float> row(13, 1.0f);
  constexpr std::int64_t kMax = std::numeric_limits<std::int64_t>::max();
  CHECK_THROWS_AS(aligner.push_frames(9, 0, 0, row), std::invalid_argument);
  CHECK_THROWS_AS(aligner.push_frames(3, 0, 0, row), std::invalid_argument);
  CHECK_THROWS_AS(aligner.push_frames(0, 0, 0, std::span(row).first(12)), std::invalid_argument);
  CHECK_THROWS_AS(aligner.push_frames(0, 0, kMax, row), std::invalid_argument);
  CHECK_THROWS_AS(aligner.push_frames(0, -kMax, 0, row), std::invalid_argument);
  CHECK_THROWS_AS(aligner.push_frames(2, 0, 0, std::vector<float>(16)), std::invalid_argument);
  CHECK_THROWS_AS(aligner.push_interval(0, 0, 1, 0), std::invalid_argument);
  CHECK_THROWS_AS(aligner.push_interval(3, 0, 1, 0), std::invalid_argument);  // no sound yet
  CHECK(aligner.push_frames(0, 0, 0, {}) == 0);
  CHECK(aligner.counters(0) == SourceCounters{});
  CHECK(!aligner.newest(0));
  CHECK(!aligner.clock(0));
  CHECK(!aligner.media_time(0, 0));
  aligner.push_frames(0, 0, 0, row);
  CHECK_THROWS_AS(aligner.push_interval(3, 5, 5, 0), std::invalid_argument);
  CHECK_THROWS_AS(aligner.push_interval(3, 0, 5, -1), std::invalid_argument);
  CHECK_THROWS_AS(aligner.push_interval(3, 0, std::int64_t{1} << 61, 0), std::invalid_argument);
  CHECK_THROWS_AS(aligner.push_frames(0, 160, std::int64_t{1} << 61, row), std::invalid_argument);
  CHECK_THROWS_AS(aligner.media_time(2, 0), std::invalid_argument);
  CHECK(!aligner.clock(2));
}

TEST_CASE("sets of sources that make no sense are refused") {
  const auto refused = [](const AlignerOptions& options,
                          const std::vector<SourceOptions>& sources) {
    CHECK_THROWS_AS(Aligner(options, sources), std::invalid_argument);
  };
  refused({}, {});
  refused({}, {SourceOptions{}});
  refused({}, {audio_source(), audio_source()});
  refused({}, {audio_source(), words_source("radar")});
  refused({}, {face_source(), words_source("face")});
  refused({16000, 160, "radar"}, {audio_source()});
  refused({16000, 160, "face"}, {audio_source(), face_source()});
  refused({16000, 320, "audio"}, {audio_source()});
}

TEST_CASE("reset forgets everything") {
  Aligner aligner({}, {audio_source(), words_source()});
  aligner.push_frames(0, 5, 7, ramp(0, 10));
  aligner.push_interval(1, 7, 700, 3);
  aligner.reset();
  CHECK(!aligner.newest(0));
  CHECK(!aligner.newest(1));
  CHECK(aligner.counters(1) == SourceCounters{});
  CHECK(aligner.push_frames(0, 0, -(std::int64_t{1} << 61), ramp(0, 10)) == 10);
  CHECK(aligner.newest(0) == -(std::int64_t{1} << 61) + 9 * 160);
}

TEST_CASE("72 hours: nothing is allocated, no counter wraps, the window stays in place") {
  Aligner aligner({}, live_sources());
  LiveWindow window;
  Jitter jitter(Noise::kUniform, 10.0, 1);
  const std::vector<float> sound(13 * 40, 1.0f), picture(8, 2.0f), face(16, 3.0f);
  // Both cross a power of two that a narrower counter would stumble over.
  const std::int64_t start = (std::int64_t{1} << 31) - 16000 * 3600;
  const std::int64_t counter = (std::int64_t{1} << 53) - 16000 * 3600;
  constexpr double kSound = 80e-6, kCamera = -150e-6;
  constexpr std::int64_t kHours = 72, kBuffer = 6400;
  constexpr std::int64_t kBuffers = kHours * 3600 * 16000 / kBuffer;
  const auto drifted = [](std::int64_t ticks, double drift) {
    return ticks + std::llround(static_cast<double>(ticks) * drift);
  };
  const std::size_t allocated = allocations.load();
  double worst_offset = 0.0, worst_drift = 0.0;
  std::int64_t worst_gap = 0;
  for (std::int64_t i = 0; i < kBuffers; ++i) {
    const std::int64_t t = i * kBuffer;
    aligner.push_frames(0, counter + t, start + drifted(t, kSound) + std::llround(16 * jitter()),
                        sound);
    aligner.push_frames(1, t / 8 * 45, start + drifted(t, kCamera) + std::llround(16 * jitter()),
                        picture);
    aligner.push_frames(2, std::nullopt, start + t, face);
    aligner.push_interval(3, counter + t, counter + t + kBuffer, i);
    // Every half minute, for the simulation's sake; live it is every half second.
    if (i < 750 || i % 75 != 0) continue;
    const std::int64_t newest = *aligner.newest(0);
    window.read(aligner, newest);
    const double truth = static_cast<double>(t + 39 * 160) * (1.0 + kSound);
    worst_offset = std::max(worst_offset, std::abs(static_cast<double>(newest - start) - truth));
    worst_drift = std::max(worst_drift, std::abs(aligner.clock(0)->drift_ppm - 80.0));
    worst_drift = std::max(worst_drift, std::abs(aligner.clock(1)->drift_ppm + 150.0));
    for (const std::size_t source : {0, 3}) {
      worst_gap = std::max(worst_gap, window.summaries[source].largest_gap);
    }
  }
  CHECK(allocations.load() == allocated);
  MESSAGE("worst offset " << worst_offset / 16.0 << " ms, drift " << worst_drift << " ppm");
  CHECK(worst_offset < 3.0 * 16);
  CHECK(worst_drift < 10.0);
  CHECK(worst_gap <= 480);
  CHECK(aligner.counters(0).stored == static_cast<std::uint64_t>(kBuffers) * 40);
  CHECK(aligner.counters(0).missing == 0);
  CHECK(aligner.counters(0).steps + aligner.counters(1).steps == 0);
  CHECK(aligner.counters(2).stored == static_cast<std::uint64_t>(kBuffers));
  CHECK(aligner.clock(0)->position == counter + (kBuffers - 1) * kBuffer + 39 * 160);
}

TEST_CASE("trouble allocates nothing either") {
  Aligner aligner({}, live_sources());
  LiveWindow window;
  Jitter random(Noise::kUniform, 100.0, 4);
  const std::vector<float> sound(13 * 2, 1.0f), picture(8, 2.0f), face(16, 3.0f);
  const std::size_t allocated = allocations.load();
  std::int64_t offset = 0, counter = 0;
  for (std::int64_t i = 0; i < 30000; ++i) {
    const double what = random.uniform();
    if (what < 0.001) offset -= 160000;
    if (what > 0.999) offset += 160000;
    if (what > 0.500 && what < 0.501) counter = -i * 320;
    const std::int64_t t = i * 320 + offset + std::llround(random());
    aligner.push_frames(0, i * 320 + counter, t, sound);
    if (i % 5 == 0) aligner.push_frames(1, i * 1800, t, picture);
    if (i % 5 == 0) aligner.push_frames(2, std::nullopt, t, face);
    if (i % 25 == 0) aligner.push_interval(3, i * 320 + counter, i * 320 + counter + 8000, i);
    if (i % 100 == 0) aligner.erase_intervals(3, (i - 50) * 320 + counter);
    if (i % 250 == 0) window.read(aligner, *aligner.newest(0));
  }
  aligner.restart(0);
  aligner.reset();
  CHECK(allocations.load() == allocated);
}

TEST_CASE("pushes and windows from many threads at once") {
  Aligner aligner({}, live_sources());
  aligner.push_frames(0, 0, 0, std::vector<float>(13));
  std::atomic<bool> done{false};
  const auto loop = [&](auto action) {
    return std::thread([action] {
      for (std::int64_t i = 1; i <= 3000; ++i) action(i);
    });
  };
  std::thread reader([&] {
    LiveWindow window;
    while (!done) {
      window.read(aligner, aligner.newest(0).value_or(0));
      (void)aligner.counters(1);
      (void)aligner.clock(0);
    }
  });
  std::thread writers[] = {
      loop([&](std::int64_t i) {
        aligner.push_frames(0, i * 160, i * 160, std::vector<float>(13, 1.0f));
      }),
      loop([&](std::int64_t i) {
        aligner.push_frames(1, i * 900, i * 160, std::vector<float>(8, 1.0f));
      }),
      loop([&](std::int64_t i) {
        aligner.push_frames(2, std::nullopt, i * 160, std::vector<float>(16, 1.0f));
      }),
      loop([&](std::int64_t i) {
        aligner.push_interval(3, i * 160, i * 160 + 160, i);
        if (i % 100 == 0) aligner.erase_intervals(3, i * 160 - 800);
      }),
  };
  for (std::thread& writer : writers) writer.join();
  done = true;
  reader.join();
  CHECK(aligner.counters(0).stored == 3001);
  CHECK(aligner.counters(1).pushed == 3000);
  CHECK(aligner.counters(2).pushed == 3000);
  CHECK(aligner.counters(3).pushed == 3000);
}
