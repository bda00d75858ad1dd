#include "alignment/source.h"

#include <cmath>
#include <cstdint>
#include <limits>
#include <optional>
#include <vector>

#include "alignment/clock_simulation.h"
#include "alignment/fixture.h"
#include "doctest/doctest.h"

using namespace edge_ser;
using namespace edge_ser::fixture;
using edge_ser::simulation::Device;
using edge_ser::simulation::Jitter;
using edge_ser::simulation::Noise;

TEST_CASE(
    "order of arrival within the lateness changes nothing, beyond it is dropped and counted") {
  Aligner straight({}, {audio_source()}), mixed({}, {audio_source()});
  Jitter jitter(Noise::kUniform, 5.0, 3);
  std::vector<std::int64_t> stamps;
  for (std::int64_t i = 0; i < 800; ++i) {
    stamps.push_back(i * 320 + std::llround(16.0 * jitter()));
    straight.push_frames(0, i * 320, stamps.back(), ramp(2 * i, 2));
  }
  // The first stays first: it is what the positions are counted from.
  mixed.push_frames(0, 0, stamps[0], ramp(0, 2));
  for (std::int64_t i = 1; i < 800; ++i) {
    const std::int64_t k = std::min<std::int64_t>((i - 1) / 50 * 50 + 49 - (i - 1) % 50, 798) + 1;
    mixed.push_frames(0, k * 320, stamps[static_cast<std::size_t>(k)], ramp(2 * k, 2));
  }
  for (std::int64_t k = 1; k < 800; ++k) {  // what the shuffle's last block left out
    mixed.push_frames(0, k * 320, stamps[static_cast<std::size_t>(k)], ramp(2 * k, 2));
  }
  CHECK(window_of(straight, 256000, 300) == window_of(mixed, 256000, 300));
  CHECK(mixed.counters(0).stored == straight.counters(0).stored);
  CHECK(mixed.counters(0).missing == 0);

  const SourceCounters before = mixed.counters(0);
  CHECK(mixed.push_frames(0, 320, 320, ramp(0, 2)) == 0);  // 16 s late
  CHECK(mixed.counters(0).late == before.late + 2);
}

TEST_CASE("a source without positions is contiguous until its capture times tell of a loss") {
  for (const std::int64_t start : {std::int64_t{0}, (std::int64_t{1} << 31) - 9000}) {
    Aligner aligner({}, {audio_source()});
    Jitter jitter(Noise::kUniform, 3.0, 9);
    // Row values count 10 ms of true time; buffers 300..324 never came.
    for (std::int64_t i = 0; i < 600; ++i) {
      if (i >= 300 && i < 325) continue;
      aligner.push_frames(0, std::nullopt, start + i * 320 + std::llround(16.0 * jitter()),
                          ramp(2 * i, 2));
    }
    CHECK(aligner.counters(0).steps == 1);
    CHECK(aligner.counters(0).missing == 50);
    const Window window = window_of(aligner, start + 600 * 320, 1000);
    CHECK(std::abs(window.summaries[0].largest_gap - 50 * 160) <= 160);
    for (std::size_t k = 0; k < 1000; ++k) {
      if (window.mask[0][k] != 0) CHECK(std::abs(window.values[0][k] - (200.0f + k)) <= 1.0f);
    }
  }
}

TEST_CASE("a row with NaN or infinity is masked and counted, its neighbours are kept") {
  Aligner aligner({}, {audio_source(2)});
  std::vector<float> rows(20, 1.0f);
  rows[6] = std::numeric_limits<float>::quiet_NaN();
  rows[11] = -std::numeric_limits<float>::infinity();
  CHECK(aligner.push_frames(0, 0, 0, rows) == 8);
  const Window window = window_of(aligner, 1600, 10);
  for (std::size_t k = 0; k < 10; ++k) {
    CHECK(window.mask[0][k] == (k == 3 || k == 5 ? 0 : 1));
    CHECK(std::isfinite(window.values[0][2 * k]));
  }
  CHECK(aligner.counters(0).non_finite == 2);
  CHECK(aligner.counters(0).missing == 2);
}

TEST_CASE("a duplicate is counted and the first row kept") {
  Aligner aligner({}, {audio_source()});
  aligner.push_frames(0, 0, 0, ramp(0, 10));
  CHECK(aligner.push_frames(0, 0, 0, ramp(50, 10)) == 0);
  CHECK(aligner.counters(0).duplicate == 10);
  CHECK(window_of(aligner, 1600, 10).values[0] == ramp(0, 10));
}

