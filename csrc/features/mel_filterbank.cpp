#include "features/mel_filterbank.h"

#include <algorithm>
#include <cmath>

namespace edge_ser {

namespace {

// Slaney's scale: 200/3 Hz a mel up to 1 kHz (15 mel), then 27 mel for each factor of 6.4.
constexpr double kSlaneyStep = 200.0 / 3.0;
constexpr double kSlaneyBreak = 1000.0;
constexpr double kSlaneyBreakMel = kSlaneyBreak / kSlaneyStep;
const double kSlaneyLog = std::log(6.4) / 27.0;

}  // namespace

double hz_to_mel(double hz, MelScale scale) {
  switch (scale) {
    case MelScale::htk:
      return 2595.0 * std::log10(1.0 + hz / 700.0);
    case MelScale::kaldi:
      return 1127.0 * std::log(1.0 + hz / 700.0);
    default:
      return hz < kSlaneyBreak ? hz / kSlaneyStep
                               : kSlaneyBreakMel + std::log(hz / kSlaneyBreak) / kSlaneyLog;
  }
}

double mel_to_hz(double mel, MelScale scale) {
  switch (scale) {
    case MelScale::htk:
      return 700.0 * (std::pow(10.0, mel / 2595.0) - 1.0);
    case MelScale::kaldi:
      return 700.0 * (std::exp(mel / 1127.0) - 1.0);
    default:
      return mel < kSlaneyBreakMel ? mel * kSlaneyStep
                                   : kSlaneyBreak * std::exp((mel - kSlaneyBreakMel) * kSlaneyLog);
  }
}

MelFilterbank::MelFilterbank(std::size_t bands, std::size_t fft_length, double sample_rate,
                             double low_hz, double high_hz, MelScale scale, MelNorm norm)
    : bands_(bands) {
  const std::size_t bins = fft_length / 2 + 1;
  const double low = hz_to_mel(low_hz, scale), high = hz_to_mel(high_hz, scale);
  const auto edge = [&](std::size_t i) {
    return low + (high - low) * static_cast<double>(i) / static_cast<double>(bands + 1);
  };
  // Kaldi's triangles are straight over mel, the others over Hz.
  const bool over_mel = scale == MelScale::kaldi;
  const auto position = [&](double hz) { return over_mel ? hz_to_mel(hz, scale) : hz; };
  const auto corner = [&](std::size_t i) { return over_mel ? edge(i) : mel_to_hz(edge(i), scale); };
  const std::size_t padded = (bands + 7) / 8 * 8;
  offset_.push_back(0);
  for (std::size_t band = 0; band < padded; ++band) {
    std::uint32_t first = 0;
    if (band < bands) {
      const double left = corner(band), centre = corner(band + 1), right = corner(band + 2);
      double gain = 1.0;
      if (norm == MelNorm::slaney) {
        gain = 2.0 / (mel_to_hz(edge(band + 2), scale) - mel_to_hz(edge(band), scale));
      }
      bool any = false;
      for (std::size_t bin = 0; bin < bins; ++bin) {
        const double hz = sample_rate * static_cast<double>(bin) / static_cast<double>(fft_length);
        const double at = position(hz);
        const double up = (at - left) / (centre - left), down = (right - at) / (right - centre);
        const double weight = gain * std::min(up, down);
        if (!(weight > 0.0)) continue;
        if (!any) first = static_cast<std::uint32_t>(bin);
        any = true;
        weights_.push_back(static_cast<float>(weight));
      }
      weights_.resize((weights_.size() + 7) / 8 * 8);
    }
    start_.push_back(first);
    offset_.push_back(static_cast<std::uint32_t>(weights_.size()));
  }
  weights_.resize(weights_.size() + kSimdSlack);
  matrix_ = {padded, start_.data(), offset_.data(), weights_.data()};
}

float MelFilterbank::weight(std::size_t band, std::size_t bin) const {
  const std::size_t begin = offset_[band], count = offset_[band + 1] - begin;
  if (bin < start_[band] || bin >= start_[band] + count) return 0.0f;
  return weights_[begin + bin - start_[band]];
}

}  // namespace edge_ser
