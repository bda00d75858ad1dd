// What one 10 ms frame says about its periodicity: normalised correlations of
// five bands on a 4 kHz signal, and how loud each band is against its own
// recent past.
#pragma once

#include <array>
#include <cstddef>

namespace edge_ser {

// Fixed geometry of the pitch analysis, in samples of the rate named.
struct PitchGeometry {
  static constexpr int kSampleRate = 16000;
  static constexpr int kHop = 160;                    // 10 ms at 16 kHz
  static constexpr int kDecimation = 4;               // 16 kHz -> 4 kHz
  static constexpr int kLowHop = kHop / kDecimation;  // 10 ms at 4 kHz
  static constexpr int kLags = 80;                    // lags 1..80 at 4 kHz: down to 50 Hz
  static constexpr int kBands = 5;
  // Lags looked at in each band: all of them, or the even ones where the band
  // is narrow enough.
  static constexpr std::array<int, kBands> kBandLags = {80, 40, 80, 80, 40};
  static constexpr int kCorrelations = 320;  // their sum
  static constexpr int kLevels = 7;          // five bands, full band, first difference
  static constexpr int kLevelFeatures = 4 * kLevels;
  static constexpr int kFeatures = kCorrelations + kLevelFeatures;
  // The frame's centre lies this many input samples before the end of the
  // newest hop.
  static constexpr int kEvidenceDelay = 462;
};

// Turns hops of 160 input samples into one feature vector a hop.
//
// Layout of the features: for each band, the normalised correlation at the even
// lags 2..80 (4 kHz) and, where kBandLags says so, at the odd lags 1..79, each
// in [-1, 1]; then the level features. The correlation is centred: products x[n
// - l/2] x[n + l/2] over 30 ms around the frame's centre, so a glide does not
// shift with the lag.
//
// Memory is fixed at construction; a hop allocates nothing. Not thread-safe.
class PitchEvidence {
 public:
  using Features = std::array<float, PitchGeometry::kFeatures>;

  PitchEvidence();
  void reset();

  // `hop` holds 160 finite samples, each zero or of magnitude 1e-15..1e6.
  void process(const float* hop, Features& features);

 private:
  static constexpr int kPhaseHistory = 31;  // 128 taps over 4 phases, less one
  static constexpr int kPhaseLength = kPhaseHistory + PitchGeometry::kLowHop;
  static constexpr int kRectifiedHistory = 15;  // 32 taps over 2 phases, less one
  static constexpr int kRectifiedLength = kRectifiedHistory + PitchGeometry::kLowHop;
  // One frame's products reach 100 samples either side of its centre, and its
  // middle block ends 80 samples before the newest one.
  static constexpr int kLowLength = 200;
  static constexpr int kWarmUp = 5;

  struct Band {
    std::array<float, kLowLength> signal;    // newest last
    std::array<float, kLowLength> reversed;  // newest first
    std::array<float, kLowLength> energy40;  // energy40[n]: sum of squares of signal[n..n+39]
    // Block sums of products by lag (even lags 2..80, then odd lags 1..79),
    // oldest first.
    std::array<std::array<float, PitchGeometry::kLags>, 3> products;
  };

  void filter_bands();
  static void push_band(Band& band, const float* fresh, bool odd_lags);
  static void correlate(const Band& band, bool odd_lags, float* nccf, float& level30,
                        float& level10);
  void add_levels(const float* level30, const float* level10, float* out);

  std::array<std::array<float, kPhaseLength>, PitchGeometry::kDecimation> phases_;
  std::array<std::array<float, kRectifiedLength>, 2> rectified_;
  std::array<Band, PitchGeometry::kBands> bands_;
  std::array<std::array<float, 8>, 2> wide_energy_;  // full band and first difference, per hop
  float last_sample_ = 0.0f;
  std::array<float, PitchGeometry::kLevels> floor_db_;
  std::array<float, PitchGeometry::kLevels> peak_db_;
  int warm_up_ = kWarmUp;
};

}  // namespace edge_ser
