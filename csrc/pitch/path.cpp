#include "pitch/path.h"

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <stdexcept>

#include "simd/vector_clones.h"

namespace edge_ser {
namespace {

constexpr float kNever = -1e30f;

}  // namespace

double PitchGrid::frequency(int state) {
  return kLowestHz * std::exp2(static_cast<double>(state) / kStatesPerOctave);
}

PitchPath::PitchPath(int delay, double cost_per_octave, double jump_cost)
    : delay_(delay),
      step_cost_(static_cast<float>(cost_per_octave / PitchGrid::kStatesPerOctave)),
      jump_cost_(static_cast<float>(jump_cost)) {
  if (delay < 0 || delay > kMaxDelay) {
    throw std::invalid_argument("PitchPath: delay must be 0 to 3 frames");
  }
  if (!(std::isfinite(step_cost_) && step_cost_ >= 0.0f) ||
      !(std::isfinite(jump_cost_) && jump_cost_ >= 0.0f)) {
    throw std::invalid_argument("PitchPath: costs must be finite and not negative");
  }
  reset();
}

void PitchPath::reset() {
  for (auto& best : best_) {
    best.fill(kNever);
    std::fill(best.begin() + kReach, best.begin() + kReach + PitchGrid::kStates, 0.0f);
  }
}

EDGE_SER_VECTOR_CLONES
int PitchPath::push(const Scores& scores) {
  constexpr int states = PitchGrid::kStates;
  for (int age = delay_; age > 0; --age) best_[age] = best_[age - 1];
  // With no delay the predecessor is overwritten in place, so it is copied
  // first.
  const std::array<float, kPadded> previous = best_[delay_ > 0 ? 1 : 0];
  std::array<float, kPadded>& current = best_[0];
  // The best predecessor has score 0 after renormalisation: a jump from it
  // costs jump_cost_.
  std::array<float, states> reached;
  reached.fill(-jump_cost_);
  for (int move = -kReach; move <= kReach; ++move) {
    const float cost = step_cost_ * static_cast<float>(std::abs(move));
    const float* from = previous.data() + kReach + move;
    for (int k = 0; k < states; ++k) reached[k] = std::max(reached[k], from[k] - cost);
  }
  float* to = current.data() + kReach;
  float top = kNever;
  for (int k = 0; k < states; ++k) {
    to[k] = reached[k] + scores[k];
    top = std::max(top, to[k]);
  }
  for (int k = 0; k < states; ++k) to[k] -= top;

  int state = static_cast<int>(std::max_element(to, to + states) - to);
  for (int age = 1; age <= delay_; ++age) {
    const float* from = best_[age].data() + kReach;
    // Ties keep the nearest state, so that a flat stretch holds the pitch.
    int source = state;
    float value = from[state];
    for (int distance = 1; distance <= kReach; ++distance) {
      for (const int k : {state - distance, state + distance}) {
        const float candidate =
            k < 0 || k >= states ? kNever : from[k] - step_cost_ * static_cast<float>(distance);
        if (candidate > value) {
          value = candidate;
          source = k;
        }
      }
    }
    if (-jump_cost_ > value)
      source = static_cast<int>(std::max_element(from, from + states) - from);
    state = source;
  }
  return state;
}

}  // namespace edge_ser
