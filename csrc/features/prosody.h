// Loudness and spectral movement of every frame: the part of prosody that needs no pitch.
#pragma once

#include <vector>

#include "features/log_mel.h"

namespace edge_ser {

struct ProsodyOptions {
  int sample_rate = 16000;
  int frame_length = 400;
  int hop_length = 160;
  int fft_length = 512;
  Framing framing = Framing::snipped;
  bool remove_dc = true;
  double floor = 1e-10;

  void validate() const;
  bool operator==(const ProsodyOptions&) const = default;

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
    visit("remove_dc", o.remove_dc, "subtract the mean of the frame");
    visit("floor", o.floor, "energies below this count as this, at least 1.2e-38");
  }
};

/// Four features of a frame:
///   0  natural logarithm of the sum of squares, at least log(floor)
///   1  zero crossings between neighbouring samples, as a part of all neighbours: 0..1
///   2  spectral centroid in Hz: the mean frequency, weighted with the power of a Hann-windowed
///      frame; 0 if the energy is below the floor
///   3  spectral flux: length of the vector of rises of the magnitude since the frame before, over
///      the length of this frame's magnitude: 0..1, whatever the gain; 0 for the first frame and
///      if the energy is below the floor
class ProsodyTransform {
 public:
  ProsodyTransform(const ProsodyOptions& options, SimdLevel level);
  FrameLayout layout() const { return spectrum_.layout(); }
  std::size_t dim() const { return 4; }
  void apply(const float* frame, float* out);
  void reset();

 private:
  FrameSpectrum spectrum_;
  bool remove_dc_;
  float floor_;
  float bin_hz_;
  bool first_ = true;
  std::vector<float> magnitude_;
};

using Prosody = FrameKernel<ProsodyOptions, ProsodyTransform>;

}  // namespace edge_ser
