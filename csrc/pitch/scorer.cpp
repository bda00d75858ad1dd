#include "pitch/scorer.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "simd/vector_clones.h"

namespace edge_ser {
namespace {

constexpr int kFeatures = PitchGeometry::kFeatures;
constexpr float kCorrelationGain = 20.0f;  // chosen, with the next two, on tuning seeds
constexpr float kOctavePreference = 0.03f;
constexpr float kNetworkGain = 1.0f;
constexpr int kOutputs = (PitchGrid::kStates + 1 + 7) / 8 * 8;  // a whole number of vectors

// Inputs by outputs: an output is a lane, so that sums need no reduction and no
// reordering.
template <int kIn, int kOut>
struct Dense {
  alignas(64) std::array<float, static_cast<std::size_t>(kIn) * kOut> weights;
  alignas(64) std::array<float, kOut> bias;
};

// sum[o] += weights[i][o] * in[i]
template <int kIn, int kOut>
[[gnu::always_inline]] inline void add_product(const Dense<kIn, kOut>& layer, const float* in,
                                               float* sum) {
  static_assert(kIn % 4 == 0 && kOut % 8 == 0);
  for (int i = 0; i < kIn; i += 4) {
    const float* w = layer.weights.data() + static_cast<std::ptrdiff_t>(i) * kOut;
    const float a = in[i], b = in[i + 1], c = in[i + 2], d = in[i + 3];
    for (int o = 0; o < kOut; ++o) {
      sum[o] += (a * w[o] + b * w[kOut + o]) + (c * w[2 * kOut + o] + d * w[3 * kOut + o]);
    }
  }
}

// The fitted numbers: for each layer and output a float scale and 8-bit
// weights, in hexadecimal.
constexpr std::string_view kText =
#include "pitch/weights.inc"
    ;

constexpr double kPi = 3.14159265358979323846;

// Interpolates a correlation known at every `step`-th lag, from `step` on, to a
// state's period.
template <int kIn>
void add_interpolation(Dense<kIn, kOutputs>& layer, int first_input, int step, double gain) {
  constexpr int reach = 3;
  const double rate = PitchGeometry::kSampleRate / static_cast<double>(PitchGeometry::kDecimation);
  const int known = PitchGeometry::kLags / step;
  for (int state = 0; state < PitchGrid::kStates; ++state) {
    const double place = rate / PitchGrid::frequency(state) / step;
    const int nearest = static_cast<int>(std::floor(place));
    std::array<double, 2 * reach> tap;
    double sum = 0.0;
    for (int i = 0; i < 2 * reach; ++i) {
      const int at = nearest - reach + 1 + i;
      const double x = place - at;
      const double sinc = std::fabs(x) < 1e-9 ? 1.0 : std::sin(kPi * x) / (kPi * x);
      tap[i] = at < 1 || at > known ? 0.0 : sinc * (0.5 + 0.5 * std::cos(kPi * x / (reach + 0.5)));
      sum += tap[i];
    }
    for (int i = 0; i < 2 * reach; ++i) {
      const int at = nearest - reach + 1 + i;
      if (at < 1 || at > known) continue;
      const int lag = at * step;
      // Even lags come first, then odd ones.
      const int place_in_band =
          lag % 2 == 0 ? lag / 2 - 1 : PitchGeometry::kLags / 2 + (lag - 1) / 2;
      layer.weights[static_cast<std::size_t>(first_input + place_in_band) * kOutputs +
                    static_cast<std::size_t>(state)] += static_cast<float>(gain * tap[i] / sum);
    }
  }
}

class Reader {
 public:
  template <int kIn, int kOut>
  void dense(Dense<kIn, kOut>& layer, int outputs, bool with_bias) {
    layer.weights.fill(0.0f);
    layer.bias.fill(0.0f);
    for (int o = 0; o < outputs; ++o) {
      const float scale = number();
      if (with_bias) layer.bias[static_cast<std::size_t>(o)] = number();
      for (int i = 0; i < kIn; ++i) {
        layer.weights[static_cast<std::size_t>(i) * kOut + static_cast<std::size_t>(o)] =
            scale * static_cast<float>(static_cast<std::int8_t>(bits(2)));
      }
    }
  }

