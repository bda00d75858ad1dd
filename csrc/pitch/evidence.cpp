#include "pitch/evidence.h"

#include <algorithm>
#include <cmath>

#include "simd/vector_clones.h"

namespace edge_ser {
namespace {

using G = PitchGeometry;

constexpr int kTaps = 128;         // of a decimating band filter; the last one is zero
constexpr int kCarrierTaps = 68;   // of the band whose envelope is taken, 16 kHz -> 8 kHz
constexpr int kEnvelopeTaps = 32;  // of the envelope's own filter, 8 kHz -> 4 kHz
constexpr int kHalf = G::kLags / 2;
constexpr int kBlocks = 3;  // 10 ms blocks in a frame
constexpr double kPi = 3.14159265358979323846;

// Energies are floored at -120 dB of full scale, so digital silence is "no
// correlation" and not 0/0.
constexpr float kSilentPower = 1e-12f;

// Hann-windowed sinc low-pass with the given number of non-zero (odd) taps,
// unit gain at 0 Hz.
void design_low_pass(double cutoff_hz, double rate_hz, int odd_taps, double* taps) {
  const int centre = odd_taps / 2;
  double sum = 0.0;
  for (int t = 0; t < odd_taps; ++t) {
    const double x = t - centre;
    const double sinc = x == 0.0 ? 2.0 * cutoff_hz / rate_hz
                                 : std::sin(2.0 * kPi * cutoff_hz / rate_hz * x) / (kPi * x);
    const double window = 0.5 + 0.5 * std::cos(2.0 * kPi * x / (odd_taps + 1));
    taps[t] = sinc * window;
    sum += taps[t];
  }
  for (int t = 0; t < odd_taps; ++t) taps[t] /= sum;
}

// Difference of two low-passes of one length: exactly no gain at 0 Hz, so an
// offset never enters.
template <int kLength>
std::array<float, kLength> design_band_pass(double low_hz, double high_hz, double rate_hz,
                                            int odd_taps, int delay) {
  std::array<double, kLength> high{};
  std::array<double, kLength> low{};
  design_low_pass(high_hz, rate_hz, odd_taps, high.data() + delay);
  design_low_pass(low_hz, rate_hz, odd_taps, low.data() + delay);
  std::array<float, kLength> taps{};
  for (int t = 0; t < kLength; ++t) taps[t] = static_cast<float>(high[t] - low[t]);
  return taps;
}

struct Filters {
  std::array<std::array<float, kTaps>, 4> bands;
  std::array<float, kCarrierTaps> carrier;
  std::array<float, kEnvelopeTaps> envelope;
};

const Filters& shared_filters() {
  static const Filters filters = [] {
    Filters f;
    constexpr double rate = G::kSampleRate;
    f.bands[0] = design_band_pass<kTaps>(60, 1750, rate, kTaps - 1, 0);
    f.bands[1] = design_band_pass<kTaps>(60, 700, rate, kTaps - 1, 0);
    f.bands[2] = design_band_pass<kTaps>(600, 1250, rate, kTaps - 1, 0);
    f.bands[3] = design_band_pass<kTaps>(1150, 1850, rate, kTaps - 1, 0);
    // Together the two stages delay as much as the one stage of the other bands
    // (to 2 samples).
    f.carrier = design_band_pass<kCarrierTaps>(1900, 3700, rate, 63, 4);
    f.envelope = design_band_pass<kEnvelopeTaps>(70, 900, rate / 2, kEnvelopeTaps - 1, 0);
    return f;
  }();
  return filters;
}

// out[i] = sum over t of taps[t] * x[4 i + t], where phase[p][n] = x[4 n + p].
template <std::size_t kTapCount>
[[gnu::always_inline]] inline void filter_by_four(const std::array<float, kTapCount>& taps,
                                                  const float* phase0, const float* phase1,
                                                  const float* phase2, const float* phase3,
                                                  float* out) {
  static_assert(kTapCount % 4 == 0);
  float sum[G::kLowHop] = {};
  for (std::size_t t = 0; t < kTapCount; t += 4) {
    const float* p0 = phase0 + t / 4;
    const float* p1 = phase1 + t / 4;
    const float* p2 = phase2 + t / 4;
    const float* p3 = phase3 + t / 4;
    const float a = taps[t], b = taps[t + 1], c = taps[t + 2], d = taps[t + 3];
    for (int i = 0; i < G::kLowHop; ++i)
      sum[i] += (a * p0[i] + b * p1[i]) + (c * p2[i] + d * p3[i]);
  }
  std::copy(sum, sum + G::kLowHop, out);
}

}  // namespace

PitchEvidence::PitchEvidence() {
  shared_filters();
  reset();
}

void PitchEvidence::reset() {
  for (auto& p : phases_) p.fill(0.0f);
  for (auto& r : rectified_) r.fill(0.0f);
  for (Band& b : bands_) {
    b.signal.fill(0.0f);
    b.reversed.fill(0.0f);
    b.energy40.fill(0.0f);
    for (auto& p : b.products) p.fill(0.0f);
  }
  for (auto& w : wide_energy_) w.fill(0.0f);
  last_sample_ = 0.0f;
  floor_db_.fill(0.0f);
  peak_db_.fill(0.0f);
  warm_up_ = kWarmUp;
}

EDGE_SER_VECTOR_CLONES
void PitchEvidence::process(const float* hop, Features& features) {
  for (int p = 0; p < G::kDecimation; ++p) {
    auto& phase = phases_[p];
    std::copy(phase.begin() + G::kLowHop, phase.end(), phase.begin());
    for (int i = 0; i < G::kLowHop; ++i) phase[kPhaseHistory + i] = hop[G::kDecimation * i + p];
  }
  float energy[8] = {};
  float change[8] = {};
  float previous[G::kHop];
  previous[0] = last_sample_;
  std::copy(hop, hop + G::kHop - 1, previous + 1);
  last_sample_ = hop[G::kHop - 1];
  for (int i = 0; i < G::kHop; i += 8) {
    for (int k = 0; k < 8; ++k) {
      const float d = hop[i + k] - previous[i + k];
      energy[k] += hop[i + k] * hop[i + k];
      change[k] += d * d;
    }
  }
  for (auto& w : wide_energy_) std::copy(w.begin() + 1, w.end(), w.begin());
  float sums[2] = {};
  for (int k = 0; k < 8; ++k) {
    sums[0] += energy[k];
    sums[1] += change[k];
  }
  for (int k = 0; k < 2; ++k) wide_energy_[k][7] = sums[k] / G::kHop;

  filter_bands();
  float level30[G::kLevels];
  float level10[G::kLevels];
  float* nccf = features.data();
  for (int b = 0; b < G::kBands; ++b) {
    correlate(bands_[b], G::kBandLags[b] == G::kLags, nccf, level30[b], level10[b]);
    nccf += G::kBandLags[b];
  }
  for (int k = 0; k < 2; ++k) {  // the hop nearest the frame's centre is the third newest
    const auto& w = wide_energy_[k];
    level10[G::kBands + k] = w[5];
    level30[G::kBands + k] = (w[4] + w[5] + w[6]) / 3.0f;
  }
  add_levels(level30, level10, features.data() + G::kCorrelations);
}

EDGE_SER_VECTOR_CLONES
void PitchEvidence::filter_bands() {
  const Filters& f = shared_filters();
  float fresh[G::kLowHop];
  const float* p[4];
  for (int k = 0; k < 4; ++k) p[k] = phases_[k].data();
  for (int b = 0; b < 4; ++b) {
    filter_by_four(f.bands[b], p[0], p[1], p[2], p[3], fresh);
    push_band(bands_[b], fresh, G::kBandLags[b] == G::kLags);
  }
  // The envelope of 1.9 to 3.7 kHz: where harmonics are too close together or
  // too weak to be told apart, their beats still repeat at the period. Two
  // interleaved decimations by four give 8 kHz; the second starts two samples
  // later, that is with the phases in the order 2, 3, 0, 1.
  constexpr int start = (kTaps - kCarrierTaps) / 4 - 1;
  float even[G::kLowHop];
  float odd[G::kLowHop];
  filter_by_four(f.carrier, p[0] + start, p[1] + start, p[2] + start, p[3] + start, even);
  filter_by_four(f.carrier, p[2] + start, p[3] + start, p[0] + start + 1, p[1] + start + 1, odd);
  for (auto& r : rectified_) std::copy(r.begin() + G::kLowHop, r.end(), r.begin());
  for (int i = 0; i < G::kLowHop; ++i) {
    rectified_[0][kRectifiedHistory + i] = std::fabs(even[i]);
    rectified_[1][kRectifiedHistory + i] = std::fabs(odd[i]);
  }
  float sum[G::kLowHop] = {};
  for (int t = 0; t < kEnvelopeTaps; t += 2) {
    const float* r0 = rectified_[0].data() + t / 2;
    const float* r1 = rectified_[1].data() + t / 2;
    const float a = f.envelope[t], b = f.envelope[t + 1];
    for (int i = 0; i < G::kLowHop; ++i) sum[i] += a * r0[i] + b * r1[i];
  }
  push_band(bands_[4], sum, G::kBandLags[4] == G::kLags);
}

EDGE_SER_VECTOR_CLONES
void PitchEvidence::push_band(Band& band, const float* fresh, bool odd_lags) {
  constexpr int keep = kLowLength - G::kLowHop;
  auto& x = band.signal;
  auto& r = band.reversed;
  std::copy(x.begin() + G::kLowHop, x.end(), x.begin());
  std::copy(fresh, fresh + G::kLowHop, x.begin() + keep);
  std::copy_backward(r.begin(), r.begin() + keep, r.end());
  for (int i = 0; i < G::kLowHop; ++i) r[i] = fresh[G::kLowHop - 1 - i];

  // Sums of 40 squares, as a tree: no running difference, hence no cancellation
  // after a loud part.
  auto& e = band.energy40;
  std::copy(e.begin() + G::kLowHop, e.end(), e.begin());
  constexpr int first = kLowLength - 2 * G::kLowHop + 1;  // of the 40 new sums
  float s[2 * G::kLowHop];
  const float* from = x.data() + first;
  constexpr int count = 2 * G::kLowHop - 1;
  for (int i = 0; i < count; ++i) s[i] = from[i] * from[i];
  s[count] = 0.0f;
  for (int width = 1; width < 8; width *= 2)
    for (int i = 0; i + width < count; ++i) s[i] += s[i + width];
  for (int i = 0; i < G::kLowHop; ++i)
    e[first + i] = ((s[i] + s[i + 8]) + (s[i + 16] + s[i + 24])) + s[i + 32];

  // Products of the block that has just got its last neighbours.
  auto& blocks = band.products;
  for (int k = 0; k + 1 < kBlocks; ++k) blocks[k] = blocks[k + 1];
  auto& p = blocks[kBlocks - 1];
  p.fill(0.0f);
  constexpr int begin = kLowLength - 2 * G::kLowHop;
  for (int n = begin; n < begin + G::kLowHop; n += 4) {
    const float* back = r.data() + (kLowLength - 1 - n);  // back[j] is x[n - j]
    const float* ahead = x.data() + n;
    float* even = p.data();
    for (int j = 0; j < kHalf; ++j) {
      even[j] += (back[j + 1] * ahead[j + 1] + back[j] * ahead[j + 2]) +
                 (back[j - 1] * ahead[j + 3] + back[j - 2] * ahead[j + 4]);
    }
    if (!odd_lags) continue;
    float* odd = p.data() + kHalf;
    for (int j = 0; j < kHalf; ++j) {
      odd[j] += (back[j] * ahead[j + 1] + back[j - 1] * ahead[j + 2]) +
                (back[j - 2] * ahead[j + 3] + back[j - 3] * ahead[j + 4]);
    }
  }
}

EDGE_SER_VECTOR_CLONES
void PitchEvidence::correlate(const Band& band, bool odd_lags, float* nccf, float& level30,
                              float& level10) {
  // Energies of the two 30 ms segments that a lag compares: they begin `j`
  // samples before, and `j` (even lags) or `j + 1` (odd lags) samples after,
  // the segment at the frame's centre.
  constexpr int begin = kLowLength / 2 - kBlocks * G::kLowHop / 2;
  float energy[2 * kHalf + 1];
  for (int i = 0; i <= 2 * kHalf; ++i)
    energy[i] =
        (band.energy40[i] + band.energy40[i + G::kLowHop]) + band.energy40[i + 2 * G::kLowHop];
  static_assert(begin == kHalf);
  float before[kHalf + 1];
  for (int j = 0; j <= kHalf; ++j) before[j] = energy[begin - j];
  const float* after = energy + begin;
  constexpr float floor = kSilentPower * kBlocks * G::kLowHop;
  const auto& b = band.products;
  for (int j = 0; j < kHalf; ++j) {
    const float even = b[0][j] + b[1][j] + b[2][j];
    nccf[j] = even / std::sqrt((before[j + 1] + floor) * (after[j + 1] + floor));
  }
  for (int j = 0; odd_lags && j < kHalf; ++j) {
    const float odd = b[0][kHalf + j] + b[1][kHalf + j] + b[2][kHalf + j];
    nccf[kHalf + j] = odd / std::sqrt((before[j] + floor) * (after[j + 1] + floor));
  }
  level30 = after[0] / (kBlocks * G::kLowHop);
  level10 = band.energy40[begin + G::kLowHop] / G::kLowHop;
}

void PitchEvidence::add_levels(const float* level30, const float* level10, float* out) {
  constexpr float decay = 0.005f;  // of the distance a frame: the peak forgets in 2 s
  // Frames centred before the stream, or on its first samples, say nothing of
  // its levels.
  const bool starting = warm_up_ > 0;
  if (starting) --warm_up_;
  const float wide = 10.0f * std::log10(level30[0] + kSilentPower);
  for (int k = 0; k < G::kLevels; ++k) {
    const float slow = 10.0f * std::log10(level30[k] + kSilentPower);
    const float fast = 10.0f * std::log10(level10[k] + kSilentPower);
    if (starting) floor_db_[k] = peak_db_[k] = slow;
    // The floor follows down at once and up slowly: about 3 dB a second when 20
    // dB below.
    const float above = slow - floor_db_[k];
    floor_db_[k] += above < 0.0f ? 0.3f * above : std::min(above, 0.01f + 0.001f * above);
    peak_db_[k] += (slow > peak_db_[k] ? 0.5f : decay) * (slow - peak_db_[k]);
    out[k] = std::min((slow - floor_db_[k]) / 20.0f, 3.0f);
    out[G::kLevels + k] = std::max((slow - peak_db_[k]) / 20.0f, -3.0f);
    out[2 * G::kLevels + k] = std::clamp((fast - slow) / 20.0f, -2.0f, 2.0f);
    out[3 * G::kLevels + k] = std::clamp((slow - wide) / 20.0f, -3.0f, 3.0f);
  }
}

}  // namespace edge_ser
