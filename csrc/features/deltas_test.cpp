#include "features/deltas.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <random>

#include "doctest/doctest.h"
#include "base/samples.h"

using edge_ser::DeltaOptions;
using edge_ser::Deltas;

namespace {

DeltaOptions with(int dim, int order, int window) {
  DeltaOptions options;
  options.dim = dim;
  options.order = order;
  options.window = window;
  return options;
}

std::vector<float> clip(const Deltas& deltas, const std::vector<float>& frames) {
  const std::size_t count = frames.size() / static_cast<std::size_t>(deltas.options().dim);
  std::vector<float> out(count * deltas.dim());
  CHECK(deltas.compute(frames, out) == count);
  return out;
}

}  // namespace

TEST_CASE("deltas follow the definition, with copies of the first and last frame outside") {
  std::mt19937 random(2);
  std::normal_distribution<float> normal;
  for (const int window : {1, 2, 3}) {
    for (const std::size_t count : {1, 2, 3, 5, 20}) {
      std::vector<float> x(count * 3);
      for (float& value : x) value = normal(random);
      const auto y = clip(Deltas(with(3, 2, window)), x);
      const auto at = [&](std::int64_t t, std::size_t k) {
        t = std::clamp<std::int64_t>(t, 0, static_cast<std::int64_t>(count) - 1);
        return static_cast<double>(x[static_cast<std::size_t>(t) * 3 + k]);
      };
      double norm = 0;
      for (int n = 1; n <= window; ++n) norm += 2.0 * n * n;
      const auto delta = [&](std::int64_t t, std::size_t k) {
        double sum = 0;
        for (int n = -window; n <= window; ++n) sum += n * at(t + n, k);
        return sum / norm;
      };
      for (std::size_t t = 0; t < count; ++t) {
        for (std::size_t k = 0; k < 3; ++k) {
          const std::int64_t now = static_cast<std::int64_t>(t);
          double second = 0;
          for (int n = -window; n <= window; ++n) second += n * delta(now + n, k) / norm;
          CHECK(y[t * 9 + k] == x[t * 3 + k]);
          CHECK(y[t * 9 + 3 + k] == doctest::Approx(delta(now, k)).epsilon(1e-5).scale(1));
          CHECK(y[t * 9 + 6 + k] == doctest::Approx(second).epsilon(1e-5).scale(1));
        }
      }
    }
  }
}

TEST_CASE("a ramp has its slope as delta") {
  std::vector<float> x(50);
  for (std::size_t t = 0; t < x.size(); ++t) x[t] = 0.5f * static_cast<float>(t);
  const auto y = clip(Deltas(with(1, 2, 2)), x);
  for (std::size_t t = 10; t < 40; ++t) {
    CHECK(y[3 * t + 1] == doctest::Approx(0.5));
    CHECK(y[3 * t + 2] == doctest::Approx(0.0).scale(1));
  }
}

TEST_CASE("delta streams are bit-equal to the clip") {
  std::mt19937 random(2);
  std::normal_distribution<float> normal;
  for (const int order : {1, 2}) {
    Deltas deltas(with(5, order, 2));
    for (const std::size_t count : {0, 1, 2, 4, 5, 64}) {
      std::vector<float> x(count * 5);
      for (float& value : x) value = normal(random);
      const auto whole = clip(deltas, x);
      for (const std::size_t chunk : {1, 2, 7, 64}) {
        deltas.reset();
        std::vector<float> all;
        const auto append = [&](std::size_t ready, auto&& give) {
          std::vector<float> out(ready * deltas.dim());
          CHECK(give(out) == ready);
          all.insert(all.end(), out.begin(), out.end());
        };
        for (std::size_t t = 0; t < count; t += chunk) {
          const std::size_t size = std::min(chunk, count - t);
          append(deltas.frames_after(size),
                 [&](auto& out) { return deltas.accept({x.data() + 5 * t, 5 * size}, out); });
        }
        append(deltas.frames_at_finish(), [&](auto& out) { return deltas.finish(out); });
        CHECK(all == whole);
      }
    }
  }
}

TEST_CASE("deltas refuse what they cannot take") {
  Deltas deltas(with(4, 1, 2));
  std::vector<float> out(100), x(8, 1.0f);
  CHECK_THROWS_AS(deltas.accept({x.data(), 7}, out), std::invalid_argument);
  x[5] = std::numeric_limits<float>::infinity();
  CHECK_THROWS_AS(deltas.accept(x, out), edge_ser::SampleError);
  CHECK(deltas.frames_at_finish() == 0);
  x.assign(40, 3.4e38f);
  for (std::size_t i = 0; i < x.size(); i += 8) x[i] = -x[i];
  for (const float value : clip(deltas, x)) CHECK(std::isfinite(value));
  CHECK_THROWS_AS(deltas.accept(x, std::span<float>{}), std::invalid_argument);
  deltas.finish(out);
  CHECK_THROWS_AS(deltas.finish(out), std::logic_error);
  CHECK_THROWS_AS(with(0, 1, 1).validate(), std::invalid_argument);
  CHECK_THROWS_AS(with(1, 3, 1).validate(), std::invalid_argument);
  CHECK_THROWS_AS(with(1, 1, 0).validate(), std::invalid_argument);
}
