#include "features/mfcc.h"

#include <algorithm>
#include <cmath>
#include <numbers>

namespace edge_ser {

MfccOptions MfccOptions::kaldi() {
  MfccOptions o;
  o.mel = MelOptions::kaldi();
  o.lifter = 22.0;
  o.energy_as_c0 = true;
  return o;
}

MfccOptions MfccOptions::librosa() {
  MfccOptions o;
  o.mel = MelOptions::librosa();
  return o;
}

void MfccOptions::validate() const {
  mel.validate();
  require(num_ceps >= 1 && num_ceps <= mel.num_mels, "num_ceps", num_ceps,
          "1 to mel.num_mels (" + std::to_string(mel.num_mels) + ")");
  // Below 1 it would turn more than once a cepstrum, and near 0 overflow.
  require(lifter == 0.0 || (lifter >= 1.0 && lifter <= 1e6), "lifter", lifter,
          "0 (none), or 1 to 1e6");
}

MfccTransform::MfccTransform(const MfccOptions& options, SimdLevel level)
    : log_mel_(options.mel, level),
      num_ceps_(static_cast<std::size_t>(options.num_ceps)),
      stride_((num_ceps_ + 7) / 8 * 8),
      energy_as_c0_(options.energy_as_c0),
      floor_(static_cast<float>(options.mel.floor)),
      scale_(options.mel.log == LogKind::none ? 0.0f
                                              : static_cast<float>(log_scale(options.mel.log))),
      cepstrum_(stride_ + kSimdSlack) {
  const std::size_t bands = log_mel_.dim();
  auto cosines = std::make_shared<std::vector<float>>(bands * stride_);
  const double count = static_cast<double>(bands);
  for (std::size_t c = 0; c < num_ceps_; ++c) {
    const double order = static_cast<double>(c);
    double gain = std::sqrt((c == 0 ? 1.0 : 2.0) / count);
    if (options.lifter > 0.0) {
      gain *= 1.0 + 0.5 * options.lifter * std::sin(std::numbers::pi * order / options.lifter);
    }
    for (std::size_t band = 0; band < bands; ++band) {
      const double angle = std::numbers::pi / count * (static_cast<double>(band) + 0.5) * order;
      (*cosines)[band * stride_ + c] = static_cast<float>(gain * std::cos(angle));
    }
  }
  cosines_ = std::move(cosines);
}

void MfccTransform::apply(const float* frame, float* out) {
  float energy[kSimdSlack] = {};
  const float* bands = log_mel_.bands(frame, energy_as_c0_ ? energy : nullptr);
  const SimdOps& simd = log_mel_.ops();
  simd.multiply(cosines_->data(), log_mel_.dim(), stride_, bands, cepstrum_.data());
  if (energy_as_c0_) {
    if (scale_ > 0.0f) simd.scaled_log(energy, 1, floor_, scale_);
    cepstrum_[0] = energy[0];
  }
  std::copy(cepstrum_.begin(), cepstrum_.begin() + static_cast<std::ptrdiff_t>(num_ceps_), out);
}

}  // namespace edge_ser
