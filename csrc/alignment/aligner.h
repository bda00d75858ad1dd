// Sound, picture and word features on one grid of frames, whatever their clocks did.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

#include "alignment/options.h"

namespace edge_ser {

/// What became of everything a source pushed, since construction. Rows, if not said otherwise.
struct SourceCounters {
  std::uint64_t pushed = 0;
  std::uint64_t stored = 0;
  std::uint64_t late = 0;         // behind the newest by more than the lateness, or than was kept
  std::uint64_t early = 0;        // stamped implausibly far ahead of the other sources
  std::uint64_t duplicate = 0;    // a row of that time was there already; the first is kept
  std::uint64_t non_finite = 0;   // held NaN or infinity; its place in a window is masked
  std::uint64_t missing = 0;      // places that stayed empty, as counter and capture times tell
  std::uint64_t steps = 0;        // lasting steps of capture time against counter: lost buffers
  std::uint64_t restarts = 0;     // times the counter began anew
  std::uint64_t clock_jumps = 0;  // times the clock of the capture times was set back

  bool operator==(const SourceCounters&) const = default;
};

/// A source's clock against the media clock.
struct ClockEstimate {
  double drift_ppm = 0.0;         // of a second by its counter against a media second
  double drift_sd_ppm = 0.0;      // one standard deviation, as far as jitter is independent
  double jitter = 0.0;            // scale of the capture times' noise, media ticks
  std::int64_t position = 0;      // the newest position on its counter, and
  std::int64_t time = 0;          // the media time of that position: the offset
  std::int64_t observations = 0;  // capture times that the estimate rests on
};

/// Where a window of one source is written; a source whose slot has an empty mask is left out.
struct WindowSlot {
  std::span<float> values;         // of frames: [frames, dim], zero where masked
  std::span<std::int64_t> labels;  // of intervals: [frames], -1 where masked
  std::span<std::uint8_t> mask;    // [frames]: 1 where there is data
};

struct WindowSummary {
  std::int64_t largest_gap = 0;  // media ticks: the longest run of masked frames
  std::int64_t covered = 0;      // frames that are not masked
  std::int64_t oldest = 0;       // media times of the oldest and newest row (begin of the first,
  std::int64_t newest = 0;       // end of the last interval) used; 0 if covered is 0
};

/// Keeps the recent past of several sources and answers windows of equal length from it.
///
/// The media clock is the clock of the capture times (one steady clock for all sources), in whole
/// ticks. Each source may count by a clock of its own that drifts, drops, pauses and restarts;
/// ClockEstimator says how positions become media times. If the clock of the capture times is set
/// back, the media clock goes on: the jump is found where a counter contradicts the capture times,
/// and corrected for every source. Set forward, it leaves a gap of that length in every source.
///
/// Within a source's lateness the order of arrival changes nothing. Lost buffers are gaps: masked
/// frames, never shifted data. Rows with NaN or infinity are refused one by one and counted; no
/// window ever holds NaN.
///
/// Thread contract: every method may be called from any thread at any time; each holds the one lock
/// of the aligner for its own bounded duration, and `window` sees all sources at one moment.
/// Memory is fixed at construction; nothing is allocated afterwards. Invalid arguments throw
/// std::invalid_argument and change nothing.
class Aligner {
 public:
  Aligner(const AlignerOptions& options, const std::vector<SourceOptions>& sources);
  ~Aligner();
  Aligner(Aligner&&) noexcept;
  Aligner& operator=(Aligner&&) noexcept;

  const AlignerOptions& options() const;
  const std::vector<SourceOptions>& sources() const;
  /// Index of the source of that name.
  std::size_t source(std::string_view name) const;

  /// Adds rows [n, dim]; returns how many were stored. `capture_time`: when the first row was
  /// captured. `position`: the first row on the source's counter; absent, it follows on from the
  /// push before. A source without a counter takes none.
  std::size_t push_frames(std::size_t source, std::optional<std::int64_t> position,
                          std::int64_t capture_time, std::span<const float> rows);

  /// Adds a label >= 0 that covers [start, end) on the clock the source follows; where intervals
  /// overlap, the one that started later shows. Returns whether it was stored.
  bool push_interval(std::size_t source, std::int64_t start, std::int64_t end, std::int64_t label);

  /// Removes the intervals that start at or after `start`: a transcript is being revised.
  void erase_intervals(std::size_t source, std::int64_t start);

  /// The device was opened anew: the next push begins a new count. Only needed when the counter
  /// goes on as if nothing had happened; one that falls back to 0 is noticed.
  void restart(std::size_t source);

  /// Media time of the newest row or interval end; absent before the first.
  std::optional<std::int64_t> newest(std::size_t source);
  /// Media time of a position on a source's present counter; absent before its first push.
  std::optional<std::int64_t> media_time(std::size_t source, std::int64_t position);

  /// The `frames` frames before `end`: frame k stands for the media time
  /// end - (frames - k) * frame_period. With a reference source the grid is moved, by at most half
  /// a period, onto its frames and takes over its pace. One slot and one summary a source, in
  /// order; `times` (may be empty) takes the frames' media times.
  void window(std::int64_t end, std::size_t frames, std::span<const WindowSlot> slots,
              std::span<WindowSummary> summaries, std::span<std::int64_t> times);

  SourceCounters counters(std::size_t source) const;
  /// Absent for a source without a counter and before the first push.
  std::optional<ClockEstimate> clock(std::size_t source);

  /// Forgets everything but the options.
  void reset();

 private:
  class Core;
  std::unique_ptr<Core> core_;
};

}  // namespace edge_ser
