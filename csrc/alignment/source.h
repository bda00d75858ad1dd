// The two kinds of source that an Aligner holds. Internal to it: no locking here.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>

#include "alignment/aligner.h"
#include "alignment/clock_estimator.h"
#include "alignment/ring_buffer.h"
#include "alignment/tick_math.h"

namespace edge_ser {

/// The instants of a window's frames, in ticks after `base`.
struct WindowGrid {
  std::int64_t base = 0;
  double first = 0.0;
  double step = 0.0;
  std::size_t frames = 0;

  double time(std::size_t k) const { return first + step * static_cast<double>(k); }
};

/// Rows on a timeline of their own: positions since the first push, joined up across restarts of
/// the counter (media times themselves for a source without a counter).
class FrameSource {
 public:
  /// What a push did to the clock; the aligner judges steps by what other sources saw.
  struct Push {
    std::size_t stored = 0;
    bool restarted = false;
    ClockStep step;
  };

  FrameSource(const SourceOptions& options, const AlignerOptions& aligner);

  Push push_counted(std::optional<std::int64_t> position, std::int64_t time,
                    std::span<const float> rows, std::int64_t arrival);
  /// `horizon`: newest media time of the sources with counters, if any.
  Push push_uncounted(std::int64_t time, std::span<const float> rows,
                      std::optional<std::int64_t> horizon);

  void request_restart() { restart_requested_ = true; }
  void reset();

  bool started() const { return started_; }
  /// Media ticks added to capture times, because their clock was set back.
  std::int64_t correction() const { return correction_; }
  /// Takes over a correction, for the newest segment and all to come.
  void correct(std::int64_t correction);
  /// Before the first push: what other sources have found.
  void begin_with(std::int64_t correction) { correction_ = correction; }
  /// A step that is the source's own: if positive, `size` media ticks without data.
  void book_step(double size);

  std::optional<std::int64_t> newest_time() const;
  /// A position of the present counter on the timeline; nothing if absurdly far away.
  std::optional<std::int64_t> on_timeline(std::int64_t position) const {
    return add_within_span(position, shift_);
  }
  /// Media ticks, nominally, in a tick of the timeline.
  double tick() const { return period_ / static_cast<double>(options_.period); }
  double time_of(std::int64_t timeline_position, std::int64_t base) const;

  void refit();
  WindowGrid reference_grid(std::int64_t end, std::size_t frames) const;
  void sample(const WindowGrid& grid, const WindowSlot& slot, WindowSummary& summary) const;

  const SourceOptions& options() const { return options_; }
  const ClockEstimator& clock() const { return clock_; }
  ClockEstimate estimate() const;
  SourceCounters counters() const;

 private:
  std::size_t store(std::int64_t first, std::span<const float> rows);
  void begin_count(std::int64_t position, std::int64_t time);
  void count_missing(double size);
  void offer(std::int64_t first, std::int64_t last);
  bool counter_restarted(std::int64_t timeline_position, double deviation) const;

  SourceOptions options_;
  std::int64_t frame_period_;
  double period_;                   // between rows, media ticks
  double max_age_;                  // media ticks
  std::int64_t timeline_lateness_;  // lateness on the timeline
  FrameRing ring_;
  ClockEstimator clock_;
  SourceCounters counters_;
  std::uint64_t expected_ = 0;  // rows that would be there had none been lost
  std::int64_t oldest_ = 0;     // timeline positions of the first and
  std::int64_t newest_ = 0;     // the newest row offered
  std::int64_t next_ = 0;       // timeline position that follows the latest push
  std::int64_t shift_ = 0;      // timeline = counter + shift
  std::int64_t correction_ = 0;
  double last_deviation_ = 0.0;  // of the latest capture time from the line
  int suspicious_ = 0;           // implausible pushes in a row, of a source without a counter
  bool started_ = false;
  bool restart_requested_ = false;
};

/// Labelled spans, on the timeline of the source they follow or in media time.
class IntervalSource {
 public:
  IntervalSource(const SourceOptions& options, std::int64_t frame_period);

  bool push(std::int64_t start, std::int64_t end, std::int64_t label, std::int64_t lateness);
  void erase_from(std::int64_t start);
  void reset();

  /// `followed`: the source whose timeline the spans lie on, or null.
  void sample(const WindowGrid& grid, const FrameSource* followed, const WindowSlot& slot,
              WindowSummary& summary) const;
  std::optional<std::int64_t> newest_time(const FrameSource* followed) const;
  SourceCounters counters() const { return counters_; }

 private:
  struct Interval {
    std::int64_t start = 0;
    std::int64_t end = 0;
    std::int64_t label = 0;
    auto operator<=>(const Interval&) const = default;
  };

  std::int64_t frame_period_;
  SortedRing<Interval> ring_;
  SourceCounters counters_;
};

}  // namespace edge_ser