TEST_CASE("a counter that falls back to zero goes on where the capture times say") {
  for (const std::int64_t pause : {48000, 16000 * 3600}) {
    Aligner aligner({}, {audio_source()});
    std::int64_t time = 0;
    for (std::int64_t i = 0; i < 200; ++i, time += 320) {
      aligner.push_frames(0, 1000000 + i * 320, time, ramp(2 * i, 2));
    }
    time += pause;
    for (std::int64_t i = 0; i < 200; ++i, time += 320) {
      aligner.push_frames(0, i * 320, time, ramp(1000 + 2 * i, 2));
    }
    CHECK(aligner.counters(0).restarts == 1);
    CHECK(aligner.counters(0).missing == static_cast<std::uint64_t>(pause / 160));
    CHECK(aligner.newest(0) == time - 160);
    const Window window = window_of(aligner, time, 400 + 2);
    CHECK(window.values[0][2] == 1000.0f);
    CHECK(window.values[0].back() == 1399.0f);
    CHECK(window.mask[0][1] == 0);
  }
}

TEST_CASE("a restart that is announced needs no sign from the counter") {
  Aligner aligner({}, {audio_source()});
  for (std::int64_t i = 0; i < 50; ++i) aligner.push_frames(0, i * 320, i * 320, ramp(2 * i, 2));
  aligner.restart(0);
  aligner.push_frames(0, 50 * 320, 96000, ramp(500, 2));
  CHECK(aligner.newest(0) == 96160);
  CHECK(aligner.media_time(0, 50 * 320) == 96000);
  CHECK(aligner.counters(0).restarts == 1);
}

TEST_CASE("drift and offset of a camera with a 90 kHz clock are read to 10 ppm and 5 ms") {
  for (std::uint64_t seed = 1; seed <= 10; ++seed) {
    Jitter jitter(Noise::kUniform, 5.0, seed);
    Aligner aligner({}, {camera_source()});
    const double drift = 600.0 * jitter.uniform() - 300.0;
    const std::int64_t counter = (std::int64_t{1} << 31) - 12345;
    const std::int64_t start = std::int64_t{1} << 53;
    double truth = 0.0;
    for (std::int64_t i = 0; i < 900; ++i) {
      if (i % 97 < 3) continue;  // lost pictures: the camera counts on
      truth = static_cast<double>(i) * 16000.0 / 15.0 * (1.0 + drift * 1e-6);
      aligner.push_frames(0, counter + i * 6000, start + std::llround(truth + 16.0 * jitter()),
                          ramp(i, 1));
    }
    const ClockEstimate clock = *aligner.clock(0);
    CHECK(std::abs(clock.drift_ppm - drift) < 10.0);
    CHECK(clock.position == counter + 899 * 6000);
    CHECK(std::abs(static_cast<double>(clock.time - start) - truth) < 5.0 * 16);
    CHECK(aligner.counters(0).missing == 27);
    CHECK(aligner.counters(0).steps == 0);
  }
}

TEST_CASE("pictures stamped far ahead are set aside, unless they go on") {
  Aligner aligner({}, {audio_source(), face_source()});
  std::int64_t now = 0;
  const auto sound = [&](std::int64_t until) {
    for (; now < until; now += 320) aligner.push_frames(0, now, now, ramp(now / 160, 2));
  };
  sound(16000);
  aligner.push_frames(1, std::nullopt, 16000, ramp(1, 1));
  CHECK(aligner.push_frames(1, std::nullopt, 16000 * 1000, ramp(2, 1)) == 0);
  CHECK(aligner.counters(1).early == 1);
  CHECK(aligner.push_frames(1, std::nullopt, 16100, ramp(3, 1)) == 1);
  // The sound is gone, the camera comes back after an hour: believed after a few pictures.
  std::size_t stored = 0;
  for (std::int64_t i = 0; i < 20; ++i) {
    stored += aligner.push_frames(1, std::nullopt, 16000 * 3600 + i * 1600, ramp(i, 1));
  }
  CHECK(stored == 13);
  CHECK(aligner.newest(1) == 16000 * 3600 + 19 * 1600);
}

TEST_CASE("a mistaken first time does not keep all later pictures out") {
  Aligner aligner({}, {face_source()});
  aligner.push_frames(0, std::nullopt, std::int64_t{1} << 50, ramp(0, 1));
  std::size_t stored = 0;
  for (std::int64_t i = 0; i < 20; ++i) {
    stored += aligner.push_frames(0, std::nullopt, i * 1600, ramp(i, 1));
  }
  CHECK(stored == 13);
  CHECK(aligner.newest(0) == 19 * 1600);
}