 private:
  std::uint32_t bits(int digits) {
    std::uint32_t value = 0;
    for (int k = 0; k < digits; ++k) {
      const char c = kText[at_++];
      value = value * 16 + static_cast<std::uint32_t>(c <= '9' ? c - '0' : c - 'a' + 10);
    }
    return value;
  }
  float number() { return std::bit_cast<float>(bits(8)); }

  std::size_t at_ = 0;
};

}  // namespace

struct PitchScorer::Weights {
  Dense<kMerged, kOutputs> correlation;
  Dense<kFeatures, kHidden> frame;
  Dense<kHidden, kProjected> project;
  Dense<kFrames * kProjected, kHidden> context;
  Dense<kHidden, kHidden> skip;
  Dense<kHidden, kOutputs> read_out;
};

const PitchScorer::Weights& PitchScorer::shared_weights() {
  static const Weights weights = [] {
    Weights w;
    w.correlation.weights.fill(0.0f);
    w.correlation.bias.fill(0.0f);
    add_interpolation(w.correlation, 0, 1, kCorrelationGain);
    add_interpolation(w.correlation, PitchGeometry::kLags, 2, kCorrelationGain);
    // A period's multiples correlate as well as the period: the higher pitch is
    // preferred.
    for (int k = 0; k < PitchGrid::kStates; ++k) {
      w.correlation.bias[static_cast<std::size_t>(k)] = kCorrelationGain * kOctavePreference *
                                                        static_cast<float>(k) /
                                                        PitchGrid::kStatesPerOctave;
    }
    Reader reader;
    reader.dense(w.frame, kHidden, true);
    reader.dense(w.project, kProjected, true);
    reader.dense(w.context, kHidden, true);
    reader.dense(w.skip, kHidden, false);
    reader.dense(w.read_out, PitchGrid::kStates + 1, true);
    return w;
  }();
  return weights;
}

PitchScorer::PitchScorer() {
  shared_weights();
  reset();
}

void PitchScorer::reset() {
  for (auto& m : merged_) m.fill(0.0f);
  for (auto& h : hidden_) h.fill(0.0f);
  for (auto& p : projected_) p.fill(0.0f);
}

EDGE_SER_VECTOR_CLONES
void PitchScorer::merge_bands(const PitchEvidence::Features& features) {
  constexpr int lags = PitchGeometry::kLags;
  const float* wide = features.data();
  const float* low = wide + lags;
  const float* middle = low + lags / 2;
  const float* high = middle + lags;
  std::copy(merged_.begin() + 1, merged_.end(), merged_.begin());
  float* merged = merged_.back().data();
  for (int i = 0; i < lags; ++i) merged[i] = 0.4f * wide[i] + 0.2f * middle[i] + 0.1f * high[i];
  for (int i = 0; i < lags / 2; ++i) merged[lags + i] = 0.3f * low[i];
}

EDGE_SER_VECTOR_CLONES
float PitchScorer::push(const PitchEvidence::Features& features, PitchPath::Scores& scores) {
  const Weights& w = shared_weights();
  merge_bands(features);
  std::copy(hidden_.begin() + 1, hidden_.end(), hidden_.begin());
  std::array<float, kHidden>& newest = hidden_.back();
  newest = w.frame.bias;
  add_product(w.frame, features.data(), newest.data());
  for (float& v : newest) v = std::max(v, 0.0f);

  std::copy(projected_.begin() + 1, projected_.end(), projected_.begin());
  projected_.back() = w.project.bias;
  add_product(w.project, newest.data(), projected_.back().data());

  std::array<float, kHidden> context = w.context.bias;
  add_product(w.context, projected_.front().data(), context.data());
  add_product(w.skip, hidden_.front().data(), context.data());
  for (float& v : context) v = std::max(v, 0.0f);

  std::array<float, kOutputs> out = w.read_out.bias;
  add_product(w.read_out, context.data(), out.data());
  std::array<float, kOutputs> correlation = w.correlation.bias;
  add_product(w.correlation, merged_.front().data(), correlation.data());
  for (int k = 0; k < PitchGrid::kStates; ++k) {
    scores[k] = kNetworkGain * out[k] + correlation[k];
  }
  return 1.0f / (1.0f + std::exp(-out[PitchGrid::kStates]));
}

}  // namespace edge_ser
