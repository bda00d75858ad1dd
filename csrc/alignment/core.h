// What an Aligner does under its lock. Internal to it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <mutex>
#include <optional>
#include <span>
#include <string>
#include <variant>
#include <vector>

#include "alignment/aligner.h"
#include "alignment/source.h"

namespace edge_ser {

class Aligner::Core {
 public:
  Core(const AlignerOptions& options, const std::vector<SourceOptions>& sources);

  std::size_t push_frames(std::size_t index, std::optional<std::int64_t> position,
                          std::int64_t capture_time, std::span<const float> rows);
  bool push_interval(std::size_t index, std::int64_t start, std::int64_t end, std::int64_t label);
  void erase_intervals(std::size_t index, std::int64_t start);
  std::optional<std::int64_t> newest(std::size_t index);
  std::optional<std::int64_t> media_time(std::size_t index, std::int64_t position);
  void window(std::int64_t end, std::size_t frames, std::span<const WindowSlot> slots,
              std::span<WindowSummary> summaries, std::span<std::int64_t> times);
  void reset();

  SourceCounters counters(std::size_t index);
  std::optional<ClockEstimate> clock(std::size_t index);
  void request_restart(std::size_t index) { frames(index).request_restart(); }

  const AlignerOptions options;
  const std::vector<SourceOptions> source_options;
  std::mutex mutex;

 private:
  using Source = std::variant<FrameSource, IntervalSource>;

  Source& at(std::size_t index);
  FrameSource& frames(std::size_t index);
  IntervalSource& intervals(std::size_t index);
  std::string name(std::size_t index) const {
    return "source '" + source_options[index].name + "'";
  }
  FrameSource* followed(std::size_t index) {
    const std::optional<std::size_t> leader = follows_[index];
    return leader ? &std::get<FrameSource>(sources_[*leader]) : nullptr;
  }
  bool counted(std::size_t index) const { return source_options[index].has_counter(); }

  std::int64_t since_epoch(const char* what, std::int64_t time);
  std::int64_t interval_bound(std::size_t index, const char* what, std::int64_t time);
  std::int64_t corrected(std::int64_t time, const std::optional<std::int64_t>& now) const;
  std::optional<std::int64_t> newest_of_corrected(std::size_t except) const;
  void judge(std::size_t index, const FrameSource::Push& push);
  bool others_saw_no_step(std::size_t index, const ClockStep& step) const;

  std::vector<Source> sources_;
  std::vector<std::optional<std::size_t>> follows_;
  std::optional<std::size_t> reference_;
  std::optional<std::int64_t> epoch_;  // first capture time: inside, times count from it
  std::int64_t arrivals_ = 0;
  // What the clock of the capture times has been set back by, now and before its latest jump.
  std::int64_t correction_ = 0;
  std::int64_t correction_before_ = 0;
};

}  // namespace edge_ser
