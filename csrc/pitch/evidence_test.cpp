#include "pitch/evidence.h"

#include <algorithm>
#include <cmath>
#include <memory>
#include <random>
#include <vector>

#include "doctest/doctest.h"

using edge_ser::PitchEvidence;
using G = edge_ser::PitchGeometry;

namespace {

// Features after `hops` hops of a signal.
template <class Signal>
std::unique_ptr<PitchEvidence::Features> features_of(Signal signal, int hops) {
  PitchEvidence evidence;
  auto features = std::make_unique<PitchEvidence::Features>();
  std::vector<float> hop(G::kHop);
  for (int h = 0; h < hops; ++h) {
    for (int i = 0; i < G::kHop; ++i)
      hop[static_cast<std::size_t>(i)] = static_cast<float>(signal(h * G::kHop + i));
    evidence.process(hop.data(), *features);
  }
  return features;
}

// Even lags 2..80 come first, then odd lags 1..79.
float at_lag(const PitchEvidence::Features& f, int band, int lag) {
  const int k = lag % 2 == 0 ? lag / 2 - 1 : G::kLags / 2 + (lag - 1) / 2;
  int first = 0;
  for (int b = 0; b < band; ++b) first += G::kBandLags[static_cast<std::size_t>(b)];
  return f[static_cast<std::size_t>(first + k)];
}

double pulses(int n, int period) { return n % period == 0 ? 0.5 : 0.0; }

}  // namespace

TEST_CASE("every band sees the period of a pulse train, as one") {
  const auto f = features_of([](int n) { return pulses(n, 160); }, 20);  // 100 Hz: lag 40
  for (int band = 0; band < G::kBands; ++band) {
    CAPTURE(band);
    CHECK(at_lag(*f, band, 40) > 0.99f);
    CHECK(at_lag(*f, band, 80) > 0.99f);
    CHECK(at_lag(*f, band, 30) < 0.9f);
  }
}

TEST_CASE("silence and an offset have no correlation") {
  for (const double level : {0.0, 0.5}) {
    const auto f = features_of([=](int) { return level; }, 20);
    for (int k = 0; k < G::kCorrelations; ++k)
      CHECK(std::fabs((*f)[static_cast<std::size_t>(k)]) < 0.05f);
  }
}

TEST_CASE("correlations stay within [-1, 1] and features finite") {
  std::mt19937 random(1);
  std::normal_distribution<double> noise;
  for (const double gain : {1e-15, 1e-6, 1.0, 1e6}) {
    const auto f = features_of(
        [&](int n) { return std::clamp(gain * noise(random), -1e6, 1e6) * (n % 999 < 500); }, 30);
    for (const float v : *f) CHECK(std::isfinite(v));
    for (int k = 0; k < G::kCorrelations; ++k)
      CHECK(std::fabs((*f)[static_cast<std::size_t>(k)]) <= 1.001f);
  }
}

TEST_CASE("correlations do not depend on the level") {
  std::mt19937 random(2);
  std::normal_distribution<double> noise;
  std::vector<double> x(3200);
  for (double& v : x) v = 0.1 * noise(random);
  const auto a = features_of([&](int n) { return x[static_cast<std::size_t>(n)]; }, 20);
  const auto b = features_of([&](int n) { return 8.0 * x[static_cast<std::size_t>(n)]; }, 20);
  for (int k = 0; k < G::kCorrelations; ++k) {
    const auto i = static_cast<std::size_t>(k);
    CHECK((*a)[i] == doctest::Approx((*b)[i]).epsilon(1e-4));
  }
}
