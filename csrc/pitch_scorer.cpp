#include "pitch_scorer.h"

#include <algorithm>
#include <cmath>

namespace edge_ser {
namespace {

using G = PitchGeometry;

constexpr int kTaps = 6;
constexpr double kPi = 3.14159265358979323846;

// Position of a lag within a band's features: even lags first, then odd ones.
int position(int lag) { return lag % 2 == 0 ? lag / 2 - 1 : G::kLags / 2 + (lag - 1) / 2; }

// Correlation at a state's period, interpolated by a windowed sinc between whole lags.
struct Interpolation {
  std::array<std::array<float, kTaps>, PitchGrid::kStates> weights;
  std::array<std::array<int, kTaps>, PitchGrid::kStates> positions;
};

const Interpolation& shared_interpolation() {
  static const Interpolation table = [] {
    Interpolation t;
    for (int k = 0; k < PitchGrid::kStates; ++k) {
      const double lag =
          G::kSampleRate / static_cast<double>(G::kDecimation) / PitchGrid::frequency(k);
      const int first = static_cast<int>(std::floor(lag)) - kTaps / 2 + 1;
      double sum = 0.0;
      std::array<double, kTaps> w;
      for (int i = 0; i < kTaps; ++i) {
        const double x = lag - (first + i);
        w[i] = (x == 0.0 ? 1.0 : std::sin(kPi * x) / (kPi * x)) *
               (0.5 + 0.5 * std::cos(kPi * x / (kTaps / 2 + 0.5)));
        if (first + i > G::kLags) w[i] = 0.0;
        sum += w[i];
      }
      for (int i = 0; i < kTaps; ++i) {
        t.weights[k][i] = static_cast<float>(w[i] / sum);
        t.positions[k][i] = position(std::clamp(first + i, 1, G::kLags));
      }
    }
    return t;
  }();
  return table;
}

}  // namespace

PitchScorer::PitchScorer() { shared_interpolation(); }

void PitchScorer::reset() {}

float PitchScorer::push(const PitchEvidence::Features& features, PitchPath::Scores& scores) {
  const Interpolation& t = shared_interpolation();
  float merged[G::kLags];
  for (int l = 0; l < G::kLags; ++l) {
    merged[l] = 0.4f * features[l] + 0.3f * features[G::kLags + l] +
                0.2f * features[2 * G::kLags + l] + 0.1f * features[3 * G::kLags + l];
  }
  float best = -1.0f;
  for (int k = 0; k < PitchGrid::kStates; ++k) {
    float r = 0.0f;
    for (int i = 0; i < kTaps; ++i) r += t.weights[k][i] * merged[t.positions[k][i]];
    best = std::max(best, r);
    // A period's multiples correlate as well as the period: the higher pitch is preferred.
    scores[k] = 10.0f * (r + 0.03f * static_cast<float>(k) / PitchGrid::kStatesPerOctave);
  }
  return 1.0f / (1.0f + std::exp(-16.0f * (best - 0.5f)));
}

}  // namespace edge_ser
