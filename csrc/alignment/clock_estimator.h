// Where a source's counter lies on the media clock, learnt from jittery capture times.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "alignment/clock_fit.h"
#include "alignment/ring_buffer.h"

namespace edge_ser {

struct ClockEstimatorOptions {
  std::int64_t source_rate = 16000;    // ticks of the source's counter in a second
  std::int64_t media_rate = 16000;     // ticks of the media clock in a second
  std::size_t observations = 8192;     // capture times kept
  std::int64_t horizon = 300 * 16000;  // media ticks: older capture times do not count
  std::int64_t step = 160;             // media ticks: a smaller step is taken for jitter
  double max_drift_ppm = 1000.0;
  Stamps stamps = Stamps::kCentred;
};

/// A lasting change of (capture time - counter): lost buffers, a pause, or a clock that was set.
struct ClockStep {
  bool found = false;
  double size = 0.0;               // media ticks; positive when time went by uncounted
  std::int64_t first_arrival = 0;  // ordinal of the first capture time after it
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

  bool started() const { return segment_count_ > 0; }
  void reset();

  /// From `position` on, times have an offset of their own, `time` being the first reading.
  void begin_segment(std::int64_t position, std::int64_t time);

  /// The counter stood at `position` at capture time `time`. `arrival` orders the readings of all
  /// sources as they came in. A position before the current segment belongs to the segment it lies
  /// in; a repeated position is ignored.
  ClockStep observe(std::int64_t position, std::int64_t time, std::int64_t arrival);

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

  /// How far the readings that arrived from `arrival` on lie off the line: their count and median.
  struct Deviation {
    std::size_t count = 0;
    double median = 0.0;
  };
  Deviation deviation_since(std::int64_t arrival) const;

  double drift_ppm() const { return drift_ * 1e6; }
  double drift_sd_ppm() const { return fit_.slope_sd() * 1e6; }
  /// Scale of the jitter in media ticks.
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
    std::int64_t arrival = 0;
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
  ClockStep find_step();
  std::size_t step_origin(std::size_t begin) const;

  ClockEstimatorOptions options_;
  double ratio_;  // media ticks in a tick of the counter
  SortedRing<Observation> observations_;
  ClockFit fit_;
  std::array<Segment, kMaxSegments> segments_;
  std::size_t segment_count_ = 0;
  std::size_t since_refit_ = 0;
  double drift_ = 0.0;
  double jitter_ = 0.0;
};

}  // namespace edge_ser
