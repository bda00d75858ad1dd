#include "simd/simd.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <random>
#include <stdexcept>
#include <string>
#include <vector>

#include "doctest/doctest.h"

using edge_ser::SimdLevel;
using edge_ser::SimdOps;

namespace {

constexpr std::size_t kSlack = edge_ser::kSimdSlack;

std::vector<float> noise(std::size_t count, float scale = 1.0f) {
  std::mt19937 random(5);
  std::normal_distribution<float> normal(0.3f, 1.0f);
  std::vector<float> values(count + kSlack);
  for (std::size_t i = 0; i < count; ++i) values[i] = scale * normal(random);
  return values;
}

template <class Check>
void at_every_level(Check check) {
  for (const SimdLevel level : edge_ser::simd_levels()) {
    CAPTURE(edge_ser::simd_name(level));
    check(edge_ser::simd_ops(level));
  }
}

}  // namespace

TEST_CASE("levels are found by name, scalar is always there") {
  CHECK(edge_ser::simd_levels().front() == SimdLevel::scalar);
  CHECK(edge_ser::simd_level_named("best") == edge_ser::best_simd_level());
  at_every_level([](const SimdOps& simd) {
    CHECK(edge_ser::simd_level_named(edge_ser::simd_name(simd.level)) == simd.level);
  });
  CHECK_THROWS_AS(edge_ser::simd_level_named("mmx"), std::invalid_argument);
  bool all_here = true;
  for (const SimdLevel level : {SimdLevel::neon, SimdLevel::x86_v2, SimdLevel::x86_v3}) {
    try {
      edge_ser::simd_ops(level);
    } catch (const std::invalid_argument&) {
      all_here = false;
    }
  }
  CHECK_FALSE(all_here);  // no processor is both
}

TEST_CASE("sums, dot products and sign changes of any length") {
  at_every_level([](const SimdOps& simd) {
    for (const std::size_t count : {0, 1, 3, 7, 8, 9, 31, 32, 33, 400, 401}) {
      CAPTURE(count);
      const std::vector<float> a = noise(count), b = noise(count, -0.5f);
      double total = 0, squares = 0, product = 0;
      std::size_t changes = 0;
      for (std::size_t i = 0; i < count; ++i) {
        total += static_cast<double>(a[i]);
        squares += std::pow(static_cast<double>(a[i]) - 0.25, 2);
        product += static_cast<double>(a[i]) * static_cast<double>(b[i]);
        changes += i > 0 && (a[i] >= 0.25f) != (a[i - 1] >= 0.25f);
      }
      CHECK(simd.sum(a.data(), count) == doctest::Approx(total).epsilon(1e-5));
      CHECK(simd.sum_squares(a.data(), count, 0.25f) == doctest::Approx(squares).epsilon(1e-5));
      CHECK(simd.dot(a.data(), b.data(), count) == doctest::Approx(product).epsilon(1e-5));
      CHECK(simd.sign_changes(a.data(), count, 0.25f) == changes);
    }
  });
}

TEST_CASE("the logarithm is right to a few units in the last place, from FLT_MIN to the largest") {
  at_every_level([](const SimdOps& simd) {
    double worst = 0;
    for (double exponent = -37.9; exponent < 38.5; exponent += 0.0137) {
      std::vector<float> value(1 + kSlack, static_cast<float>(std::pow(10.0, exponent)));
      const double expected = std::log(static_cast<double>(value[0]));
      simd.scaled_log(value.data(), 1, std::numeric_limits<float>::min(), 1.0f);
      worst = std::max(worst, std::abs(static_cast<double>(value[0]) - expected) /
                                  std::max(std::abs(expected), 0.01));
    }
    CHECK(worst < 2.5e-7);
    std::vector<float> near_one(1 + kSlack);
    for (int i = -2000; i <= 2000; ++i) {
      const float x = 1.0f + static_cast<float>(i) * 1e-4f;
      near_one[0] = x;
      simd.scaled_log(near_one.data(), 1, 1e-30f, 1.0f);
      CHECK(near_one[0] == doctest::Approx(std::log(static_cast<double>(x))).epsilon(3e-7));
    }
    std::vector<float> edges(3 + kSlack);
    edges[0] = 0.0f;
    edges[1] = -5.0f;
    edges[2] = 1e-20f;
    simd.scaled_log(edges.data(), 3, 1e-10f, 2.0f);
    for (int i = 0; i < 3; ++i) CHECK(edges[i] == doctest::Approx(2 * std::log(1e-10)));
  });
}

