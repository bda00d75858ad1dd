// How likely each pitch is, and how likely the frame is voiced, from the evidence of a frame.
#pragma once

#include <array>

#include "pitch_evidence.h"
#include "pitch_path.h"

namespace edge_ser {

/// Scores frames in order, kDelay frames late. Fixed memory; not thread-safe.
class PitchScorer {
 public:
  static constexpr int kDelay = 0;

  PitchScorer();
  void reset();

  /// Takes the features of the next frame; writes the log-likelihood (up to a constant) of each
  /// pitch and returns the probability of voicing, both for the frame kDelay before it.
  float push(const PitchEvidence::Features& features, PitchPath::Scores& scores);
};

}  // namespace edge_ser
