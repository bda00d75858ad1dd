#include "features/fft.h"

#include <cmath>
#include <complex>
#include <numbers>
#include <random>
#include <vector>

#include "doctest/doctest.h"

namespace {

std::vector<std::complex<double>> reference_dft(const std::vector<float>& x, std::size_t length) {
  std::vector<std::complex<double>> result(length / 2 + 1);
  for (std::size_t k = 0; k < result.size(); ++k) {
    for (std::size_t n = 0; n < x.size(); ++n) {
      const double turn = static_cast<double>((k * n) % length) / static_cast<double>(length);
      result[k] += static_cast<double>(x[n]) * std::polar(1.0, -2.0 * std::numbers::pi * turn);
    }
  }
  return result;
}

std::vector<float> noise(std::size_t count) {
  std::mt19937 generator(7);
  std::normal_distribution<float> normal;
  std::vector<float> result(count);
  for (float& value : result) value = normal(generator);
  return result;
}

}  // namespace

TEST_CASE("every length at every SIMD level agrees with the definition in float64") {
  for (const edge_ser::SimdLevel level : edge_ser::simd_levels()) {
    for (const std::size_t length :
         {4,   6,   8,   10,  12,  16,  20,  30,   32,   48,   60,   64,
          80,  90,  100, 128, 144, 160, 200, 240,  250,  256,  320,  400,
          480, 500, 512, 600, 640, 800, 960, 1000, 1024, 1200, 2048, 4096}) {
      CAPTURE(length);
      CAPTURE(edge_ser::simd_name(level));
      const std::vector<float> x = noise(length);
      const auto expected = reference_dft(x, length);
      edge_ser::RealFft fft(length, level);
      std::vector<float> re(fft.bins()), im(fft.bins());
      fft.forward(x, re, im);
      double worst = 0, energy = 0;
      for (std::size_t k = 0; k < fft.bins(); ++k) {
        worst = std::max(worst, std::abs(std::complex<double>(re[k], im[k]) - expected[k]));
        energy += std::norm(expected[k]);
      }
      const double scale = std::sqrt(energy / static_cast<double>(fft.bins()));
      CHECK(worst < 2e-6 * scale);
    }
  }
}

TEST_CASE("a short input counts as padded with zeros") {
  edge_ser::RealFft fft(512);
  const std::vector<float> x = noise(400);
  const auto expected = reference_dft(x, 512);
  std::vector<float> re(fft.bins()), im(fft.bins());
  fft.forward(noise(512), re, im);  // leaves nothing behind
  fft.forward(x, re, im);
  for (std::size_t k = 0; k < fft.bins(); ++k) {
    CHECK(re[k] == doctest::Approx(expected[k].real()).epsilon(1e-4).scale(10));
    CHECK(im[k] == doctest::Approx(expected[k].imag()).epsilon(1e-4).scale(10));
  }
}

TEST_CASE("a copy has work space of its own") {
  edge_ser::RealFft first(256);
  edge_ser::RealFft second(first);
  CHECK(first.buffers().input_re != second.buffers().input_re);
  second = first;
  CHECK(first.buffers().input_re != second.buffers().input_re);
}

TEST_CASE("unsupported lengths are refused") {
  for (const std::size_t length : {0, 1, 2, 3, 5, 7, 14, 22, 401, 513}) {
    CAPTURE(length);
    CHECK_FALSE(edge_ser::RealFft::supports(length));
    CHECK_THROWS_AS(edge_ser::RealFft{length}, std::invalid_argument);
  }
  edge_ser::RealFft fft(8);
  std::vector<float> samples(9), bins(5), few(4);
  CHECK_THROWS_AS(fft.forward(samples, bins, bins), std::invalid_argument);
  samples.resize(8);
  CHECK_THROWS_AS(fft.forward(samples, few, bins), std::invalid_argument);
}
