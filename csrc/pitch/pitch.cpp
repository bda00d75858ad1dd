#include "pitch/pitch.h"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <stdexcept>
#include <string>

#include "base/samples.h"
#include "pitch/evidence.h"
#include "pitch/path.h"
#include "pitch/refine.h"
#include "pitch/scorer.h"

namespace edge_ser {
namespace {

using G = PitchGeometry;

constexpr int kLookAhead = 3;  // frames that path and voicing see beyond the one they decide
constexpr int kPathDelay = kLookAhead - PitchScorer::kDelay;
// The newest sample when a frame comes out lies this far after the frame's
// centre.
constexpr int kLatency = G::kEvidenceDelay + kLookAhead * G::kHop;
constexpr int kMaxFirstCenter = 800;
constexpr double kCostPerOctave = 16.0;
constexpr double kJumpCost = 20.0;
constexpr float kLoudest = 1e6f;
constexpr float kFaintest = 1e-15f;

// Samples at the full rate that refinement still needs, and room to append
// before moving them.
constexpr int kKept = kLatency + kRefineReach;
constexpr int kRoom = 16 * G::kHop;

void require(bool ok, const char* field, const char* wanted, double value) {
  if (ok) return;
  char text[32];
  std::snprintf(text, sizeof text, "%g", value);
  throw std::invalid_argument(std::string("PitchOptions.") + field + " must be " + wanted +
                              ", not " + text);
}

float harmonics_to_noise_db(float correlation) {
  constexpr float least = 0.00990099f;  // -20 dB
  constexpr float most = 0.99990001f;   // 40 dB
  const float r = std::clamp(correlation, least, most);
  return std::clamp(10.0f * std::log10(r / (1.0f - r)), -20.0f, 40.0f);
}

}  // namespace

void PitchOptions::validate() const {
  require(min_f0_hz >= 50.0 && min_f0_hz <= 550.0, "min_f0_hz", "50 to 550", min_f0_hz);
  require(max_f0_hz >= 50.0 && max_f0_hz <= 550.0, "max_f0_hz", "50 to 550", max_f0_hz);
  require(max_f0_hz >= 1.2 * min_f0_hz, "max_f0_hz", "at least 1.2 times min_f0_hz", max_f0_hz);
  require(voicing_threshold >= 0.0 && voicing_threshold <= 1.0, "voicing_threshold", "0 to 1",
          voicing_threshold);
  require(first_center >= 0 && first_center <= kMaxFirstCenter, "first_center", "0 to 800",
          first_center);
}

struct Pitch::State {
  explicit State(const PitchOptions& o) : options(o), path(kPathDelay, kCostPerOctave, kJumpCost) {
    low_state = 0;
    high_state = PitchGrid::kStates - 1;
    while (PitchGrid::frequency(low_state + 1) <= o.min_f0_hz) ++low_state;
    while (PitchGrid::frequency(high_state - 1) >= o.max_f0_hz) --high_state;
    reset();
  }

  void reset() {
    evidence.reset();
    scorer.reset();
    path.reset();
    voicing.fill(0.0f);
    history.fill(0.0f);
    history_end = kKept;
    hop.fill(0.0f);
    taken = 0;
    finished = false;
    // Hops end where (end - kEvidenceDelay - first_center) is a multiple of
    // 160, so that frames fall on their centres; the first hop starts with
    // silence.
    const int end = (options.first_center + G::kEvidenceDelay) % G::kHop;
    filled = end == 0 ? 0 : G::kHop - end;
    // Frame decided by the first hop that is processed; frames before 0 are
    // warm-up.
    const std::int64_t first_end = end == 0 ? G::kHop : end;
    next_frame = (first_end - kLatency - options.first_center) / G::kHop;
  }

  std::int64_t frames_in(std::int64_t samples) const {
    const std::int64_t c = options.first_center;
    return samples < std::max<std::int64_t>(2 * c, 1) ? 0 : 1 + (samples - 2 * c) / G::kHop;
  }

