// Where a source's counter lies on the media clock, learnt from jittery capture times.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>

#include "alignment/clock_fit.h"
#include "alignment/ring_buffer.h"

namespace edge_ser {

struct ClockEstimatorOptions {
  std::size_t observations = 8192;     // capture times kept
  std::int64_t horizon = 300 * 16000;  // ticks: older capture times do not count
  std::int64_t step = 160;             // ticks: a smaller step is taken for jitter
  double max_drift_ppm = 1000.0;
};

/// Maps positions of one counter to media time: a straight line for each stretch between two steps
/// ("segment"), all with one drift. Positions and times are 64-bit integers; floating point holds
/// differences of at most the horizon only. Not thread-safe; allocates in the constructor only.
///
/// A step is declared once six capture times in a row, or the median of 24, agree on it; a burst
/// (several buffers delivered at one moment, so that lateness falls as the position grows) is not a
/// step. It is dated back to where it began.
class ClockEstimator {
 public:
  static constexpr std::size_t kMaxSegments = ClockFit::kMaxGroups;

  explicit ClockEstimator(const ClockEstimatorOptions& options);

  /// The counter stood at `position` at capture time `time`; a position that is not beyond the one
  /// before is ignored, the first one begins the line. Gives the size of a step that shows now (a
  /// lasting change of capture time against counter: lost buffers, a pause, or a clock that was
  /// set), in ticks: positive when time went by uncounted.
  std::optional<double> observe(std::int64_t position, std::int64_t time);

  /// The clock the times are read from was set back: adds `ticks` to all times of the newest
  /// segment.
  void shift_newest_segment(std::int64_t ticks);

  /// Brings the lines up to date; without it `time` answers with those of the last refit.
  void refit();

  /// Media time of `position`, in ticks after `base`.
  double time(std::int64_t position, std::int64_t base) const;
  /// The same, absolute and rounded.
  std::int64_t time_ticks(std::int64_t position) const;
  /// Position, in the newest segment, of media time `time`.
  double position(std::int64_t time) const;
  /// First position of the newest segment.
  std::int64_t newest_segment_begin() const { return segments_[segment_count_ - 1].begin; }

  double drift_ppm() const { return drift_ * 1e6; }
  double drift_sd_ppm() const { return fit_.slope_sd() * 1e6; }
  /// Scale of the jitter in ticks.
  double jitter() const { return jitter_; }
  std::size_t observation_count() const { return observations_.size(); }

  /// Walks positions from new to old without searching for the segment each time.
  class Cursor {
   public:
    Cursor(const ClockEstimator& clock, std::int64_t base);
    /// `position` must not be greater than in the call before.
    double time(std::int64_t position);

   private:
    const ClockEstimator& clock_;
    std::int64_t base_;
    std::size_t segment_;
  };

 private:
  struct Segment {
    std::int64_t begin = 0;            // first position
    std::int64_t anchor_position = 0;  // of the newest reading at the last refit,
    std::int64_t anchor_time = 0;      // and its time
    double offset = 0.0;               // the line's time at the anchor, after anchor_time
  };
  struct Observation {
    std::int64_t position = 0;
    std::int64_t time = 0;
    bool operator<(const Observation& other) const { return position < other.position; }
  };

  struct Level {
    double median = 0.0;
    double spread = 0.0;
  };

  std::size_t segment_of(std::int64_t position) const;
  double time_in(const Segment& segment, std::int64_t position, std::int64_t base) const;
  void append_segment(std::int64_t position, std::int64_t time);
  double off_line(const Observation& observation, double drift) const;
  Level level(std::size_t begin, std::size_t end) const;
  double step_over_last(std::size_t count, std::size_t begin) const;
  std::optional<double> find_step();
  std::size_t step_origin(std::size_t begin) const;

  ClockEstimatorOptions options_;
  RingBuffer<Observation> observations_;
  ClockFit fit_;
  std::array<Segment, kMaxSegments> segments_;
  std::size_t segment_count_ = 0;
  std::size_t since_refit_ = 0;
  double drift_ = 0.0;
  double jitter_ = 0.0;
};

}  // namespace edge_ser
