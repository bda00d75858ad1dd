// Logarithm of the energy of every frame.
#pragma once

#include "base/options.h"
#include "features/frame_kernel.h"

namespace edge_ser {

struct LogEnergyOptions {
  int frame_length = 400;
  int hop_length = 160;
  Framing framing = Framing::snipped;
  bool drop_last_frame = false;
  double sample_scale = 1.0;
  bool remove_dc = true;
  LogKind log = LogKind::natural;
  double floor = 1e-10;

  void validate() const;
  bool operator==(const LogEnergyOptions&) const = default;

  template <class Options, class Visit>
  static void fields(Options&& o, Visit&& visit) {
    visit("frame_length", o.frame_length, "samples of a frame, 2 to 65536");
    visit("hop_length", o.hop_length, "samples from one frame to the next");
    visit("framing", o.framing,
          "'snipped': frame i starts at i * hop_length, only whole frames; 'centred-reflect', "
          "'centred-zero': its middle is there, and the clip is mirrored or zero outside");
    visit("drop_last_frame", o.drop_last_frame, "leave out the last frame of a clip");
    visit("sample_scale", o.sample_scale, "factor on every sample");
    visit("remove_dc", o.remove_dc, "subtract the mean of the frame");
    visit("log", o.log, "kind of logarithm; 'db' is 10 log10, 'none' the sum itself");
    visit("floor", o.floor, "sums below this count as this, at least 1.2e-38");
  }
};

/// log(max(sum of x^2, floor)) of a frame; silence gives log(floor).
class LogEnergyTransform {
 public:
  LogEnergyTransform(const LogEnergyOptions& options, SimdLevel level);
  FrameLayout layout() const;
  std::size_t dim() const { return 1; }
  void apply(const float* frame, float* out);
  void reset() {}

 private:
  LogEnergyOptions options_;
  const SimdOps* ops_;
};

using LogEnergy = FrameKernel<LogEnergyOptions, LogEnergyTransform>;

/// Checks a floor under a logarithm.
void validate_floor(double floor);

}  // namespace edge_ser
