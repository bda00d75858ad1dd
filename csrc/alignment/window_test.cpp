#include "alignment/fixture.h"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>
#include <vector>

#include "doctest/doctest.h"

using namespace edge_ser;
using namespace edge_ser::fixture;

namespace {

constexpr std::int64_t kStarts[] = {0, (std::int64_t{1} << 31) - 700, (std::int64_t{1} << 53) - 701,
                                    -5000};

}  // namespace

TEST_CASE("sound frames come back one for one, wherever the clocks began") {
  for (const std::int64_t start : kStarts) {
    Aligner aligner({}, {audio_source(2)});
    for (std::int64_t i = 0; i < 50; ++i) {
      const float rows[] = {static_cast<float>(2 * i), -1.0f, static_cast<float>(2 * i + 1), -1.0f};
      CHECK(aligner.push_frames(0, 3 * start + i * 320, start + i * 320, rows) == 2);
    }
    const Window window = window_of(aligner, start + 16000, 100);
    for (std::size_t k = 0; k < 100; ++k) {
      CHECK(window.times[k] == start + static_cast<std::int64_t>(k) * 160);
      CHECK(window.values[0][2 * k] == static_cast<float>(k));
      CHECK(window.values[0][2 * k + 1] == -1.0f);
      CHECK(window.mask[0][k] == 1);
    }
    CHECK(window.summaries[0].covered == 100);
    CHECK(window.summaries[0].largest_gap == 0);
    CHECK(window.summaries[0].oldest == start);
    CHECK(window.summaries[0].newest == start + 99 * 160);
  }
}

TEST_CASE("a dropped buffer is a gap of its own length, and what follows is not shifted") {
  Aligner aligner({}, {audio_source()});
  for (std::int64_t i = 0; i < 100; ++i) {
    if (i >= 40 && i < 47) continue;
    aligner.push_frames(0, i * 320, i * 320, ramp(2 * i, 2));
  }
  const Window window = window_of(aligner, 32000, 200);
  for (std::size_t k = 0; k < 200; ++k) {
    const bool lost = k >= 80 && k < 94;
    CHECK(window.mask[0][k] == (lost ? 0 : 1));
    CHECK(window.values[0][k] == (lost ? 0.0f : static_cast<float>(k)));
  }
  CHECK(window.summaries[0].largest_gap == 14 * 160);
  CHECK(window.summaries[0].covered == 186);
  CHECK(aligner.counters(0).missing == 14);
}

TEST_CASE("before the first and after the last frame there is nothing") {
  Aligner aligner({}, {audio_source(), face_source(), words_source()});
  const Window empty = window_of(aligner, 123456789, 10);
  for (std::size_t i = 0; i < 3; ++i) {
    CHECK(std::ranges::count(empty.mask[i], 0) == 10);
    CHECK(empty.summaries[i].largest_gap == 1600);
    CHECK(empty.summaries[i].newest == 0);
  }
  CHECK(std::ranges::count(empty.labels[2], -1) == 10);
  aligner.push_frames(0, 0, 1600, ramp(0, 10));
  const Window window = window_of(aligner, 4800, 30);
  for (std::size_t k = 0; k < 30; ++k) CHECK(window.mask[0][k] == (k >= 10 && k < 20 ? 1 : 0));
  CHECK(window.summaries[0].largest_gap == 1600);
}

TEST_CASE("hold shows the newest picture that is not later, up to its greatest age") {
  Aligner aligner({}, {face_source()});
  const float one[] = {1.0f}, two[] = {2.0f};
  aligner.push_frames(0, std::nullopt, 1000, one);
  aligner.push_frames(0, std::nullopt, 2600, two);
  const Window window = window_of(aligner, 8000, 50);
  for (std::size_t k = 0; k < 50; ++k) {
    const std::int64_t t = static_cast<std::int64_t>(k) * 160;
    const bool seen = t >= 1000 && t - 2600 <= 3200;
    CHECK(window.mask[0][k] == (seen ? 1 : 0));
    CHECK(window.values[0][k] == (!seen ? 0.0f : t >= 2600 ? 2.0f : 1.0f));
  }
}

