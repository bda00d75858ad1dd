// How likely each pitch is, and how likely the frame is voiced, from the
// evidence of some frames.
#pragma once

#include <array>

#include "pitch/evidence.h"
#include "pitch/path.h"

namespace edge_ser {

/// The score of a pitch adds two readings of the evidence: the correlation
/// itself at the pitch's period, averaged over the four bands that keep the
/// waveform, and the log-likelihood that a small network gives it from eleven
/// frames: eight past ones, the frame, two that follow.
///
/// The network: one dense layer a frame, a narrow projection of it kept for
/// eleven frames, one dense layer over those, and a linear read-out. Its
/// weights (pitch_weights.inc) are fitted on synthetic speech by `python -m
/// recipes.pitch_scorer.fit_scorer`, with the probability of voicing as it
/// stands here: no calibration follows. Fixed memory; not thread-safe.
class PitchScorer {
 public:
  static constexpr int kPast = 8;
  static constexpr int kDelay = 2;

  PitchScorer();
  void reset();

  /// Takes the features of the next frame; writes the log-likelihood (up to a
  /// constant) of each pitch and returns the probability of voicing, both for
  /// the frame kDelay before it.
  float push(const PitchEvidence::Features& features, PitchPath::Scores& scores);

 private:
  static constexpr int kHidden = 48;
  static constexpr int kProjected = 24;
  static constexpr int kFrames = kPast + 1 + kDelay;
  static constexpr int kMerged = PitchGeometry::kLags + PitchGeometry::kLags / 2;

  struct Weights;
  static const Weights& shared_weights();

  void merge_bands(const PitchEvidence::Features& features);

  // The bands with all lags averaged, then the low band at its even lags;
  // newest last.
  std::array<std::array<float, kMerged>, kDelay + 1> merged_;
  std::array<std::array<float, kHidden>, kDelay + 1> hidden_;     // newest last
  std::array<std::array<float, kProjected>, kFrames> projected_;  // newest last
};

}  // namespace edge_ser
