#include "pitch_scorer.h"

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

TEST_CASE("a pulse train is voiced, at its own pitch") {
  for (const int period : {40, 64, 100, 160, 240}) {
    CAPTURE(period);
    const Judged j = judge([=](int n) { return n % period == 0 ? 0.5 : 0.0; });
    CHECK(j.voicing > 0.9f);
    CHECK(std::fabs(std::log2(j.best_hz * period / 16000.0)) < 0.06);
  }
}

TEST_CASE("noise and silence are unvoiced") {
  std::mt19937 random(3);
  std::normal_distribution<double> noise;
  CHECK(judge([&](int) { return 0.1 * noise(random); }).voicing < 0.3f);
  CHECK(judge([](int) { return 0.0; }).voicing < 0.3f);
}