TEST_CASE("nearest takes the closer row, linear lies between two that are close enough") {
  SourceOptions nearest = face_source(), linear = face_source();
  nearest.name = "nearest";
  nearest.fill = Fill::kNearest;
  nearest.max_age = 400;
  linear.fill = Fill::kLinear;
  linear.max_age = 1000;
  Aligner aligner({}, {nearest, linear});
  for (std::size_t source = 0; source < 2; ++source) {
    for (const std::int64_t time : {1600, 2400, 4800}) {
      aligner.push_frames(source, std::nullopt, time, ramp(time, 1));
    }
  }
  const Window window = window_of(aligner, 6400, 40);
  for (std::size_t k = 0; k < 40; ++k) {
    const std::int64_t t = static_cast<std::int64_t>(k) * 160;
    const float closest = t <= 2000 ? 1600.0f : t <= 3600 ? 2400.0f : 4800.0f;
    const bool near = std::abs(static_cast<float>(t) - closest) <= 400.0f;
    CHECK(window.values[0][k] == (near ? closest : 0.0f));
    CHECK(window.mask[0][k] == (near ? 1 : 0));
    const bool between = (t >= 1600 && t <= 2400) || t == 4800;
    CHECK(window.values[1][k] == doctest::Approx(between ? static_cast<float>(t) : 0.0f));
    CHECK(window.mask[1][k] == (between ? 1 : 0));
  }
}

TEST_CASE("interpolation of the largest floats stays finite") {
  SourceOptions options = face_source();
  options.fill = Fill::kLinear;
  Aligner aligner({}, {options});
  constexpr float kMax = std::numeric_limits<float>::max();
  aligner.push_frames(0, std::nullopt, 0, std::vector<float>{kMax});
  aligner.push_frames(0, std::nullopt, 330, std::vector<float>{kMax});
  aligner.push_frames(0, std::nullopt, 660, std::vector<float>{-kMax});
  const Window window = window_of(aligner, 800, 5);
  for (const float value : window.values[0]) CHECK(std::isfinite(value));
}

TEST_CASE("words cover the frames from their start up to their end; the later start shows") {
  Aligner aligner({}, {words_source()});
  CHECK(aligner.push_interval(0, 1600, 4800, 0));
  CHECK(aligner.push_interval(0, 6400, 8000, 2));
  CHECK(aligner.push_interval(0, 3200, 4000, 1));  // late, and inside the first
  const Window window = window_of(aligner, 9600, 60);
  for (std::size_t k = 0; k < 60; ++k) {
    const std::int64_t expected = k >= 20 && k < 25   ? 1
                                  : k >= 10 && k < 30 ? 0
                                  : k >= 40 && k < 50 ? 2
                                                      : -1;
    CHECK(window.labels[0][k] == expected);
    CHECK(window.mask[0][k] == (expected >= 0 ? 1 : 0));
  }
  CHECK(window.summaries[0].oldest == 1600);
  CHECK(window.summaries[0].newest == 8000);
  CHECK(window.summaries[0].largest_gap == 1600);
}

TEST_CASE("a revised transcript takes the place of the first guess") {
  Aligner aligner({}, {words_source()});
  aligner.push_interval(0, 0, 1600, 0);
  aligner.push_interval(0, 1600, 3200, 1);
  aligner.push_interval(0, 3200, 4800, 2);
  aligner.erase_intervals(0, 1600);
  CHECK(aligner.newest(0) == 1600);
  aligner.push_interval(0, 2400, 4800, 3);
  const Window window = window_of(aligner, 4800, 30);
  for (std::size_t k = 0; k < 30; ++k) {
    CHECK(window.labels[0][k] == (k < 10 ? 0 : k < 15 ? -1 : 3));
  }
}

