#include "alignment/clock_estimator.h"

#include <algorithm>
#include <cmath>

#include "alignment/tick_math.h"

namespace edge_ser {

namespace {

// A large step shows in few readings, a small one must wait for the jitter to average out.
constexpr std::size_t kFastCount = 6;
constexpr double kFastScales = 10.0;
constexpr std::size_t kSlowCount = 24;
constexpr double kSlowScales = 2.0;  // seven standard deviations of the difference of two medians
constexpr std::size_t kReferenceCount = 96;
// In a burst lateness falls by a tick a tick: slope -1. Jitter alone stays far above this.
constexpr double kBurstSlope = -0.3;
// Readings that straddle a step, or lie in a burst, scatter more than jitter does.
constexpr double kSpreadScales = 2.0;

double median_of(double* values, std::size_t count) {
  const std::size_t middle = count / 2;
  std::nth_element(values, values + middle, values + count);
  if (count % 2 == 1) return values[middle];
  return 0.5 * (values[middle] + *std::max_element(values, values + middle));
}

}  // namespace

ClockEstimator::ClockEstimator(const ClockEstimatorOptions& options)
    : options_(options), observations_(options.observations), fit_(options.observations) {}

void ClockEstimator::append_segment(std::int64_t position, std::int64_t time) {
  if (segment_count_ == kMaxSegments) {
    std::copy(segments_.begin() + 1, segments_.end(), segments_.begin());
    --segment_count_;
    observations_.drop_front(observations_.lower_bound({segments_[0].begin, 0}));
  }
  segments_[segment_count_++] = {position, position, time, 0.0};
}

std::size_t ClockEstimator::segment_of(std::int64_t position) const {
  std::size_t i = segment_count_ - 1;
  while (i > 0 && position < segments_[i].begin) --i;
  return i;
}

double ClockEstimator::time_in(const Segment& segment, std::int64_t position,
                               std::int64_t base) const {
  const double since_anchor = static_cast<double>(position - segment.anchor_position);
  return static_cast<double>(segment.anchor_time - base) + segment.offset + since_anchor +
         drift_ * since_anchor;
}

double ClockEstimator::time(std::int64_t position, std::int64_t base) const {
  return time_in(segments_[segment_of(position)], position, base);
}

std::int64_t ClockEstimator::time_ticks(std::int64_t position) const {
  const Segment& segment = segments_[segment_of(position)];
  return segment.anchor_time + round_ticks(time_in(segment, position, segment.anchor_time));
}

double ClockEstimator::position(std::int64_t time) const {
  const Segment& segment = segments_[segment_count_ - 1];
  const double since_anchor = static_cast<double>(time - segment.anchor_time) - segment.offset;
  return static_cast<double>(segment.anchor_position) + since_anchor / (1.0 + drift_);
}

double ClockEstimator::off_line(const Observation& observation, double drift) const {
  const Segment& segment = segments_[segment_of(observation.position)];
  const double since_anchor = static_cast<double>(observation.position - segment.anchor_position);
  return static_cast<double>(observation.time - segment.anchor_time) - segment.offset -
         since_anchor - drift * since_anchor;
}

void ClockEstimator::refit() {
  if (since_refit_ == 0) return;
  since_refit_ = 0;
  fit_.clear();
  std::array<std::size_t, kMaxSegments> fitted{};
  std::size_t groups = 0;
  const std::int64_t newest = observations_.back().position;
  std::size_t begin = 0;
  for (std::size_t s = 0; s < segment_count_ && begin < observations_.size(); ++s) {
    const std::size_t end = s + 1 == segment_count_
                                ? observations_.size()
                                : observations_.lower_bound({segments_[s + 1].begin, 0});
    if (end <= begin) continue;
    Segment& segment = segments_[s];
    segment.anchor_position = observations_[end - 1].position;
    segment.anchor_time = observations_[end - 1].time;
    fit_.begin_group();
    fitted[groups++] = s;
    for (std::size_t i = begin; i < end; ++i) {
      const Observation& o = observations_[i];
      fit_.add(static_cast<double>(o.position - newest),
               static_cast<double>(o.time - segment.anchor_time) -
                   static_cast<double>(o.position - segment.anchor_position));
    }
    begin = end;
  }
  const double bound = options_.max_drift_ppm * 1e-6;
  fit_.solve(0.5 * bound);
  drift_ = std::clamp(fit_.slope(), -bound, bound);
  jitter_ = fit_.scale();
  for (std::size_t g = 0; g < groups; ++g) {
    Segment& segment = segments_[fitted[g]];
    const double x = static_cast<double>(segment.anchor_position - newest);
    segment.offset = fit_.offset(g) + fit_.slope() * x;
  }
}

std::optional<double> ClockEstimator::observe(std::int64_t position, std::int64_t time) {
  if (segment_count_ == 0) append_segment(position, time);
  if (!observations_.empty() && position <= observations_.back().position) return std::nullopt;
  observations_.append({position, time});
  ++since_refit_;
  std::size_t stale = 0;
  while (static_cast<double>(position - observations_[stale].position) >
         static_cast<double>(options_.horizon)) {
    ++stale;
  }
  observations_.drop_front(stale);
  if (since_refit_ >= std::max(observations_.size() / 8, std::size_t{8})) refit();
  return find_step();
}

// Median deviation from the line of some readings, and the median distance from that.
ClockEstimator::Level ClockEstimator::level(std::size_t begin, std::size_t end) const {
  std::array<double, kReferenceCount> values;
  for (std::size_t i = begin; i < end; ++i) {
    values[i - begin] = off_line(observations_[i], drift_);
  }
  Level level;
  level.median = median_of(values.data(), end - begin);
  for (std::size_t i = 0; i < end - begin; ++i) values[i] = std::abs(values[i] - level.median);
  level.spread = median_of(values.data(), end - begin);
  return level;
}

// The step between the last `count` readings and those before them in the segment; 0 if none.
double ClockEstimator::step_over_last(std::size_t count, std::size_t begin) const {
  const std::size_t size = observations_.size();
  if (size < begin + 2 * count) return 0.0;
  const std::size_t split = size - count;
  const std::size_t reference = split - std::min(split - begin, kReferenceCount);
  const bool fast = count == kFastCount;
  const double threshold =
      std::max(static_cast<double>(options_.step), (fast ? kFastScales : kSlowScales) * jitter_);
  // Almost every reading ends here: with no step, few of the last lie so far off the line.
  std::size_t far = 0;
  for (std::size_t i = split; i < size; ++i) {
    far += std::abs(off_line(observations_[i], drift_)) > 0.25 * threshold ? 1 : 0;
  }
  if (2 * far < count) return 0.0;

  const Level before = level(reference, split), after = level(split, size);
  const double step = after.median - before.median;
  if (std::abs(step) <= threshold) return 0.0;
  // Neither side may be a burst, or straddle something else.
  const double spread =
      std::max(0.25 * static_cast<double>(options_.step), kSpreadScales * jitter_);
  if (before.spread > spread || (!fast && after.spread > spread)) return 0.0;

  double mean_x = 0.0, mean_y = 0.0, sxx = 0.0, sxy = 0.0;
  bool one_side = true;
  const std::int64_t origin = observations_[split].position;
  for (std::size_t i = split; i < size; ++i) {
    const double y = off_line(observations_[i], drift_) - before.median;
    one_side = one_side && y / step > 0.5;
    mean_x += static_cast<double>(observations_[i].position - origin);
    mean_y += y;
  }
  mean_x /= static_cast<double>(count);
  mean_y /= static_cast<double>(count);
  for (std::size_t i = split; i < size; ++i) {
    const double dx = static_cast<double>(observations_[i].position - origin) - mean_x;
    sxx += dx * dx;
    sxy += dx * (off_line(observations_[i], drift_) - before.median - mean_y);
  }
  if (sxx > 0.0 && sxy / sxx < kBurstSlope) return 0.0;
  return !fast || one_side ? step : 0.0;
}

// The split of the last readings that separates two levels best.
std::size_t ClockEstimator::step_origin(std::size_t begin) const {
  const std::size_t size = observations_.size();
  const std::size_t first = size - std::min(size - begin, 2 * kSlowCount);
  double total = 0.0;
  for (std::size_t i = first; i < size; ++i) total += off_line(observations_[i], drift_);
  std::size_t best = size - kFastCount;
  double best_separation = -1.0, head = 0.0;
  for (std::size_t i = first + 1; i < size; ++i) {
    head += off_line(observations_[i - 1], drift_);
    const auto before = static_cast<double>(i - first), after = static_cast<double>(size - i);
    const double difference = head / before - (total - head) / after;
    const double separation = before * after * difference * difference;
    if (separation > best_separation) {
      best_separation = separation;
      best = i;
    }
  }
  return best;
}

std::optional<double> ClockEstimator::find_step() {
  const std::size_t begin = observations_.lower_bound({newest_segment_begin(), 0});
  if (step_over_last(kFastCount, begin) == 0.0 && step_over_last(kSlowCount, begin) == 0.0) {
    return std::nullopt;
  }
  const std::size_t split = step_origin(begin);
  const std::int64_t position = observations_[split].position;
  append_segment(position, observations_[split].time);
  since_refit_ = std::max<std::size_t>(since_refit_, 1);
  refit();
  const Segment& newer = segments_[segment_count_ - 1];
  return time_in(newer, position, newer.anchor_time) -
         time_in(segments_[segment_count_ - 2], position, newer.anchor_time);
}

void ClockEstimator::shift_newest_segment(std::int64_t ticks) {
  Segment& segment = segments_[segment_count_ - 1];
  segment.anchor_time += ticks;
  for (std::size_t i = observations_.lower_bound({segment.begin, 0}); i < observations_.size();
       ++i) {
    observations_[i].time += ticks;
  }
}

ClockEstimator::Cursor::Cursor(const ClockEstimator& clock, std::int64_t base)
    : clock_(clock), base_(base), segment_(clock.segment_count_ - 1) {}

double ClockEstimator::Cursor::time(std::int64_t position) {
  while (segment_ > 0 && position < clock_.segments_[segment_].begin) --segment_;
  return clock_.time_in(clock_.segments_[segment_], position, base_);
}

}  // namespace edge_ser
