// How rows and intervals are laid on the grid of a window.
#include <algorithm>
#include <cmath>
#include <limits>
#include <stdexcept>

#include "alignment/core.h"
#include "alignment/source.h"
#include "alignment/tick_math.h"

namespace edge_ser {

namespace {

constexpr double kSameInstant = 0.5;
constexpr double kNone = std::numeric_limits<double>::infinity();

/// Walks a ring from its newest row to older ones. Where a step back of the clock makes rows
/// overlap in time, those that came before it are passed over.
class BackwardRows {
 public:
  BackwardRows(const FrameRing& ring, const FrameSource& source, std::int64_t base)
      : ring_(ring), base_(base), next_(ring.size()) {
    if (source.options().has_counter() && source.started()) cursor_.emplace(source.clock(), base);
    advance();
  }
  bool done() const { return done_; }
  double time() const { return time_; }
  std::size_t index() const { return index_; }

  void advance() {
    while (next_ > 0) {
      --next_;
      const std::int64_t position = ring_.position(next_);
      const double time = cursor_ ? cursor_->time(position) : static_cast<double>(position - base_);
      if (time >= time_) continue;
      time_ = time;
      index_ = next_;
      return;
    }
    done_ = true;
  }

 private:
  const FrameRing& ring_;
  std::int64_t base_;
  std::optional<ClockEstimator::Cursor> cursor_;
  std::size_t next_;
  std::size_t index_ = 0;
  double time_ = kNone;
  bool done_ = false;
};

/// Counts masked and covered frames, frame after frame.
class GapCount {
 public:
  void add(bool covered) {
    covered_ += covered ? 1 : 0;
    run_ = covered ? 0 : run_ + 1;
    longest_ = std::max(longest_, run_);
  }
  void write(std::int64_t frame_period, WindowSummary& summary) const {
    summary.covered = covered_;
    summary.largest_gap = longest_ * frame_period;
  }

 private:
  std::int64_t covered_ = 0, run_ = 0, longest_ = 0;
};

/// The oldest and newest instants used.
class Extent {
 public:
  void add(double from, double to) {
    from_ = std::min(from_, from);
    to_ = std::max(to_, to);
  }
  void write(std::int64_t base, WindowSummary& summary) const {
    if (from_ > to_) return;
    summary.oldest = base + round_ticks(from_);
    summary.newest = base + round_ticks(to_);
  }

