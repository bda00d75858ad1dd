#include "alignment/core.h"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <optional>
#include <vector>

#include "alignment/clock_simulation.h"
#include "alignment/fixture.h"
#include "doctest/doctest.h"

using namespace edge_ser;
using namespace edge_ser::fixture;
using edge_ser::simulation::Jitter;
using edge_ser::simulation::Noise;

namespace {

/// Microphone, camera with a counter, pictures without one and words, all of which carry as their
/// value the true time in 10 ms when they were captured; the clock their times are read from can be
/// set, and each can lose time of its own.
class Scene {
 public:
  explicit Scene(std::int64_t start, std::uint64_t seed = 1)
      : aligner({}, {audio_source(), camera_source(), face_source(), words_source("audio")}),
        jitter(Noise::kUniform, 4.0, seed),
        start_(start) {}

  void run(double seconds) {
    const std::int64_t end = now + std::llround(seconds * 16000.0);
    for (; now < end; now += 160) {
      if (now % 320 == 0 && audio_on) {
        const std::int64_t capture = stamp() + audio_offset;
        aligner.push_frames(0, audio_counter, capture, ramp(now / 160, 2));
        if (now % 8000 == 0) {
          aligner.push_interval(3, audio_counter, audio_counter + 8000, now / 160);
        }
        audio_counter += 320;
      }
      if (now % 1600 == 0 && camera_on) {  // ten pictures a second
        aligner.push_frames(1, now / 160 * 900, stamp() + camera_offset, ramp(now / 160, 1));
        aligner.push_frames(2, std::nullopt, stamp(), ramp(now / 160, 1));
      }
    }
  }

  /// How far, in ms, the newest sound and the newest picture are apart on the media clock, less how
  /// far they truly are.
  double misalignment() {
    const Window window = window_of(aligner, *aligner.newest(0) + 160, 300);
    double worst = 0.0;
    int compared = 0;
    for (std::size_t k = 200; k < 300; ++k) {
      if (window.mask[0][k] == 0 || window.mask[1][k] == 0) continue;
      // A held picture is 0 to 100 ms old.
      const double age = (window.values[0][k] - window.values[1][k]) * 10.0;
      const double free = window.mask[2][k] ? (window.values[0][k] - window.values[2][k]) * 10 : 50;
      worst = std::max({worst, -age, age - 100.0, -free, free - 100.0});
      ++compared;
    }
    REQUIRE(compared > 50);
    return worst;
  }

  Aligner aligner;
  Jitter jitter;
  std::int64_t now = 0;           // true time
  std::int64_t clock_offset = 0;  // of the clock that capture times are read from
  std::int64_t audio_offset = 0, camera_offset = 0;
  std::int64_t audio_counter = 777;
  bool audio_on = true, camera_on = true;

 private:
  std::int64_t stamp() { return start_ + now + clock_offset + std::llround(16.0 * jitter()); }
  std::int64_t start_;
};

}  // namespace

TEST_CASE("when the wall clock is set back, the media clock goes on and all stay aligned") {
  for (const std::int64_t start : {std::int64_t{0}, std::int64_t{1} << 31, std::int64_t{1} << 53}) {
    for (const double seconds : {0.7, 5.0, 3600.0}) {
      CAPTURE(seconds);
      Scene scene(start);
      scene.run(20.0);
      const std::int64_t before = *scene.aligner.newest(0);
      scene.clock_offset -= std::llround(seconds * 16000.0);
      scene.run(10.0);
      CHECK(std::abs(*scene.aligner.newest(0) - before - 160000) < 10 * 16);
      CHECK(scene.aligner.counters(0).clock_jumps == 1);
      CHECK(scene.aligner.counters(1).clock_jumps == 1);
      CHECK(scene.misalignment() < 25.0);
      const Window window = window_of(scene.aligner, *scene.aligner.newest(0) + 160, 800);
      CHECK(window.summaries[0].largest_gap <= 160);
      CHECK(window.summaries[3].largest_gap <= 160);
    }
  }
}

TEST_CASE("when the wall clock is set forward, every source has the same gap") {
  Scene scene(0);
  scene.run(20.0);
  scene.clock_offset += 5 * 16000;
  scene.run(4.0);
  const Window window = window_of(scene.aligner, *scene.aligner.newest(0) + 160, 1000);
  CHECK(std::abs(window.summaries[0].largest_gap - 5 * 16000) < 3 * 160);
  CHECK(std::abs(window.summaries[1].largest_gap - 5 * 16000) < 3200);
  CHECK(scene.misalignment() < 25.0);
  CHECK(scene.aligner.counters(0).clock_jumps == 0);
}

TEST_CASE("many jumps, back and forth") {
  Scene scene(std::int64_t{1} << 31);
  scene.run(20.0);
  for (const double seconds : {-2.0, 3.0, -100.0, -0.5, 50.0}) {
    scene.clock_offset += std::llround(seconds * 16000.0);
    scene.run(15.0);
    CAPTURE(seconds);
    CHECK(scene.misalignment() < 25.0);
  }
}

TEST_CASE("stamps of one source that move back alone are that source's affair") {
  Scene scene(0);
  scene.run(20.0);
  scene.camera_offset -= 16000;
  scene.run(10.0);
  CHECK(scene.aligner.counters(0).clock_jumps == 0);
  CHECK(scene.aligner.counters(1).clock_jumps == 0);
  CHECK(scene.aligner.counters(1).steps == 1);
}

TEST_CASE("a microphone that pauses comes back in its place, its count going on or not") {
  for (const bool counts_on : {true, false}) {
    Scene scene(std::int64_t{1} << 53);
    scene.run(20.0);
    scene.audio_on = false;
    scene.run(7.0);
    scene.audio_on = true;
    if (!counts_on) scene.audio_counter = 0;
    scene.run(5.0);
    CHECK(scene.misalignment() < 25.0);
    CHECK(scene.aligner.counters(0).missing == 700);
    CHECK(scene.aligner.counters(0).restarts == (counts_on ? 0 : 1));
    const Window window = window_of(scene.aligner, *scene.aligner.newest(0) + 160, 1300);
    CHECK(std::abs(window.summaries[0].largest_gap - 7 * 16000) <= 2 * 160);
    CHECK(window.summaries[1].largest_gap == 0);
  }
}

TEST_CASE("a clock set back while a camera was unplugged does not misplace the camera") {
  Scene scene(0);
  scene.run(20.0);
  scene.camera_on = false;
  scene.run(5.0);
  scene.clock_offset -= 60 * 16000;
  scene.run(5.0);
  scene.camera_on = true;
  scene.run(8.0);
  CHECK(scene.aligner.counters(0).clock_jumps == 1);
  CHECK(scene.misalignment() < 25.0);
}