TEST_CASE("a bad sample is found at every place") {
  at_every_level([](const SimdOps& simd) {
    std::vector<float> samples = noise(37);
    CHECK(simd.all_finite(samples.data(), 37));
    for (const float bad :
         {std::numeric_limits<float>::quiet_NaN(), std::numeric_limits<float>::infinity(),
          -std::numeric_limits<float>::infinity()}) {
      for (std::size_t at = 0; at < 37; ++at) {
        std::vector<float> spoiled = samples;
        spoiled[at] = bad;
        CHECK_FALSE(simd.all_finite(spoiled.data(), 37));
      }
    }
  });
}

TEST_CASE("matrix product and square root") {
  at_every_level([](const SimdOps& simd) {
    for (const std::size_t rows : {1, 3, 4, 23, 40}) {
      const std::vector<float> matrix = noise(rows * 16), in = noise(rows, 0.7f);
      std::vector<float> out(16 + kSlack);
      simd.multiply(matrix.data(), rows, 16, in.data(), out.data());
      for (std::size_t c = 0; c < 16; ++c) {
        double sum = 0;
        for (std::size_t r = 0; r < rows; ++r) {
          sum += static_cast<double>(in[r]) * static_cast<double>(matrix[r * 16 + c]);
        }
        CHECK(out[c] == doctest::Approx(sum).epsilon(1e-5).scale(10));
      }
    }
    std::vector<float> values = noise(21);
    std::vector<float> roots = values;
    for (float& value : roots) value *= value;
    simd.square_root(roots.data(), 21);
    for (int i = 0; i < 21; ++i) CHECK(roots[i] == doctest::Approx(std::abs(values[i])));
  });
}

TEST_CASE("spectral sums: power, first moment, rise of the magnitude") {
  at_every_level([](const SimdOps& simd) {
    std::vector<float> power(257 + kSlack), magnitude(257 + kSlack);
    const std::vector<float> before = noise(257), now = noise(257, 1.3f);
    double total = 0, moment = 0, rise = 0;
    for (std::size_t k = 0; k < 257; ++k) {
      power[k] = now[k] * now[k];
      magnitude[k] = std::abs(before[k]);
      total += static_cast<double>(power[k]);
      moment += static_cast<double>(k) * static_cast<double>(power[k]);
      const double step = std::abs(static_cast<double>(now[k])) - static_cast<double>(magnitude[k]);
      rise += step > 0 ? step * step : 0;
    }
    const auto sums = simd.spectral_sums(power.data(), 257, magnitude.data());
    CHECK(sums.power == doctest::Approx(total).epsilon(1e-5));
    CHECK(sums.first_moment == doctest::Approx(moment).epsilon(1e-5));
    CHECK(sums.rising_squared == doctest::Approx(rise).epsilon(1e-5));
    for (std::size_t k = 0; k < 257; ++k) {
      CHECK(magnitude[k] == doctest::Approx(std::abs(now[k])).epsilon(1e-6));
    }
  });
}

TEST_CASE("eight rows of a filter, plain and mirrored, are the sums that they say") {
  at_every_level([](const SimdOps& simd) {
    for (const std::size_t count : {1, 2, 5}) {
      CAPTURE(count);
      const std::vector<float> in = noise(16 * count), of_taps = noise(64 * count, 0.1f);
      std::vector<edge_ser::FilterBlock> blocks(count);
      for (std::size_t k = 0; k < 64 * count; ++k)
        blocks[k / 64].taps[k / 8 % 8][k % 8] = of_taps[k];
      double plain[8] = {}, even[8] = {}, odd[8] = {};
      for (std::size_t k = 0; k < 8 * count; ++k) {
        const double left = static_cast<double>(in[k]);
        const double right = static_cast<double>(in[16 * count - 1 - k]);
        for (std::size_t i = 0; i < 8; ++i) {
          const double tap = static_cast<double>(blocks[k / 8].taps[i][k % 8]);
          plain[i] += left * tap;
          (i % 2 == 0 ? even : odd)[i / 2] += (i % 2 == 0 ? left + right : left - right) * tap;
        }
      }
      float rows[8], mirrored[16];
      const std::int32_t starts[1] = {1};
      simd.filter_rows(blocks.data(), count, in.data() - 1, starts, 1, rows);
      simd.filter_mirrored(blocks.data(), count, in.data(), in.data() + 16 * count - 1, 0, 2,
                           mirrored);
      CHECK(std::equal(mirrored, mirrored + 8, mirrored + 8));
      for (std::size_t i = 0; i < 8; ++i) {
        CHECK(static_cast<double>(rows[i]) == doctest::Approx(plain[i]).epsilon(1e-5));
        const double both = i < 4 ? even[i] + odd[i] : even[7 - i] - odd[7 - i];
        CHECK(std::abs(static_cast<double>(mirrored[i]) - both) < 1e-4);
      }
    }
  });
}