 private:
  double from_ = kNone, to_ = -kNone;
};

}  // namespace

void FrameSource::sample(const WindowGrid& grid, const WindowSlot& slot,
                         WindowSummary& summary) const {
  const std::size_t dim = ring_.dim();
  BackwardRows rows(ring_, *this, grid.base);
  double after_time = kNone;
  std::size_t after = 0;
  GapCount gaps;
  Extent extent;
  for (std::size_t k = grid.frames; k-- > 0;) {
    const double t = grid.time(k);
    while (!rows.done() && rows.time() > t + kSameInstant) {
      after_time = rows.time();
      after = rows.index();
      rows.advance();
    }
    const double before_time = rows.done() ? -kNone : rows.time();
    const std::size_t before = rows.index();
    const double behind = t - before_time, ahead = after_time - t;
    const std::span<float> out = slot.values.subspan(k * dim, dim);
    bool covered = false;
    const auto copy = [&](std::size_t row, double time) {
      std::ranges::copy(ring_.row(row), out.begin());
      extent.add(time, time);
      covered = true;
    };
    switch (options_.fill) {
      case Fill::kNearest:
        if (std::min(behind, ahead) <= max_age_) {
          behind <= ahead ? copy(before, before_time) : copy(after, after_time);
        }
        break;
      case Fill::kHold:
        if (behind <= max_age_) copy(before, before_time);
        break;
      case Fill::kLinear:
        if (behind <= kSameInstant) {
          copy(before, before_time);
        } else if (behind + ahead <= max_age_) {
          const double weight = behind / (behind + ahead);
          const std::span<const float> a = ring_.row(before), b = ring_.row(after);
          // In double: neither the difference nor the sum of two huge rows may overflow.
          for (std::size_t i = 0; i < dim; ++i) {
            out[i] = static_cast<float>(a[i] * (1.0 - weight) + b[i] * weight);
          }
          extent.add(before_time, after_time);
          covered = true;
        }
        break;
    }
    if (!covered) std::ranges::fill(out, 0.0f);
    slot.mask[k] = covered ? 1 : 0;
    gaps.add(covered);
  }
  gaps.write(frame_period_, summary);
  extent.write(grid.base, summary);
}

IntervalSource::IntervalSource(const SourceOptions& options, std::int64_t frame_period)
    : frame_period_(frame_period), ring_(static_cast<std::size_t>(options.capacity)) {}

bool IntervalSource::push(std::int64_t start, std::int64_t end, std::int64_t label,
                          std::int64_t lateness) {
  ++counters_.pushed;
  if (!ring_.empty() && start < ring_.back().start - lateness) {
    ++counters_.late;
    return false;
  }
  switch (ring_.insert({start, end, label})) {
    case Insertion::kStored:
      ++counters_.stored;
      return true;
    case Insertion::kDuplicate:
      ++counters_.duplicate;
      return false;
    case Insertion::kTooOld:
      break;
  }
  ++counters_.late;
  return false;
}

void IntervalSource::erase_from(std::int64_t start) {
  constexpr std::int64_t kLowest = std::numeric_limits<std::int64_t>::min();
  ring_.truncate(ring_.lower_bound({start, kLowest, kLowest}));
}

void IntervalSource::reset() {
  ring_.clear();
  counters_ = {};
}

void IntervalSource::sample(const WindowGrid& grid, const FrameSource* followed,
                            const WindowSlot& slot, WindowSummary& summary) const {
  std::ranges::fill(slot.labels, std::int64_t{-1});
  Extent extent;
  const auto time = [&](std::int64_t position) {
    return followed ? followed->time_of(position, grid.base)
                    : static_cast<double>(position - grid.base);
  };
  // First frame at or after an instant.
  const auto frame = [&](double instant) {
    const double k = std::ceil((instant - grid.first) / grid.step - 1e-6);
    return static_cast<std::size_t>(std::clamp(k, 0.0, static_cast<double>(grid.frames)));
  };
  // In the order of their starts: one that started later paints over those before.
  for (std::size_t i = 0; i < ring_.size(); ++i) {
    // The end by way of the last tick inside: a loss right after it is not part of the interval.
    const double from = time(ring_[i].start);
    const double to = time(ring_[i].end - 1) + (followed ? followed->tick() : 1.0);
    const std::size_t begin = frame(from), end = frame(to);
    if (begin >= end) continue;
    std::fill(slot.labels.begin() + static_cast<std::ptrdiff_t>(begin),
              slot.labels.begin() + static_cast<std::ptrdiff_t>(end), ring_[i].label);
    extent.add(from, to);
  }
  GapCount gaps;
  for (std::size_t k = 0; k < grid.frames; ++k) {
    slot.mask[k] = slot.labels[k] >= 0 ? 1 : 0;
    gaps.add(slot.mask[k] != 0);
  }
  gaps.write(frame_period_, summary);
  extent.write(grid.base, summary);
}

std::optional<std::int64_t> IntervalSource::newest_time(const FrameSource* followed) const {
  if (ring_.empty()) return std::nullopt;
  std::int64_t newest = ring_[0].end;
  for (std::size_t i = 1; i < ring_.size(); ++i) newest = std::max(newest, ring_[i].end);
  return followed ? followed->clock().time_ticks(newest - 1) + round_ticks(followed->tick())
                  : newest;
}

void Aligner::Core::window(std::int64_t end, std::size_t frames, std::span<const WindowSlot> slots,
                           std::span<WindowSummary> summaries, std::span<std::int64_t> times) {
  const std::int64_t relative = since_epoch("end", end);
  const auto fits = [&](std::size_t size, std::int64_t width) {
    return size == frames * static_cast<std::size_t>(width);
  };
  bool good = slots.size() == sources_.size() && summaries.size() == slots.size() && frames > 0 &&
              WideTicks{options.frame_period} * static_cast<std::int64_t>(frames) <= kSpanLimit &&
              (times.empty() || fits(times.size(), 1));
  for (std::size_t i = 0; good && i < slots.size(); ++i) {
    if (slots[i].mask.empty()) continue;
    const bool rows = source_options[i].kind == SourceKind::kFrames;
    good =
        fits(slots[i].mask.size(), 1) && (rows ? fits(slots[i].values.size(), source_options[i].dim)
                                               : fits(slots[i].labels.size(), 1));
  }
  if (!good) {
    throw std::invalid_argument(
        "a window has at least one frame, and one slot and one summary of "
        "fitting size for each source");
  }
  for (auto& source : sources_) {
    if (auto* rows = std::get_if<FrameSource>(&source)) rows->refit();
  }
  const auto period = static_cast<double>(options.frame_period);
  WindowGrid grid{relative, -period * static_cast<double>(frames), period, frames};
  if (reference_) {
    const FrameSource& reference = std::get<FrameSource>(sources_[*reference_]);
    if (reference.started()) grid = reference.reference_grid(relative, frames);
  }
  for (std::size_t k = 0; k < times.size(); ++k) times[k] = end + round_ticks(grid.time(k));
  for (std::size_t i = 0; i < slots.size(); ++i) {
    summaries[i] = {};
    if (slots[i].mask.empty()) continue;
    if (const auto* rows = std::get_if<FrameSource>(&sources_[i])) {
      rows->sample(grid, slots[i], summaries[i]);
    } else {
      std::get<IntervalSource>(sources_[i]).sample(grid, followed(i), slots[i], summaries[i]);
    }
    if (summaries[i].covered > 0) {
      summaries[i].oldest += epoch_.value_or(0);
      summaries[i].newest += epoch_.value_or(0);
    }
  }
}

}  // namespace edge_ser
