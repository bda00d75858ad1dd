#include "alignment/aligner.h"

#include <mutex>
#include <stdexcept>
#include <string>

#include "alignment/core.h"

namespace edge_ser {

Aligner::Aligner(const AlignerOptions& options, const std::vector<SourceOptions>& sources)
    : core_(std::make_unique<Core>(options, sources)) {}
Aligner::~Aligner() = default;
Aligner::Aligner(Aligner&&) noexcept = default;
Aligner& Aligner::operator=(Aligner&&) noexcept = default;

const AlignerOptions& Aligner::options() const { return core_->options; }
const std::vector<SourceOptions>& Aligner::sources() const { return core_->source_options; }

std::size_t Aligner::source(std::string_view name) const {
  for (std::size_t i = 0; i < sources().size(); ++i) {
    if (sources()[i].name == name) return i;
  }
  std::string known;
  for (const SourceOptions& source : sources())
    known.append(known.empty() ? "" : ", ").append(source.name);
  throw std::invalid_argument("there is no source '" + std::string(name) +
                              "'; there are: " + known);
}

std::size_t Aligner::push_frames(std::size_t source, std::optional<std::int64_t> position,
                                 std::int64_t capture_time, std::span<const float> rows) {
  const std::lock_guard lock(core_->mutex);
  return core_->push_frames(source, position, capture_time, rows);
}

bool Aligner::push_interval(std::size_t source, std::int64_t start, std::int64_t end,
                            std::int64_t label) {
  const std::lock_guard lock(core_->mutex);
  return core_->push_interval(source, start, end, label);
}

void Aligner::erase_intervals(std::size_t source, std::int64_t start) {
  const std::lock_guard lock(core_->mutex);
  core_->erase_intervals(source, start);
}

void Aligner::restart(std::size_t source) {
  const std::lock_guard lock(core_->mutex);
  core_->request_restart(source);
}

std::optional<std::int64_t> Aligner::newest(std::size_t source) {
  const std::lock_guard lock(core_->mutex);
  return core_->newest(source);
}

std::optional<std::int64_t> Aligner::media_time(std::size_t source, std::int64_t position) {
  const std::lock_guard lock(core_->mutex);
  return core_->media_time(source, position);
}

void Aligner::window(std::int64_t end, std::size_t frames, std::span<const WindowSlot> slots,
                     std::span<WindowSummary> summaries, std::span<std::int64_t> times) {
  const std::lock_guard lock(core_->mutex);
  core_->window(end, frames, slots, summaries, times);
}

SourceCounters Aligner::counters(std::size_t source) const {
  const std::lock_guard lock(core_->mutex);
  return core_->counters(source);
}

std::optional<ClockEstimate> Aligner::clock(std::size_t source) {
  const std::lock_guard lock(core_->mutex);
  return core_->clock(source);
}

void Aligner::reset() {
  const std::lock_guard lock(core_->mutex);
  core_->reset();
}

}  // namespace edge_ser
