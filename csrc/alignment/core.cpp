#include "alignment/core.h"

#include <algorithm>
#include <cmath>
#include <stdexcept>

#include "alignment/tick_math.h"

namespace edge_ser {

namespace {

// A clock that was set is told from a source's own trouble only by a step that jitter cannot make.
constexpr double kJumpSeconds = 0.1;
constexpr double kJumpScales = 10.0;

std::int64_t checked(const char* what, std::int64_t ticks) {
  if (ticks >= -kTickLimit && ticks <= kTickLimit) return ticks;
  throw std::invalid_argument(std::string(what) + " is " + std::to_string(ticks) +
                              "; it must lie in -2^62..2^62");
}

}  // namespace

Aligner::Core::Core(const AlignerOptions& aligner, const std::vector<SourceOptions>& sources)
    : options(aligner), source_options(sources) {
  options.validate();
  const auto index_of = [&](const std::string& wanted) -> std::optional<std::size_t> {
    for (std::size_t i = 0; i < sources.size(); ++i) {
      if (sources[i].name == wanted) return i;
    }
    return std::nullopt;
  };
  if (sources.empty()) throw std::invalid_argument("an aligner needs at least one source");
  sources_.reserve(sources.size());
  for (std::size_t i = 0; i < sources.size(); ++i) {
    const SourceOptions& source = sources[i];
    source.validate();
    if (source.name.empty()) {
      throw std::invalid_argument("source " + std::to_string(i) + " has no name");
    }
    if (index_of(source.name) != i)
      throw std::invalid_argument("two sources are called '" + source.name + "'");
    std::optional<std::size_t> follows;
    if (!source.follows.empty()) {
      follows = index_of(source.follows);
      if (!follows || !sources[*follows].has_counter()) {
        throw std::invalid_argument(name(i) + " follows '" + source.follows +
                                    "', which is no source with a counter");
      }
    }
    follows_.push_back(follows);
    if (source.kind == SourceKind::kFrames) {
      sources_.emplace_back(std::in_place_type<FrameSource>, source, options);
    } else {
      sources_.emplace_back(std::in_place_type<IntervalSource>, source, options.frame_period);
    }
  }
  if (options.reference.empty()) return;
  reference_ = index_of(options.reference);
  if (!reference_ || !counted(*reference_)) {
    throw std::invalid_argument("the reference '" + options.reference +
                                "' is no source with a counter");
  }
  const SourceOptions& reference = sources[*reference_];
  if (WideTicks{reference.period} * options.rate !=
      WideTicks{options.frame_period} * reference.clock_rate) {
    throw std::invalid_argument("the frames of the reference '" + options.reference +
                                "' are not frame_period apart");
  }
}

Aligner::Core::Source& Aligner::Core::at(std::size_t index) {
  if (index < sources_.size()) return sources_[index];
  throw std::invalid_argument("there is no source " + std::to_string(index) + "; there are " +
                              std::to_string(sources_.size()));
}

FrameSource& Aligner::Core::frames(std::size_t index) {
  FrameSource* source = std::get_if<FrameSource>(&at(index));
  if (!source) throw std::invalid_argument(name(index) + " holds intervals, not frames");
  return *source;
}

IntervalSource& Aligner::Core::intervals(std::size_t index) {
  IntervalSource* source = std::get_if<IntervalSource>(&at(index));
  if (!source) throw std::invalid_argument(name(index) + " holds frames, not intervals");
  return *source;
}

std::int64_t Aligner::Core::since_epoch(const char* what, std::int64_t time) {
  checked(what, time);
  const auto relative = add_within_span(time, -epoch_.value_or(time));
  if (!relative) {
    throw std::invalid_argument(std::string(what) + " is " + std::to_string(time) +
                                ", absurdly far from the first capture time " +
                                std::to_string(epoch_.value_or(0)));
  }
  return *relative;
}

std::size_t Aligner::Core::push_frames(std::size_t index, std::optional<std::int64_t> position,
                                       std::int64_t capture_time, std::span<const float> rows) {
  FrameSource& source = frames(index);
  const SourceOptions& chosen = source_options[index];
  const std::int64_t capture = since_epoch("capture_time", capture_time);
  if (position) checked("position", *position);
  if (position && !counted(index)) {
    throw std::invalid_argument(name(index) + " has no counter (clock_rate 0), so no position");
  }
  const auto dim = static_cast<std::size_t>(chosen.dim);
  if (rows.size() % dim != 0 ||
      WideTicks{chosen.period} * static_cast<std::int64_t>(rows.size() / dim) > kSpanLimit) {
    throw std::invalid_argument(name(index) + " takes rows of " + std::to_string(dim) +
                                " floats, not " + std::to_string(rows.size()) + " floats");
  }
  if (rows.empty()) return 0;
  if (!epoch_) epoch_ = capture_time;
  if (counted(index)) {
    if (!source.started()) source.begin_with(correction_);
    const FrameSource::Push push = source.push_counted(position, capture, rows, arrivals_++);
    judge(index, push);
    return push.stored;
  }
  const auto horizon = newest_of_corrected(sources_.size());
  const std::int64_t time = corrected(capture - chosen.latency, horizon);
  return source.push_uncounted(time, rows, horizon).stored;
}

// Newest media time of the sources with counters that know of the latest correction.
std::optional<std::int64_t> Aligner::Core::newest_of_corrected(std::size_t except) const {
  std::optional<std::int64_t> newest;
  for (std::size_t i = 0; i < sources_.size(); ++i) {
    if (i == except || !counted(i)) continue;
    const FrameSource& source = std::get<FrameSource>(sources_[i]);
    if (!source.started() || source.correction() != correction_) continue;
    newest = std::max(newest, source.newest_time());
  }
  return newest;
}

// A capture time as media time: read before or after the clock was set back, whichever is nearer
// to where the other sources are.
std::int64_t Aligner::Core::corrected(std::int64_t time,
                                      const std::optional<std::int64_t>& now) const {
  const std::int64_t after = time + correction_, before = time + correction_before_;
  return now && std::abs(before - *now) < std::abs(after - *now) ? before : after;
}

bool Aligner::Core::others_saw_no_step(std::size_t index, const ClockStep& step) const {
  for (std::size_t i = 0; i < sources_.size(); ++i) {
    if (i == index || !counted(i)) continue;
    const FrameSource& other = std::get<FrameSource>(sources_[i]);
    const auto deviation = other.clock().deviation_since(step.first_arrival);
    if (deviation.count > 0 && deviation.median > 0.5 * step.size) return true;
  }
  return false;
}

// Whose step is it: the source's own, or that of the clock which all capture times are read from?
void Aligner::Core::judge(std::size_t index, const FrameSource::Push& push) {
  if (!push.step.found && !push.restarted) return;
  FrameSource& source = std::get<FrameSource>(sources_[index]);
  if (source.correction() != correction_) {
    // Others have found that the clock was set back. This one's new times were read after that if
    // they then fall where the others are.
    const auto now = newest_of_corrected(index);
    const std::int64_t missed = correction_ - source.correction();
    const auto own = source.newest_time();
    if (now && own && std::abs(*own + missed - *now) < std::abs(*own - *now)) {
      source.correct(correction_);
      return;
    }
  }
  if (push.step.found) {
    const double jitter = kJumpScales * source.clock().jitter();
    const double smallest = std::max(kJumpSeconds * static_cast<double>(options.rate), jitter);
    const std::int64_t back = round_ticks(-push.step.size);
    const auto total = add_within_span(source.correction(), back);
    // Time cannot run backwards: either the clock was set, or this source's own stamps are odd.
    if (-push.step.size > smallest && total && !others_saw_no_step(index, push.step)) {
      correction_before_ = correction_;
      correction_ = *total;
      source.correct(correction_);
      return;
    }
    source.book_step(push.step.size);
  }
}

std::int64_t Aligner::Core::interval_bound(std::size_t index, const char* what, std::int64_t time) {
  const FrameSource* leader = followed(index);
  if (!leader) {
    const std::int64_t relative = since_epoch(what, time) - source_options[index].latency;
    return corrected(relative, newest_of_corrected(sources_.size()));
  }
  const auto place = leader->on_timeline(checked(what, time));
  if (!place) {
    throw std::invalid_argument(std::string(what) + " is " + std::to_string(time) +
                                ", absurdly far from the counter of '" +
                                source_options[index].follows + "'");
  }
  return *place;
}

bool Aligner::Core::push_interval(std::size_t index, std::int64_t start, std::int64_t end,
                                  std::int64_t label) {
  IntervalSource& source = intervals(index);
  if (end <= start) {
    throw std::invalid_argument("an interval must end after it starts, not at " +
                                std::to_string(end) + " after " + std::to_string(start));
  }
  if (label < 0) {
    throw std::invalid_argument("a label must not be negative, like " + std::to_string(label));
  }
  const FrameSource* leader = followed(index);
  if (leader && !leader->started()) {
    throw std::invalid_argument(name(index) + " follows '" + source_options[index].follows +
                                "', which has not begun to count");
  }
  if (!leader && !epoch_) {
    checked("start", start);
    checked("end", end);
    epoch_ = start;
  }
  const std::int64_t from = interval_bound(index, "start", start);
  const std::int64_t to = interval_bound(index, "end", end);
  const std::int64_t rate = leader ? leader->options().clock_rate : options.rate;
  const std::int64_t lateness =
      std::min(rescale_ticks(source_options[index].lateness, options.rate, rate), kSpanLimit);
  return source.push(from, to, label, lateness);
}

void Aligner::Core::erase_intervals(std::size_t index, std::int64_t start) {
  IntervalSource& source = intervals(index);
  const FrameSource* leader = followed(index);
  if (leader ? !leader->started() : !epoch_) return;
  source.erase_from(interval_bound(index, "start", start));
}

std::optional<std::int64_t> Aligner::Core::newest(std::size_t index) {
  std::optional<std::int64_t> time;
  if (FrameSource* source = std::get_if<FrameSource>(&at(index))) {
    source->refit();
    time = source->newest_time();
  } else {
    FrameSource* leader = followed(index);
    if (leader) leader->refit();
    time = intervals(index).newest_time(leader);
  }
  if (time) *time += epoch_.value_or(0);
  return time;
}

std::optional<std::int64_t> Aligner::Core::media_time(std::size_t index, std::int64_t position) {
  FrameSource& source = frames(index);
  checked("position", position);
  if (!counted(index)) throw std::invalid_argument(name(index) + " has no counter (clock_rate 0)");
  if (!source.started()) return std::nullopt;
  const auto place = source.on_timeline(position);
  if (!place) {
    throw std::invalid_argument("position is " + std::to_string(position) +
                                ", absurdly far from the counter of " + name(index));
  }
  source.refit();
  return source.clock().time_ticks(*place) + epoch_.value_or(0);
}

SourceCounters Aligner::Core::counters(std::size_t index) {
  return std::visit([](const auto& source) { return source.counters(); }, at(index));
}

std::optional<ClockEstimate> Aligner::Core::clock(std::size_t index) {
  FrameSource& source = frames(index);
  if (!counted(index) || !source.started()) return std::nullopt;
  source.refit();
  ClockEstimate estimate = source.estimate();
  estimate.time += epoch_.value_or(0);
  return estimate;
}

void Aligner::Core::reset() {
  for (auto& source : sources_) std::visit([](auto& any) { any.reset(); }, source);
  epoch_.reset();
  arrivals_ = correction_ = correction_before_ = 0;
}

}  // namespace edge_ser
