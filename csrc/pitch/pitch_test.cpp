#include "pitch/pitch.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <random>
#include <stdexcept>
#include <vector>

#include "base/samples.h"
#include "doctest/doctest.h"

using edge_ser::Pitch;
using edge_ser::PitchOptions;

namespace {

constexpr std::size_t kColumns = Pitch::kColumns;

std::vector<float> compute(Pitch& pitch, const std::vector<float>& samples) {
  pitch.reset();
  std::vector<float> rows((Pitch::max_rows(samples.size()) + Pitch::kMaxRowsAtFinish) * kColumns);
  std::size_t count = pitch.accept(samples, rows.data());
  count += pitch.finish(rows.data() + count * kColumns);
  rows.resize(count * kColumns);
  return rows;
}

// Silence, a pulse train that glides from 90 to 180 Hz, noise.
std::vector<float> sentence() {
  std::mt19937 random(5);
  std::normal_distribution<float> noise;
  std::vector<float> x(24000);
  double phase = 0.0;
  float resonator[2] = {};
  for (std::size_t i = 0; i < x.size(); ++i) {
    float pulse = 0.0f;
    if (i >= 6400 && i < 16000) {
      phase += (90.0 + 90.0 * static_cast<double>(i - 6400) / 9600.0) / 16000.0;
      if (phase >= 1.0) {
        phase -= 1.0;
        pulse = 1.0f;
      }
    }
    const float y = pulse + 1.72f * resonator[0] - 0.81f * resonator[1];
    resonator[1] = resonator[0];
    resonator[0] = y;
    x[i] = 0.05f * y + (i >= 18000 ? 0.03f : 1e-4f) * noise(random);
  }
  return x;
}

}  // namespace

TEST_CASE("frames are those of a window of twice first_center") {
  for (const int first : {0, 80, 200, 333, 800}) {
    Pitch pitch(PitchOptions{.first_center = first});
    for (const std::size_t n : {0u, 1u, 159u, 160u, 399u, 400u, 559u, 560u, 1600u, 16000u}) {
      CAPTURE(first);
      CAPTURE(n);
      const auto width = static_cast<std::size_t>(2 * first);
      const std::size_t expected = n == 0 || n < width ? 0 : 1 + (n - width) / 160;
      CHECK(pitch.rows_in_clip(n) == expected);
      CHECK(compute(pitch, std::vector<float>(n, 0.1f)).size() == expected * kColumns);
    }
  }
}

TEST_CASE("a glide in a sentence is followed and the rest is unvoiced") {
  Pitch pitch;
  const std::vector<float> rows = compute(pitch, sentence());
  for (std::size_t i = 0; i < rows.size() / kColumns; ++i) {
    const double t = (200.0 + 160.0 * static_cast<double>(i)) / 16000.0;
    CAPTURE(t);
    const float* row = rows.data() + i * kColumns;
    if (t > 0.43 && t < 0.97) {
      CHECK(row[0] == doctest::Approx(90.0 + 90.0 * (t - 0.4) / 0.6).epsilon(0.01));
      CHECK(row[2] > 0.5f);
      CHECK(row[3] > 5.0f);
    } else if ((t > 0.03 && t < 0.37) || t > 1.03) {
      CHECK(row[0] == 0.0f);
      CHECK(row[2] < 0.5f);
    }
    CHECK(row[1] >= 50.0f);
    CHECK(row[1] <= 550.0f);
  }
}

TEST_CASE("however a stream is cut, its rows are equal to the last bit") {
  const std::vector<float> x = sentence();
  Pitch pitch(PitchOptions{.first_center = 77});
  const std::vector<float> whole = compute(pitch, x);
  for (const std::size_t chunk : {1u, 7u, 159u, 160u, 161u, 1000u, 20000u}) {
    CAPTURE(chunk);
    pitch.reset();
    std::vector<float> rows(whole.size() +
                            (Pitch::max_rows(chunk) + Pitch::kMaxRowsAtFinish) * kColumns);
    std::size_t count = 0;
    for (std::size_t at = 0; at < x.size(); at += chunk) {
      const std::size_t n = std::min(chunk, x.size() - at);
      count += pitch.accept({x.data() + at, n}, rows.data() + count * kColumns);
    }
    count += pitch.finish(rows.data() + count * kColumns);
    rows.resize(count * kColumns);
    CHECK(rows == whole);
  }
}