TEST_CASE("words timed on the sound's counter land on the sound they were heard in") {
  // The counter drifts by 200 ppm, began at 2^53 and lost a second; the words know nothing of it.
  Aligner aligner({}, {audio_source(), words_source("audio")});
  const std::int64_t counter = std::int64_t{1} << 53;
  std::int64_t lost = 0;
  const auto media = [&](std::int64_t ticks) { return ticks + ticks / 5000 + lost; };
  for (std::int64_t i = 0; i < 2000; ++i) {
    if (i == 1900) lost = 16000;
    aligner.push_frames(0, counter + i * 320, media(i * 320), ramp(2 * i, 2));
  }
  for (std::int64_t i = 0; i < 100; ++i) {
    aligner.push_interval(1, counter + (1800 + 2 * i) * 320, counter + (1802 + 2 * i) * 320, i);
  }
  const Window window = window_of(aligner, media(2000 * 320), 400);
  int seen = 0;
  for (std::size_t k = 0; k < 400; ++k) {
    if (window.mask[0][k] == 0) continue;
    // Frame f lies in word (f / 2 - 1800) / 2, or at a rounded edge in its neighbour.
    const double word = (window.values[0][k] / 2.0 - 1800.0) / 2.0;
    if (window.labels[1][k] < 0) continue;
    ++seen;
    CHECK(word > static_cast<double>(window.labels[1][k]) - 0.3);
    CHECK(word < static_cast<double>(window.labels[1][k]) + 1.3);
  }
  CHECK(seen > 280);
  CHECK(window.summaries[0].largest_gap == doctest::Approx(16000).epsilon(0.02));
  CHECK(window.summaries[1].largest_gap == doctest::Approx(16000).epsilon(0.02));
}

TEST_CASE("on a reference's grid no frame of it is repeated or skipped, however it drifts") {
  for (const std::int64_t start : kStarts) {
    AlignerOptions options;
    options.reference = "audio";
    Aligner aligner(options, {audio_source(), face_source()});
    // 1000 ppm: a frame in 10 s would be skipped on the media grid.
    for (std::int64_t i = 0; i < 1500; ++i) {
      const std::int64_t time = start + i * 320 + i * 320 / 1000;
      aligner.push_frames(0, i * 320, time, ramp(2 * i, 2));
      if (i % 3 == 0) aligner.push_frames(1, std::nullopt, time, ramp(2 * i, 1));
    }
    const std::int64_t end = *aligner.newest(0) + 160;
    const Window window = window_of(aligner, end, 1000);
    for (std::size_t k = 0; k < 1000; ++k) {
      CHECK(window.mask[0][k] == 1);
      CHECK(window.values[0][k] == static_cast<float>(2000 + k));
      // The picture that is held is at most a picture old.
      CHECK(window.values[0][k] - window.values[1][k] >= 0.0f);
      CHECK(window.values[0][k] - window.values[1][k] < 7.0f);
    }
    CHECK(std::abs(window.times.back() - (end - 160)) <= 80);
  }
}

TEST_CASE("an empty mask leaves a source out; a slot of wrong size is refused") {
  Aligner aligner({}, {audio_source(), face_source()});
  aligner.push_frames(0, 0, 0, ramp(0, 10));
  std::vector<float> values(10);
  std::vector<std::uint8_t> mask(10);
  std::vector<WindowSummary> summaries(2);
  std::vector<WindowSlot> slots(2);
  slots[0] = {values, {}, mask};
  CHECK_NOTHROW(aligner.window(1600, 10, slots, summaries, {}));
  CHECK(summaries[0].covered == 10);
  CHECK(summaries[1].covered == 0);
  CHECK_THROWS_AS(aligner.window(1600, 11, slots, summaries, {}), std::invalid_argument);
  CHECK_THROWS_AS(aligner.window(1600, 0, slots, summaries, {}), std::invalid_argument);
  slots.pop_back();
  CHECK_THROWS_AS(aligner.window(1600, 10, slots, summaries, {}), std::invalid_argument);
}
