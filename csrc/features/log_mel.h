// Log-mel spectrograms.
#pragma once

#include <memory>
#include <vector>

#include "base/options.h"
#include "features/fft.h"
#include "features/frame_kernel.h"
#include "features/mel_filterbank.h"

namespace edge_ser {

struct MelOptions {
  int sample_rate = 16000;
  int frame_length = 400;
  int hop_length = 160;
  int fft_length = 512;
  Framing framing = Framing::snipped;
  bool drop_last_frame = false;
  double sample_scale = 1.0;
  bool remove_dc = false;
  double preemphasis = 0.0;
  WindowKind window = WindowKind::hann;
  bool periodic_window = true;
  SpectrumKind spectrum = SpectrumKind::power;
  int num_mels = 40;
  double low_hz = 20.0;
  double high_hz = 8000.0;
  MelScale mel_scale = MelScale::htk;
  MelNorm mel_norm = MelNorm::none;
  LogKind log = LogKind::natural;
  double floor = 1e-10;

  /// What Kaldi's compute-fbank-feats does by default, without dither: samples on the scale of
  /// 16-bit integers, 23 bands.
  static MelOptions kaldi();
  /// librosa.feature.melspectrogram with center=True and zero padding, then power_to_db with
  /// top_db=None (a limit below the clip's maximum cannot be streamed); 40 bands at 16 kHz.
  static MelOptions librosa();
  /// The log10-mel of OpenAI Whisper before its clip normalisation (whisper.h); 80 bands.
  static MelOptions whisper();

  void validate() const;
  bool operator==(const MelOptions&) const = default;

  template <class Options, class Visit>
  static void fields(Options&& o, Visit&& visit) {
    visit("sample_rate", o.sample_rate, "Hz, 1000 to 384000");
    visit("frame_length", o.frame_length, "samples of a frame, at most fft_length");
    visit("hop_length", o.hop_length, "samples from one frame to the next");
    visit("fft_length", o.fft_length,
          "points of the Fourier transform: even, its half a product of 2, 3 and 5");
    visit("framing", o.framing,
          "'snipped': frame i starts at i * hop_length, only whole frames; 'centred-reflect', "
          "'centred-zero': its middle is there, and the clip is mirrored or zero outside");
    visit("drop_last_frame", o.drop_last_frame, "leave out the last frame of a clip (Whisper)");
    visit("sample_scale", o.sample_scale, "factor on every sample; 32768 for Kaldi's scale");
    visit("remove_dc", o.remove_dc, "subtract the mean of the frame");
    visit("preemphasis", o.preemphasis, "x[i] - preemphasis * x[i - 1] within the frame, 0 to 1");
    visit("window", o.window, "window function; 'povey' is hann to the power 0.85");
    visit("periodic_window", o.periodic_window, "period frame_length instead of frame_length - 1");
    visit("spectrum", o.spectrum, "squared magnitude or magnitude");
    visit("num_mels", o.num_mels, "bands, 1 to 512");
    visit("low_hz", o.low_hz, "lower edge of the first band");
    visit("high_hz", o.high_hz, "upper edge of the last band, at most sample_rate / 2");
    visit("mel_scale", o.mel_scale,
          "'htk' and 'slaney' as in librosa; 'kaldi' has triangles that are straight over mel");
    visit("mel_norm", o.mel_norm, "'slaney' gives every band the same area");
    visit("log", o.log, "kind of logarithm; 'db' is 10 log10, 'none' the band's sum itself");
    visit("floor", o.floor, "sums below this count as this, at least 1.2e-38");
  }
};

/// Window, Fourier transform and power of one frame: what log-mel and MFCC begin with.
class FrameSpectrum {
 public:
  FrameSpectrum(const MelOptions& options, SimdLevel level);
  /// Power of bins 0..fft_length / 2 (or their magnitude, if the options say so), with zeros behind
  /// them. Valid until the next call. `energy`, if given, gets the sum of squares of the frame
  /// after `remove_dc`, before pre-emphasis and window.
  const float* apply(const float* frame, float* energy = nullptr);
  std::size_t bins() const { return fft_.bins(); }
  FrameLayout layout() const { return layout_; }
  const SimdOps& ops() const { return fft_.ops(); }

 private:
  FrameLayout layout_;
  bool remove_dc_;
  float preemphasis_;
  SpectrumKind kind_;
  std::shared_ptr<const std::vector<float>> weights_;
  RealFft fft_;
  std::vector<float> power_;
};

class LogMelTransform {
 public:
  LogMelTransform(const MelOptions& options, SimdLevel level);
  FrameLayout layout() const { return spectrum_.layout(); }
  std::size_t dim() const { return filterbank_->bands(); }
  void apply(const float* frame, float* out);
  void reset() {}
  /// The frame's bands, with room for a whole vector behind them; see FrameSpectrum::apply.
  const float* bands(const float* frame, float* energy);
  const SimdOps& ops() const { return spectrum_.ops(); }

 private:
  FrameSpectrum spectrum_;
  std::shared_ptr<const MelFilterbank> filterbank_;
  bool take_log_;
  float floor_;
  float scale_;
  std::vector<float> bands_;
};

/// Log-mel frames, float32. Against float64 the relative error, |a - b| / max(1, |b|), is below
/// 1e-4 for bands within 80 dB of the strongest band of the frame, and below 2e-3 for fainter ones,
/// where rounding the samples to float32 is felt (log_mel_test.cpp).
using LogMel = FrameKernel<MelOptions, LogMelTransform>;

}  // namespace edge_ser
