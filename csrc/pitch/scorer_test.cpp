#include "pitch/scorer.h"

#include <algorithm>
#include <cmath>
#include <random>
#include <vector>

#include "doctest/doctest.h"

using edge_ser::PitchEvidence;
using edge_ser::PitchGrid;
using edge_ser::PitchPath;
using edge_ser::PitchScorer;
using G = edge_ser::PitchGeometry;

namespace {

struct Judged {
  float voicing;
  double best_hz;
};

template <class Signal>
Judged judge(Signal signal) {
  PitchEvidence evidence;
  PitchScorer scorer;
  PitchEvidence::Features features;
  PitchPath::Scores scores;
  Judged judged{};
  std::vector<float> hop(G::kHop);
  for (int h = 0; h < 40; ++h) {
    for (int i = 0; i < G::kHop; ++i)
      hop[static_cast<std::size_t>(i)] = static_cast<float>(signal(h * G::kHop + i));
    evidence.process(hop.data(), features);
    judged.voicing = scorer.push(features, scores);
  }
  judged.best_hz = PitchGrid::frequency(
      static_cast<int>(std::max_element(scores.begin(), scores.end()) - scores.begin()));
  return judged;
}

}  // namespace

TEST_CASE("a vowel is voiced, at its own pitch") {
  for (const int period : {40, 64, 100, 160, 240}) {
    CAPTURE(period);
    // Pulses through one resonance at 500 Hz, over faint noise.
    std::mt19937 random(4);
    std::normal_distribution<double> noise;
    double y1 = 0.0, y2 = 0.0;
    const Judged j = judge([&](int n) {
      const double y = (n % period == 0 ? 0.2 : 0.0) + 1.9 * y1 - 0.94 * y2;
      y2 = y1;
      y1 = y;
      return y + 1e-3 * noise(random);
    });
    CHECK(j.voicing > 0.9f);
    CHECK(std::fabs(std::log2(j.best_hz * period / 16000.0)) < 0.06);
  }
}

TEST_CASE("silence is unvoiced, and noise nearly always") {
  CHECK(judge([](int) { return 0.0; }).voicing < 0.3f);
  std::mt19937 random(3);
  std::normal_distribution<double> noise;
  PitchEvidence evidence;
  PitchScorer scorer;
  PitchEvidence::Features features;
  PitchPath::Scores scores;
  std::vector<float> hop(G::kHop);
  int voiced = 0;
  for (int h = 0; h < 400; ++h) {
    for (float& x : hop) x = static_cast<float>(0.1 * noise(random));
    evidence.process(hop.data(), features);
    voiced += scorer.push(features, scores) >= 0.5f ? 1 : 0;
  }
  CHECK(voiced < 40);
}
