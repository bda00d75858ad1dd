// The exact period near a coarse estimate, and how harmonic the signal is at that period.
#pragma once

namespace edge_ser {

/// A period found at the full rate.
struct PitchRefinement {
  double f0_hz;       // within the limits asked for
  float correlation;  // normalised, in [-1, 1]
};

/// Samples that refine_pitch reads before and after the centre.
inline constexpr int kRefineReach = 368;

/// Finds the peak of the normalised correlation of 25 ms segments at lags of low_hz..high_hz.
///
/// `centre` points at the frame's centre in 16 kHz samples, with kRefineReach samples readable on
/// both sides. Segments lie symmetrically about the centre, so a glide gives no bias. Without a
/// peak inside the range the answer is `coarse_hz`. 28 <= 16000 / frequency <= 320 is required.
PitchRefinement refine_pitch(const float* centre, double coarse_hz, double low_hz, double high_hz);

}  // namespace edge_ser
