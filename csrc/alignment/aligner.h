// Feature rows of a source on the grid of a window, whatever its clock did.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "alignment/clock_estimator.h"
#include "alignment/ring_buffer.h"

namespace edge_ser {

/// Positions and times are in ticks of 1/16000 s.
struct AlignerOptions {
  std::int64_t period = 160;
  std::int64_t dim = 1;
  std::int64_t capacity = 1024;
  std::int64_t observations = 8192;

  /// Throws std::invalid_argument.
  void validate() const;
  bool operator==(const AlignerOptions&) const = default;

  template <class Options, class Visit>
  static void fields(Options&& o, Visit&& visit) {
    visit("period", o.period, "ticks between rows, and between the frames of a window");
    visit("dim", o.dim, "floats in a row; 1..65536");
    visit("capacity", o.capacity, "rows kept; the oldest gives way");
    visit("observations", o.observations,
          "capture times kept for the estimate of drift; 64..65536");
  }
};

/// What became of everything that was pushed, since construction. Rows, if not said otherwise.
struct AlignerCounters {
  std::uint64_t pushed = 0;
  std::uint64_t stored = 0;
  std::uint64_t repeated = 0;     // not beyond the newest; the first is kept
  std::uint64_t non_finite = 0;   // held NaN or infinity; its place in a window is masked
  std::uint64_t missing = 0;      // places that stayed empty, as counter and capture times tell
  std::uint64_t steps = 0;        // lasting steps of capture time against counter: lost buffers
  std::uint64_t clock_jumps = 0;  // times the clock of the capture times was set back

  bool operator==(const AlignerCounters&) const = default;
};

/// Keeps the recent past of a source and answers windows of equally spaced frames from it.
///
/// The media clock is the clock of the capture times, in whole ticks of
/// 1/16000 s. The source counts by a clock
/// of its own that drifts and drops; ClockEstimator says how positions become media times. If the
/// clock of the capture times is set back, the media clock goes on: the jump is found where the
/// counter contradicts the capture times, and corrected. Set forward, it leaves a gap of that
/// length.
///
/// Lost buffers are gaps: masked frames, never shifted data. Rows with NaN or infinity are refused
/// one by one and counted; no window ever holds NaN.
///
/// Memory is fixed at construction; nothing is allocated afterwards. Invalid arguments throw
/// std::invalid_argument and change nothing. Not thread-safe.
class Aligner {
 public:
  explicit Aligner(const AlignerOptions& options);

  const AlignerOptions& options() const { return options_; }

  /// Adds rows [n, dim]; returns how many were stored. `position`: the first row on the source's
  /// counter; `capture_time`: when that row was captured.
  std::size_t push(std::int64_t position, std::int64_t capture_time, std::span<const float> rows);

  /// Media time of a position on the source's counter; absent before the first push.
  std::optional<std::int64_t> media_time(std::int64_t position);

  /// By how much a second of the counter is longer than one of the media clock.
  struct Drift {
    double ppm = 0.0;
    double sd_ppm = 0.0;  // one standard deviation, as far as jitter is independent
  };
  /// Absent before the first push.
  std::optional<Drift> drift();

  /// The frames before `end`, as many as `mask` is long: frame k of n stands for the media time
  /// end - (n - k) * period, moved by at most half a period onto the source's rows and their pace,
  /// so that none of them is repeated or skipped however it drifts. `values` [n, dim]: zero where
  /// masked; `mask`: 1 where there is data. Returns the time of the first frame.
  std::int64_t window(std::int64_t end, std::span<float> values, std::span<std::uint8_t> mask);

  AlignerCounters counters() const;

 private:
  /// The instants of a window's frames, in ticks after `base`.
  struct Grid {
    std::int64_t base = 0;
    double first = 0.0;
    double step = 0.0;
    double time(std::size_t k) const { return first + step * static_cast<double>(k); }
  };

  std::int64_t since_epoch(const char* what, std::int64_t time) const;
  std::int64_t on_timeline(std::int64_t position) const;
  std::size_t store(std::int64_t first, std::span<const float> rows);
  void take_step(double size);
  Grid grid(std::int64_t end, std::size_t frames) const;
  void sample(const Grid& grid, std::span<float> values, std::span<std::uint8_t> mask) const;

  AlignerOptions options_;
  std::size_t dim_;
  RingBuffer<std::int64_t> positions_;  // of the rows, on the timeline
  std::vector<float> rows_;             // each in the slot of its position
  ClockEstimator clock_;
  AlignerCounters counters_;
  bool started_ = false;
  std::int64_t epoch_ = 0;       // first capture time: inside, times count from it
  std::int64_t origin_ = 0;      // first position: the timeline counts from it
  std::int64_t newest_ = 0;      // timeline position of the newest row offered
  std::uint64_t expected_ = 0;   // rows that would be there had none been lost
  std::int64_t correction_ = 0;  // added to capture times, because their clock was set back
};

}  // namespace edge_ser