TEST_CASE("a frame comes out 60 ms after its centre") {
  Pitch pitch;
  std::vector<float> row(16 * kColumns);
  const std::vector<float> sample(1, 0.1f);
  std::size_t frames = 0;
  for (std::size_t taken = 1; taken <= 8000; ++taken) {
    frames += pitch.accept(sample, row.data());
    // Every frame whose centre lies 60 ms back is there.
    const std::size_t due = taken < 200 + 960 ? 0 : 1 + (taken - 960 - 200) / 160;
    CHECK(frames >= due);
  }
}

TEST_CASE("options outside their range are refused by name") {
  CHECK_THROWS_AS(Pitch(PitchOptions{.min_f0_hz = 49.0}), std::invalid_argument);
  CHECK_THROWS_AS(Pitch(PitchOptions{.max_f0_hz = 551.0}), std::invalid_argument);
  CHECK_THROWS_AS(Pitch(PitchOptions{.min_f0_hz = 300.0, .max_f0_hz = 310.0}),
                  std::invalid_argument);
  CHECK_THROWS_AS(Pitch(PitchOptions{.voicing_threshold = 1.5}), std::invalid_argument);
  CHECK_THROWS_AS(
      Pitch(PitchOptions{.voicing_threshold = std::numeric_limits<double>::quiet_NaN()}),
      std::invalid_argument);
  CHECK_THROWS_AS(Pitch(PitchOptions{.first_center = -1}), std::invalid_argument);
}

TEST_CASE("NaN or infinity is refused and changes nothing") {
  const std::vector<float> x = sentence();
  Pitch pitch;
  const std::vector<float> whole = compute(pitch, x);
  pitch.reset();
  std::vector<float> rows(whole.size() + 2 * Pitch::kMaxRowsAtFinish * kColumns);
  std::size_t count = pitch.accept({x.data(), 9000}, rows.data());
  for (const float bad :
       {std::numeric_limits<float>::quiet_NaN(), std::numeric_limits<float>::infinity()}) {
    const std::vector<float> broken = {0.1f, 0.2f, bad};
    CHECK_THROWS_AS(pitch.accept(broken, rows.data()), edge_ser::SampleError);
  }
  count += pitch.accept({x.data() + 9000, x.size() - 9000}, rows.data() + count * kColumns);
  count += pitch.finish(rows.data() + count * kColumns);
  rows.resize(count * kColumns);
  CHECK(rows == whole);
}

TEST_CASE("finish ends a stream until reset") {
  Pitch pitch;
  std::vector<float> rows(64 * kColumns);
  const std::vector<float> x(1600, 0.1f);
  pitch.accept(x, rows.data());
  CHECK(pitch.finish(rows.data()) > 0);
  CHECK(pitch.finish(rows.data()) == 0);
  CHECK_THROWS_AS(pitch.accept(x, rows.data()), std::logic_error);
  pitch.reset();
  CHECK_NOTHROW(pitch.accept(x, rows.data()));
}

TEST_CASE("no finite signal gives NaN or a value out of range") {
  std::mt19937 random(7);
  std::uniform_real_distribution<float> unit(-1.0f, 1.0f);
  std::vector<std::vector<float>> signals;
  for (const float level : {0.0f, 1e-42f, 1e-15f, 1e-6f, 1.0f, 32768.0f, 3e38f}) {
    std::vector<float> constant(8000, level), square(8000), noise(8000), impulse(8000, 0.0f);
    for (std::size_t i = 0; i < 8000; ++i) {
      square[i] = (i / 50) % 2 == 0 ? level : -level;
      noise[i] = level * unit(random);
    }
    impulse[4000] = level;
    signals.insert(signals.end(), {constant, square, noise, impulse});
  }
  Pitch pitch;
  for (const auto& x : signals) {
    const std::vector<float> rows = compute(pitch, x);
    for (std::size_t i = 0; i < rows.size(); i += kColumns) {
      CHECK((rows[i] == 0.0f || rows[i] == rows[i + 1]));
      CHECK((rows[i + 1] >= 50.0f && rows[i + 1] <= 550.0f));
      CHECK((rows[i + 2] >= 0.0f && rows[i + 2] <= 1.0f));
      CHECK((rows[i + 3] >= -20.0f && rows[i + 3] <= 40.0f));
    }
  }
}

TEST_CASE("the limits of the options hold the path") {
  Pitch pitch(PitchOptions{.min_f0_hz = 120.0, .max_f0_hz = 160.0});
  const std::vector<float> rows = compute(pitch, sentence());
  for (std::size_t i = 0; i < rows.size(); i += kColumns) {
    CHECK((rows[i + 1] >= 120.0f && rows[i + 1] <= 160.0f));
  }
}
