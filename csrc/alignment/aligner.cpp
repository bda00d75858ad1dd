#include "alignment/aligner.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <limits>
#include <stdexcept>
#include <string>

#include "alignment/tick_math.h"

namespace edge_ser {

namespace {

// A clock that was set back is told from jitter only by a step that jitter cannot make.
constexpr double kJump = 1600.0;
constexpr double kJumpScales = 10.0;
// Rounding of the lines: two instants closer than this are the same.
constexpr double kSameInstant = 0.5;
// Half a period reaches every instant between two rows; the rest pays for drift and rounding.
constexpr double kReach = 0.5 + 1.0 / 64.0;

void check_range(const std::string& what, std::int64_t value, std::int64_t low, std::int64_t high) {
  if (value >= low && value <= high) return;
  throw std::invalid_argument(what + " is " + std::to_string(value) + "; it must lie in " +
                              std::to_string(low) + ".." + std::to_string(high));
}

/// Ticks after `from`, a first reading.
std::int64_t relative(const char* what, std::int64_t ticks, std::int64_t from) {
  if (ticks < -kTickLimit || ticks > kTickLimit) {
    throw std::invalid_argument(std::string(what) + " is " + std::to_string(ticks) +
                                "; it must lie in -2^62..2^62");
  }
  const auto span = add_within_span(ticks, -from);
  if (!span) {
    throw std::invalid_argument(std::string(what) + " is " + std::to_string(ticks) +
                                ", absurdly far from the first, " + std::to_string(from));
  }
  return *span;
}

bool all_finite(std::span<const float> row) {
  constexpr std::uint32_t kExponent = 0x7f800000u;
  std::uint32_t bad = 0;
  for (const float value : row) {
    bad |=
        static_cast<std::uint32_t>((std::bit_cast<std::uint32_t>(value) & kExponent) == kExponent);
  }
  return bad == 0;
}

AlignerOptions validated(const AlignerOptions& options) {
  options.validate();
  return options;
}

}  // namespace

void AlignerOptions::validate() const {
  check_range("AlignerOptions.period", period, 1, std::int64_t{1} << 50);
  check_range("AlignerOptions.dim", dim, 1, 65536);
  check_range("AlignerOptions.capacity", capacity, 1, std::int64_t{1} << 22);
  check_range("AlignerOptions.capacity * dim", capacity * dim, 1, std::int64_t{1} << 28);
  check_range("AlignerOptions.observations", observations, 64, 65536);
}

Aligner::Aligner(const AlignerOptions& options)
    : options_(validated(options)),
      dim_(static_cast<std::size_t>(options.dim)),
      positions_(static_cast<std::size_t>(options.capacity)),
      rows_(static_cast<std::size_t>(options.capacity * options.dim)),
      clock_({.observations = static_cast<std::size_t>(options.observations)}),
      newest_(-options.period) {}

std::int64_t Aligner::since_epoch(const char* what, std::int64_t time) const {
  return relative(what, time, started_ ? epoch_ : time);
}

std::int64_t Aligner::on_timeline(std::int64_t position) const {
  return relative("position", position, started_ ? origin_ : position);
}

std::size_t Aligner::push(std::int64_t position, std::int64_t capture_time,
                          std::span<const float> rows) {
  const std::int64_t time = since_epoch("capture_time", capture_time) + correction_;
  const std::int64_t first = on_timeline(position);
  const auto count = static_cast<std::int64_t>(rows.size() / dim_);
  if (rows.size() % dim_ != 0 || WideTicks{options_.period} * count > kSpanLimit) {
    throw std::invalid_argument("rows are of " + std::to_string(dim_) + " floats, which " +
                                std::to_string(rows.size()) + " floats are not");
  }
  if (count == 0) return 0;
  if (!started_) {
    started_ = true;
    epoch_ = capture_time;
    origin_ = position;
  }
  counters_.pushed += static_cast<std::uint64_t>(count);
  const std::size_t stored = store(first, rows);
  const std::int64_t last = first + (count - 1) * options_.period;
  if (last > newest_) {
    const std::int64_t places = (last - newest_ + options_.period / 2) / options_.period;
    expected_ += static_cast<std::uint64_t>(places);
    newest_ = last;
  }
  if (const auto step = clock_.observe(first, time)) take_step(*step);
  return stored;
}

std::size_t Aligner::store(std::int64_t first, std::span<const float> rows) {
  const std::uint64_t before = counters_.stored;
  for (std::size_t i = 0; i * dim_ < rows.size(); ++i) {
    const std::span<const float> row = rows.subspan(i * dim_, dim_);
    const std::int64_t position = first + static_cast<std::int64_t>(i) * options_.period;
    if (position <= newest_) {
      ++counters_.repeated;
    } else if (!all_finite(row)) {
      ++counters_.non_finite;
    } else {
      positions_.append(position);
      const std::size_t slot = positions_.slot(positions_.size() - 1);
      std::ranges::copy(row, rows_.begin() + static_cast<std::ptrdiff_t>(slot * dim_));
      ++counters_.stored;
    }
  }
  return static_cast<std::size_t>(counters_.stored - before);
}

// Forward, sound was lost; back, the clock of the capture times was set: time cannot run backwards.
void Aligner::take_step(double size) {
  const double smallest = std::max(kJump, kJumpScales * clock_.jitter());
  const std::int64_t back = round_ticks(-size);
  const auto total = add_within_span(correction_, back);
  if (-size > smallest && total) {
    correction_ = *total;
    clock_.shift_newest_segment(back);
    ++counters_.clock_jumps;
    return;
  }
  ++counters_.steps;
  const auto period = static_cast<double>(options_.period);
  if (size > 0.5 * period) expected_ += static_cast<std::uint64_t>(round_ticks(size / period));
}

std::optional<std::int64_t> Aligner::media_time(std::int64_t position) {
  const std::int64_t place = on_timeline(position);
  if (!started_) return std::nullopt;
  clock_.refit();
  return clock_.time_ticks(place) + epoch_;
}

std::optional<Aligner::Drift> Aligner::drift() {
  if (!started_) return std::nullopt;
  clock_.refit();
  return Drift{clock_.drift_ppm(), clock_.drift_sd_ppm()};
}

AlignerCounters Aligner::counters() const {
  AlignerCounters counters = counters_;
  counters.missing = expected_ > counters.stored ? expected_ - counters.stored : 0;
  return counters;
}

std::int64_t Aligner::window(std::int64_t end, std::span<float> values,
                             std::span<std::uint8_t> mask) {
  const std::int64_t until = since_epoch("end", end);
  if (mask.empty() || values.size() != mask.size() * dim_ ||
      WideTicks{options_.period} * static_cast<std::int64_t>(mask.size()) > kSpanLimit) {
    throw std::invalid_argument(
        "a window has at least one frame, and values of dim floats a frame");
  }
  if (started_) clock_.refit();
  const Grid frames = grid(until, mask.size());
  sample(frames, values, mask);
  return end + round_ticks(frames.time(0));
}

Aligner::Grid Aligner::grid(std::int64_t end, std::size_t frames) const {
  const auto period = static_cast<double>(options_.period);
  Grid grid{end, -period * static_cast<double>(frames), period};
  if (positions_.empty()) return grid;
  const std::int64_t row = positions_.back();
  const double target = clock_.position(end - options_.period) - static_cast<double>(row);
  const double away = std::round(target / period);
  // Beyond 2^40 rows there is nothing to be in phase with.
  if (std::abs(away) * period > 0x1p60 || std::abs(away) > 0x1p40) return grid;
  grid.step = period * (1.0 + clock_.drift_ppm() * 1e-6);
  const std::int64_t last = row + static_cast<std::int64_t>(away) * options_.period;
  grid.first = clock_.time(last, end) - grid.step * static_cast<double>(frames - 1);
  return grid;
}

void Aligner::sample(const Grid& grid, std::span<float> values,
                     std::span<std::uint8_t> mask) const {
  constexpr double kNone = std::numeric_limits<double>::infinity();
  const double reach = static_cast<double>(options_.period) * kReach + kSameInstant;
  ClockEstimator::Cursor clock(clock_, grid.base);
  // From the newest row to older ones, and from the last frame to earlier ones.
  std::size_t next = positions_.size(), before = 0, after = 0;
  double before_time = kNone, after_time = kNone;
  const auto step_back = [&] {
    while (next > 0) {
      const double time = clock.time(positions_[--next]);
      // Where a step back of the clock makes rows overlap, those before it are passed over.
      if (time >= before_time) continue;
      before_time = time;
      before = next;
      return;
    }
    before_time = -kNone;
  };
  step_back();
  for (std::size_t k = mask.size(); k-- > 0;) {
    const double instant = grid.time(k);
    while (before_time > instant + kSameInstant) {
      after_time = before_time;
      after = before;
      step_back();
    }
    const double behind = instant - before_time, ahead = after_time - instant;
    const std::span<float> out = values.subspan(k * dim_, dim_);
    mask[k] = std::min(behind, ahead) <= reach ? 1 : 0;
    if (mask[k] == 0) {
      std::ranges::fill(out, 0.0f);
      continue;
    }
    const std::size_t row = positions_.slot(behind <= ahead ? before : after) * dim_;
    std::ranges::copy(std::span(rows_).subspan(row, dim_), out.begin());
  }
}

}  // namespace edge_ser
