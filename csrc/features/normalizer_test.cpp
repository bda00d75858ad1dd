#include "features/normalizer.h"

#include <cmath>
#include <limits>
#include <random>

#include "doctest/doctest.h"
#include "base/samples.h"

using edge_ser::NormalizerOptions;
using edge_ser::RunningNormalizer;

namespace {

NormalizerOptions with(int dim, int memory) {
  NormalizerOptions options;
  options.dim = dim;
  options.memory_frames = memory;
  return options;
}

std::vector<float> noise(std::size_t count, float mean, float deviation) {
  std::mt19937 random(4);
  std::normal_distribution<float> normal(mean, deviation);
  std::vector<float> x(count);
  for (float& value : x) value = normal(random);
  return x;
}

}  // namespace

TEST_CASE("while the memory fills, statistics are those of all frames so far") {
  RunningNormalizer normalizer(with(2, 1000));
  const std::vector<float> x = noise(200, 5.0f, 3.0f);
  std::vector<float> y(200);
  normalizer.accept(x, y);
  for (std::size_t k = 0; k < 2; ++k) {
    double mean = 0, variance = 0;
    for (std::size_t t = 0; t < 100; ++t) mean += static_cast<double>(x[2 * t + k]) / 100;
    for (std::size_t t = 0; t < 100; ++t) {
      variance += std::pow(static_cast<double>(x[2 * t + k]) - mean, 2) / 100;
    }
    CHECK(normalizer.mean()[k] == doctest::Approx(mean));
    CHECK(normalizer.deviation()[k] == doctest::Approx(std::sqrt(variance)));
    CHECK(y[198 + k] ==
          doctest::Approx((static_cast<double>(x[198 + k]) - mean) / std::sqrt(variance)));
  }
  CHECK(normalizer.frames_seen() == 100);
}

TEST_CASE("old frames fade") {
  RunningNormalizer normalizer(with(1, 50));
  std::vector<float> out(1000);
  normalizer.accept(noise(1000, 0.0f, 1.0f), out);
  normalizer.accept(noise(1000, 40.0f, 1.0f), out);
  CHECK(normalizer.mean()[0] == doctest::Approx(40.0).epsilon(0.02));
  CHECK(normalizer.deviation()[0] == doctest::Approx(1.0).epsilon(0.4));
}

TEST_CASE("chunks do not matter, and output may overwrite input") {
  const std::vector<float> x = noise(60, 1.0f, 2.0f);
  std::vector<float> whole(60), parts(x);
  RunningNormalizer first(with(3, 10)), second(with(3, 10));
  first.accept(x, whole);
  for (std::size_t at = 0; at < 60; at += 3) {
    second.accept({parts.data() + at, 3}, {parts.data() + at, 3});
  }
  CHECK(whole == parts);
}

TEST_CASE("frozen statistics do not move") {
  RunningNormalizer normalizer(with(2, 10));
  const std::vector<double> mean = {1.0, -1.0}, deviation = {2.0, 0.0};
  normalizer.set_statistics(mean, deviation, 77);
  CHECK(normalizer.frozen());
  std::vector<float> out(2);
  normalizer.accept(std::vector<float>{5.0f, -0.5f}, out);
  CHECK(out[0] == 2.0f);
  CHECK(out[1] == doctest::Approx(0.5 / 1e-3));
  CHECK(normalizer.mean()[0] == 1.0);
  CHECK(normalizer.frames_seen() == 77);
  normalizer.freeze(false);
  normalizer.accept(std::vector<float>{5.0f, -0.5f}, out);
  CHECK(normalizer.mean()[0] == doctest::Approx(1.4));
  normalizer.reset();
  CHECK(normalizer.frames_seen() == 0);
  CHECK_FALSE(normalizer.frozen());
}

TEST_CASE("constants, extremes and bad values") {
  RunningNormalizer normalizer(with(1, 10));
  std::vector<float> out(4);
  normalizer.accept(std::vector<float>(4, 7.0f), out);
  CHECK(out == std::vector<float>(4, 0.0f));
  normalizer.accept(std::vector<float>{3.4e38f, -3.4e38f, 1e-45f, 0.0f}, out);
  for (const float value : out) CHECK(std::isfinite(value));
  const double before = normalizer.mean()[0];
  CHECK_THROWS_AS(normalizer.accept(std::vector<float>{1.0f, std::nanf("")}, out),
                  edge_ser::SampleError);
  CHECK(normalizer.mean()[0] == before);
  const std::vector<double> one = {1.0}, negative = {-1.0}, two = {1.0, 2.0};
  CHECK_THROWS_AS(normalizer.set_statistics(one, negative, 1), std::invalid_argument);
  CHECK_THROWS_AS(normalizer.set_statistics(two, two, 1), std::invalid_argument);
  RunningNormalizer wide(with(3, 10));
  CHECK_THROWS_AS(wide.accept(std::vector<float>(4), out), std::invalid_argument);
  CHECK_THROWS_AS(with(0, 1).validate(), std::invalid_argument);
  CHECK_THROWS_AS(with(1, 0).validate(), std::invalid_argument);
}