  // Returns whether a row was written.
  bool process_hop(float* row) {
    if (history_end + G::kHop > kKept + kRoom) {
      std::copy(history.begin() + (history_end - kKept), history.begin() + history_end,
                history.begin());
      history_end = kKept;
    }
    std::copy(hop.begin(), hop.end(), history.begin() + history_end);
    history_end += G::kHop;
    filled = 0;

    evidence.process(hop.data(), features);
    std::copy(voicing.begin() + 1, voicing.end(), voicing.begin());
    voicing.back() = scorer.push(features, scores);
    for (int k = 0; k < PitchGrid::kStates; ++k) {
      scores[k] = k < low_state || k > high_state ? -1e6f : scores[k] * voicing.back();
    }
    const int state = std::clamp(path.push(scores), low_state, high_state);
    if (next_frame++ < 0) return false;

    const float* centre = history.data() + history_end - kLatency;
    const auto limited = [&](double hz) {
      return std::clamp(hz, options.min_f0_hz, options.max_f0_hz);
    };
    const PitchRefinement found = refine_pitch(centre, limited(PitchGrid::frequency(state)),
                                               limited(PitchGrid::frequency(state - 1)),
                                               limited(PitchGrid::frequency(state + 1)));
    const float f0 = static_cast<float>(found.f0_hz);
    const float probability = voicing[0];
    row[0] = static_cast<double>(probability) >= options.voicing_threshold ? f0 : 0.0f;
    row[1] = f0;
    row[2] = probability;
    row[3] = harmonics_to_noise_db(found.correlation);
    return true;
  }

  PitchOptions options;
  PitchEvidence evidence;
  PitchScorer scorer;
  PitchPath path;
  PitchEvidence::Features features;
  PitchPath::Scores scores;
  std::array<float, kPathDelay + 1> voicing;  // newest last
  std::array<float, kKept + kRoom> history;
  int history_end;
  std::array<float, G::kHop> hop;
  int filled;               // samples in `hop`
  std::int64_t taken;       // samples of this stream
  std::int64_t next_frame;  // decided by the next hop; negative during warm-up
  int low_state;
  int high_state;
  bool finished;
};

Pitch::Pitch(const PitchOptions& options) {
  options.validate();
  state_ = std::make_unique<State>(options);
}

Pitch::~Pitch() = default;
Pitch::Pitch(Pitch&&) noexcept = default;
Pitch& Pitch::operator=(Pitch&&) noexcept = default;

const PitchOptions& Pitch::options() const { return state_->options; }

void Pitch::reset() { state_->reset(); }

std::size_t Pitch::rows_in_clip(std::size_t samples) const {
  return static_cast<std::size_t>(state_->frames_in(static_cast<std::int64_t>(samples)));
}

std::size_t Pitch::accept(std::span<const float> samples, float* rows) {
  State& s = *state_;
  if (s.finished) throw std::logic_error("Pitch: the stream is finished; reset() starts a new one");
  check_finite(samples);
  std::size_t written = 0;
  std::size_t at = 0;
  while (at < samples.size()) {
    const std::size_t n =
        std::min(samples.size() - at, static_cast<std::size_t>(G::kHop - s.filled));
    float* to = s.hop.data() + s.filled;
    for (std::size_t i = 0; i < n; ++i) {
      const float x = samples[at + i];
      to[i] = std::fabs(x) < kFaintest ? 0.0f : std::clamp(x, -kLoudest, kLoudest);
    }
    at += n;
    s.filled += static_cast<int>(n);
    if (s.filled == G::kHop && s.process_hop(rows + written * kColumns)) ++written;
  }
  s.taken += static_cast<std::int64_t>(samples.size());
  return written;
}

std::size_t Pitch::finish(float* rows) {
  State& s = *state_;
  if (s.finished) return 0;
  s.finished = true;
  const std::int64_t total = s.frames_in(s.taken);
  std::size_t written = 0;
  while (s.next_frame < total) {
    std::fill(s.hop.begin() + s.filled, s.hop.end(), 0.0f);
    if (s.process_hop(rows + written * kColumns)) ++written;
  }
  return written;
}

}  // namespace edge_ser
