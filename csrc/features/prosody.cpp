#include "features/prosody.h"

#include <algorithm>
#include <cmath>

namespace edge_ser {

namespace {

MelOptions spectrum_options(const ProsodyOptions& options) {
  MelOptions mel;
  mel.sample_rate = options.sample_rate;
  mel.frame_length = options.frame_length;
  mel.hop_length = options.hop_length;
  mel.fft_length = options.fft_length;
  mel.framing = options.framing;
  mel.remove_dc = options.remove_dc;
  mel.floor = options.floor;
  mel.low_hz = 0.0;
  mel.high_hz = 0.5 * options.sample_rate;
  return mel;
}

}  // namespace

void ProsodyOptions::validate() const { spectrum_options(*this).validate(); }

ProsodyTransform::ProsodyTransform(const ProsodyOptions& options, SimdLevel level)
    : spectrum_(spectrum_options(options), level),
      remove_dc_(options.remove_dc),
      floor_(static_cast<float>(options.floor)),
      bin_hz_(static_cast<float>(options.sample_rate) / static_cast<float>(options.fft_length)),
      magnitude_(spectrum_.bins() + 2 * kSimdSlack) {}

void ProsodyTransform::reset() {
  first_ = true;
  std::fill(magnitude_.begin(), magnitude_.end(), 0.0f);
}

void ProsodyTransform::apply(const float* frame, float* out) {
  const SimdOps& simd = spectrum_.ops();
  const std::size_t length = layout().frame_length;
  float energy[kSimdSlack] = {};
  const float* power = spectrum_.apply(frame, energy);
  const SpectralSums sums = simd.spectral_sums(power, spectrum_.bins(), magnitude_.data());
  const float mean = remove_dc_ ? simd.sum(frame, length) / static_cast<float>(length) : 0.0f;
  const bool silent = !(energy[0] >= floor_) || !(sums.power > 0.0f);
  out[1] =
      static_cast<float>(simd.sign_changes(frame, length, mean)) / static_cast<float>(length - 1);
  out[2] = silent ? 0.0f : bin_hz_ * (sums.first_moment / sums.power);
  out[3] = silent || first_ ? 0.0f : std::min(1.0f, std::sqrt(sums.rising_squared / sums.power));
  simd.scaled_log(energy, 1, floor_, 1.0f);
  out[0] = energy[0];
  first_ = false;
}

}  // namespace edge_ser
