#include "features/log_mel.h"

#include <algorithm>
#include <cmath>

#include "features/log_energy.h"
#include "features/window.h"

namespace edge_ser {

MelOptions MelOptions::kaldi() {
  MelOptions o;
  o.sample_scale = 32768.0;
  o.remove_dc = true;
  o.preemphasis = 0.97;
  o.window = WindowKind::povey;
  o.periodic_window = false;
  o.num_mels = 23;
  o.mel_scale = MelScale::kaldi;
  o.floor = 1.1920928955078125e-07;
  return o;
}

MelOptions MelOptions::librosa() {
  MelOptions o;
  o.framing = Framing::centred_zero;
  o.low_hz = 0.0;
  o.mel_scale = MelScale::slaney;
  o.mel_norm = MelNorm::slaney;
  o.log = LogKind::db;
  return o;
}

MelOptions MelOptions::whisper() {
  MelOptions o;
  o.fft_length = 400;
  o.framing = Framing::centred_reflect;
  o.drop_last_frame = true;
  o.num_mels = 80;
  o.low_hz = 0.0;
  o.mel_scale = MelScale::slaney;
  o.mel_norm = MelNorm::slaney;
  o.log = LogKind::log10;
  return o;
}

void MelOptions::validate() const {
  validate_framing(frame_length, hop_length, sample_scale);
  require(sample_rate >= 1000 && sample_rate <= 384000, "sample_rate", sample_rate,
          "1000 to 384000 Hz");
  require(fft_length >= 4 && fft_length <= kMaxFrameLength &&
              RealFft::supports(static_cast<std::size_t>(fft_length)),
          "fft_length", fft_length, "even, 4 to 65536, and its half a product of 2, 3 and 5");
  require(frame_length <= fft_length, "frame_length", frame_length, "at most fft_length");
  require(preemphasis >= 0.0 && preemphasis <= 1.0, "preemphasis", preemphasis, "0 to 1");
  require(num_mels >= 1 && num_mels <= 512, "num_mels", num_mels, "1 to 512");
  require(low_hz >= 0.0 && low_hz < high_hz, "low_hz", low_hz, "at least 0 and below high_hz");
  require(high_hz > 0.0 && high_hz <= 0.5 * sample_rate, "high_hz", high_hz,
          "above low_hz and at most half the sample rate");
  validate_floor(floor);
}

FrameSpectrum::FrameSpectrum(const MelOptions& options, SimdLevel level)
    : remove_dc_(options.remove_dc),
      preemphasis_(static_cast<float>(options.preemphasis)),
      kind_(options.spectrum),
      fft_(static_cast<std::size_t>(options.fft_length), level),
      power_(fft_.bins() + 2 * kSimdSlack) {
  const std::size_t length = static_cast<std::size_t>(options.frame_length);
  // librosa centres a short frame inside the transform, and the transform on the sample.
  const std::size_t fft_length = fft_.length();
  const std::size_t lead = fft_length / 2 - (fft_length - length) / 2;
  layout_ = {length,
             static_cast<std::size_t>(options.hop_length),
             options.framing == Framing::snipped ? 0 : lead,
             options.framing,
             options.drop_last_frame,
             static_cast<float>(options.sample_scale)};
  // Halved, because parting the even from the odd samples doubles.
  auto weights = std::make_shared<std::vector<float>>((length + 15) / 16 * 16 + kSimdSlack);
  const std::vector<double> window = make_window(options.window, length, options.periodic_window);
  std::transform(window.begin(), window.end(), weights->begin(),
                 [](double weight) { return static_cast<float>(0.5 * weight); });
  weights_ = std::move(weights);
}

const float* FrameSpectrum::apply(const float* frame, float* energy) {
  const SimdOps& simd = fft_.ops();
  const std::size_t length = layout_.frame_length;
  const float mean = remove_dc_ ? simd.sum(frame, length) / static_cast<float>(length) : 0.0f;
  if (energy != nullptr) *energy = simd.sum_squares(frame, length, mean);
  simd.cut_window({length, weights_->data(), preemphasis_}, frame, mean, fft_.buffers());
  fft_.power_of_frame(power_.data());
  if (kind_ == SpectrumKind::magnitude) simd.square_root(power_.data(), fft_.bins());
  return power_.data();
}

LogMelTransform::LogMelTransform(const MelOptions& options, SimdLevel level)
    : spectrum_(options, level),
      filterbank_(std::make_shared<const MelFilterbank>(
          static_cast<std::size_t>(options.num_mels), static_cast<std::size_t>(options.fft_length),
          options.sample_rate, options.low_hz, options.high_hz, options.mel_scale,
          options.mel_norm)),
      take_log_(options.log != LogKind::none),
      floor_(static_cast<float>(options.floor)),
      scale_(static_cast<float>(log_scale(options.log))),
      bands_(filterbank_->padded_bands() + kSimdSlack) {}

const float* LogMelTransform::bands(const float* frame, float* energy) {
  const float* spectrum = spectrum_.apply(frame, energy);
  ops().apply_bands(filterbank_->matrix(), spectrum, bands_.data());
  if (take_log_) ops().scaled_log(bands_.data(), filterbank_->padded_bands(), floor_, scale_);
  return bands_.data();
}

void LogMelTransform::apply(const float* frame, float* out) {
  const float* values = bands(frame, nullptr);
  std::copy(values, values + dim(), out);
}

}  // namespace edge_ser
