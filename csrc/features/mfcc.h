// Mel-frequency cepstral coefficients.
#pragma once

#include <memory>
#include <vector>

#include "features/log_mel.h"

namespace edge_ser {

struct MfccOptions {
  MelOptions mel;
  int num_ceps = 13;
  double lifter = 0.0;
  bool energy_as_c0 = false;

  /// Kaldi's compute-mfcc-feats by default, without dither: 23 bands, lifter 22, log-energy as c0.
  static MfccOptions kaldi();
  /// librosa.feature.mfcc of MelOptions::librosa.
  static MfccOptions librosa();

  void validate() const;
  bool operator==(const MfccOptions&) const = default;

  template <class Options, class Visit>
  static void fields(Options&& o, Visit&& visit) {
    visit("mel", o.mel, "the log-mel spectrogram that the cosine transform is taken of");
    visit("num_ceps", o.num_ceps, "coefficients, 1 to mel.num_mels");
    visit("lifter", o.lifter,
          "HTK's L: coefficient n is multiplied by 1 + L / 2 * sin(pi n / L); 0 for none");
    visit("energy_as_c0", o.energy_as_c0,
          "put the log-energy of the frame (after remove_dc, before pre-emphasis and window) in "
          "place of coefficient 0");
  }
};

/// Orthonormal DCT-II of log-mel bands (Davis and Mermelstein, 1980).
class MfccTransform {
 public:
  MfccTransform(const MfccOptions& options, SimdLevel level);
  FrameLayout layout() const { return log_mel_.layout(); }
  std::size_t dim() const { return num_ceps_; }
  void apply(const float* frame, float* out);
  void reset() {}

 private:
  LogMelTransform log_mel_;
  std::size_t num_ceps_;
  std::size_t stride_;
  bool energy_as_c0_;
  float floor_;
  float scale_;
  std::shared_ptr<const std::vector<float>> cosines_;
  std::vector<float> cepstrum_;
};

using Mfcc = FrameKernel<MfccOptions, MfccTransform>;

}  // namespace edge_ser
