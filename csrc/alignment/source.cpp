#include "alignment/source.h"

#include <algorithm>
#include <bit>
#include <cmath>

#include "alignment/tick_math.h"

namespace edge_ser {

namespace {

// So many implausible pushes in a row are believed after all.
constexpr int kPatience = 8;
// Rounding of the lines: two instants closer than this are the same.
constexpr double kSameInstant = 0.5;

bool all_finite(std::span<const float> row) {
  constexpr std::uint32_t kExponent = 0x7f800000u;
  std::uint32_t bad = 0;
  for (const float value : row) {
    bad |=
        static_cast<std::uint32_t>((std::bit_cast<std::uint32_t>(value) & kExponent) == kExponent);
  }
  return bad == 0;
}

ClockEstimatorOptions clock_options(const SourceOptions& source, const AlignerOptions& aligner) {
  ClockEstimatorOptions options;
  options.source_rate = source.has_counter() ? source.clock_rate : aligner.rate;
  options.media_rate = aligner.rate;
  options.observations = static_cast<std::size_t>(source.has_counter() ? source.observations : 1);
  options.horizon = source.horizon;
  options.step = source.step;
  options.max_drift_ppm = source.max_drift_ppm;
  options.stamps = source.stamps;
  return options;
}

double automatic_max_age(Fill fill, double period) {
  switch (fill) {
    case Fill::kNearest:
      // Half a period reaches every instant between two rows; the rest pays for drift and rounding.
      return period * (0.5 + 1.0 / 64.0) + kSameInstant;
    case Fill::kHold:
      return 2.0 * period;
    case Fill::kLinear:
      break;
  }
  return 1.5 * period;
}

}  // namespace

FrameSource::FrameSource(const SourceOptions& options, const AlignerOptions& aligner)
    : options_(options),
      frame_period_(aligner.frame_period),
      ring_(static_cast<std::size_t>(options.capacity), static_cast<std::size_t>(options.dim)),
      clock_(clock_options(options, aligner)) {
  const std::int64_t rate = options.has_counter() ? options.clock_rate : aligner.rate;
  period_ = static_cast<double>(options.period) * static_cast<double>(aligner.rate) /
            static_cast<double>(rate);
  max_age_ = options.max_age > 0 ? static_cast<double>(options.max_age)
                                 : automatic_max_age(options.fill, period_);
  timeline_lateness_ = std::min(rescale_ticks(options.lateness, aligner.rate, rate), kSpanLimit);
}

void FrameSource::reset() {
  ring_.clear();
  clock_.reset();
  counters_ = {};
  expected_ = 0;
  oldest_ = newest_ = next_ = shift_ = correction_ = 0;
  last_deviation_ = 0.0;
  suspicious_ = 0;
  started_ = restart_requested_ = false;
}

std::size_t FrameSource::store(std::int64_t first, std::span<const float> rows) {
  const std::size_t dim = ring_.dim(), count = rows.size() / dim;
  const std::int64_t late_before = newest_ - timeline_lateness_;
  const std::uint64_t before = counters_.stored;
  for (std::size_t i = 0; i < count; ++i) {
    const std::span<const float> row = rows.subspan(i * dim, dim);
    const std::int64_t position = first + static_cast<std::int64_t>(i) * options_.period;
    if (position < late_before) {
      ++counters_.late;
    } else if (!all_finite(row)) {
      ++counters_.non_finite;
    } else {
      switch (ring_.insert(position, row)) {
        case Insertion::kStored:
          ++counters_.stored;
          break;
        case Insertion::kDuplicate:
          ++counters_.duplicate;
          break;
        case Insertion::kTooOld:
          ++counters_.late;
          break;
      }
    }
  }
  return static_cast<std::size_t>(counters_.stored - before);
}

// Books that rows from `first` to `last` ought to be there, and all between them and the others.
void FrameSource::offer(std::int64_t first, std::int64_t last) {
  const auto rows = [this](std::int64_t span) {
    return static_cast<std::uint64_t>((span + options_.period / 2) / options_.period);
  };
  if (last > newest_) {
    expected_ += rows(last - newest_);
    newest_ = last;
  }
  if (first < oldest_) {
    expected_ += rows(oldest_ - first);
    oldest_ = first;
  }
}

void FrameSource::begin_count(std::int64_t position, std::int64_t time) {
  std::int64_t begin = 0;
  if (started_) {
    begin = newest_ + options_.period;
    count_missing(static_cast<double>(time - clock_.time_ticks(newest_)) - period_);
    ++counters_.restarts;
  } else {
    oldest_ = 0;
    newest_ = -options_.period;
  }
  shift_ = begin - position;
  clock_.begin_segment(begin, time);
  last_deviation_ = 0.0;
  started_ = true;
  restart_requested_ = false;
}

// A counter that began anew claims positions that its capture times contradict, and that the
// capture time before this one did not: a burst or a clock that was set moves both.
bool FrameSource::counter_restarted(std::int64_t timeline_position, double deviation) const {
  const auto lateness = static_cast<double>(options_.lateness);
  if (std::abs(deviation - last_deviation_) <= lateness) return false;
  return timeline_position <= newest_
             ? deviation > lateness
             : deviation < -lateness && timeline_position - newest_ > timeline_lateness_;
}

FrameSource::Push FrameSource::push_counted(std::optional<std::int64_t> position,
                                            std::int64_t capture, std::span<const float> rows,
                                            std::int64_t arrival) {
  Push push;
  const auto count = static_cast<std::int64_t>(rows.size() / ring_.dim());
  counters_.pushed += static_cast<std::uint64_t>(count);
  const std::int64_t time = capture - options_.latency + correction_;
  std::optional<std::int64_t> place;
  if (started_) {
    place = position ? on_timeline(*position) : add_within_span(next_, 0);
    if (!place) {
      // The timeline is bounded; whoever leaps about to its ends begins a new one.
      ring_.clear();
      clock_.reset();
      started_ = false;
      ++counters_.restarts;
    }
  }
  push.restarted = !started_ || restart_requested_ ||
                   (position && counter_restarted(*place, -clock_.time(*place, time)));
  if (push.restarted) {
    begin_count(position.value_or(0), time);
    place = position.value_or(0) + shift_;
  }
  const std::int64_t first = *place;
  const bool late = first < newest_ - timeline_lateness_;
  push.stored = store(first, rows);
  next_ = first + count * options_.period;
  if (late) return push;
  offer(first, next_ - options_.period);
  last_deviation_ = -clock_.time(first, time);
  push.step = clock_.observe(first, time, arrival);
  if (push.step.found) last_deviation_ = 0.0;
  return push;
}

FrameSource::Push FrameSource::push_uncounted(std::int64_t time, std::span<const float> rows,
                                              std::optional<std::int64_t> horizon) {
  Push push;
  const auto count = static_cast<std::uint64_t>(rows.size() / ring_.dim());
  counters_.pushed += count;
  const std::int64_t lateness = options_.lateness;
  const bool late = started_ && time < newest_ - lateness;
  const bool early = started_ && horizon && time > *horizon + lateness && time > newest_ + lateness;
  if (late || early) {
    // A slow producer stays late; but if it was the newest row that was mistaken, time is right.
    const bool plausible =
        early || !horizon || std::abs(time - *horizon) < std::abs(newest_ - *horizon);
    if (!restart_requested_ && !(++suspicious_ >= kPatience && plausible)) {
      (late ? counters_.late : counters_.early) += count;
      return push;
    }
    if (late) ring_.clear();
    ++counters_.restarts;
    newest_ = time;
  }
  suspicious_ = 0;
  restart_requested_ = false;
  if (!started_) newest_ = time;
  started_ = true;
  push.stored = store(time, rows);
  const std::int64_t last = time + (static_cast<std::int64_t>(count) - 1) * options_.period;
  newest_ = std::max(newest_, last);
  return push;
}

void FrameSource::correct(std::int64_t correction) {
  if (options_.has_counter() && started_) {
    clock_.shift_newest_segment(correction - correction_);
  }
  correction_ = correction;
  ++counters_.clock_jumps;
}

void FrameSource::book_step(double size) {
  ++counters_.steps;
  count_missing(size);
}

void FrameSource::count_missing(double size) {
  if (size > 0.5 * period_) expected_ += static_cast<std::uint64_t>(round_ticks(size / period_));
}

double FrameSource::time_of(std::int64_t timeline_position, std::int64_t base) const {
  return clock_.time(timeline_position, base);
}

std::optional<std::int64_t> FrameSource::newest_time() const {
  if (!started_) return std::nullopt;
  return options_.has_counter() ? clock_.time_ticks(newest_) : newest_;
}

void FrameSource::refit() {
  if (options_.has_counter() && started_) clock_.refit();
}

WindowGrid FrameSource::reference_grid(std::int64_t end, std::size_t frames) const {
  const auto period = static_cast<double>(frame_period_);
  WindowGrid grid{end, -period * static_cast<double>(frames), period, frames};
  if (ring_.size() == 0) return grid;
  const std::int64_t row = ring_.position(ring_.size() - 1);
  const double target = clock_.position(end - frame_period_) - static_cast<double>(row);
  const double away = std::round(target / static_cast<double>(options_.period));
  // Beyond 2^40 rows there is nothing to be in phase with.
  if (std::abs(away) * static_cast<double>(options_.period) > 0x1p60 || std::abs(away) > 0x1p40) {
    return grid;
  }
  grid.step = period * (1.0 + clock_.drift_ppm() * 1e-6);
  const std::int64_t last = row + static_cast<std::int64_t>(away) * options_.period;
  grid.first = clock_.time(last, end) - grid.step * static_cast<double>(frames - 1);
  return grid;
}

ClockEstimate FrameSource::estimate() const {
  ClockEstimate estimate;
  estimate.drift_ppm = clock_.drift_ppm();
  estimate.drift_sd_ppm = clock_.drift_sd_ppm();
  estimate.jitter = clock_.jitter();
  estimate.position = newest_ - shift_;
  estimate.time = clock_.time_ticks(newest_);
  estimate.observations = static_cast<std::int64_t>(clock_.observation_count());
  return estimate;
}

SourceCounters FrameSource::counters() const {
  SourceCounters counters = counters_;
  counters.missing = expected_ > counters.stored ? expected_ - counters.stored : 0;
  return counters;
}

}  // namespace edge_ser
