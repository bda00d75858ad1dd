// The most likely course of the pitch through frames, decided a fixed number of frames late.
#pragma once

#include <array>

namespace edge_ser {

/// Pitch on a grid of quarter tones: state k stands for 50 Hz * 2^(k / 24), k = 0..83.
struct PitchGrid {
  static constexpr int kStates = 84;
  static constexpr int kStatesPerOctave = 24;
  static constexpr double kLowestHz = 50.0;
  static double frequency(int state);
};

/// On-line Viterbi search over the pitch grid with bounded delay.
///
/// Moving costs `cost_per_octave` times the distance in octaves, for up to a third of an octave a
/// frame; any further jump costs `jump_cost`. Scores are log-likelihoods up to a constant a frame.
/// Nothing is allocated, and the state is renormalised each frame: it can run for ever.
class PitchPath {
 public:
  static constexpr int kMaxDelay = 3;
  using Scores = std::array<float, PitchGrid::kStates>;

  /// Throws std::invalid_argument unless 0 <= delay <= kMaxDelay and costs are finite, >= 0.
  PitchPath(int delay, double cost_per_octave, double jump_cost);
  void reset();

  /// Takes the scores of the next frame; returns the state decided for the frame `delay` frames
  /// before it (meaningless for the first `delay` calls after a reset).
  int push(const Scores& scores);

 private:
  static constexpr int kReach = 8;
  static constexpr int kPadded = PitchGrid::kStates + 2 * kReach;

  int delay_;
  float step_cost_;
  float jump_cost_;
  // Best score of a path that ends in each state, newest first; borders hold -1e30.
  std::array<std::array<float, kPadded>, kMaxDelay + 1> best_;
};

}  // namespace edge_ser
