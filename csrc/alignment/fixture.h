// Windows with their own memory, and a usual set of sources: for the tests of the aligner.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "alignment/aligner.h"

namespace edge_ser::fixture {

inline SourceOptions audio_source(std::int64_t dim = 1) {
  SourceOptions options;
  options.name = "audio";
  options.dim = dim;
  return options;
}

/// A camera of 15 pictures a second whose own clock counts in 90 kHz.
inline SourceOptions camera_source(std::int64_t dim = 1) {
  SourceOptions options;
  options.name = "camera";
  options.dim = dim;
  options.clock_rate = 90000;
  options.period = 6000;
  options.fill = Fill::kHold;
  options.capacity = 256;
  return options;
}

/// Pictures whose capture time is all that is known of them.
inline SourceOptions face_source(std::int64_t dim = 1) {
  SourceOptions options;
  options.name = "face";
  options.dim = dim;
  options.clock_rate = 0;
  options.period = 1066;
  options.fill = Fill::kHold;
  options.max_age = 3200;
  options.capacity = 256;
  return options;
}

inline SourceOptions words_source(const std::string& follows = "") {
  SourceOptions options;
  options.name = "words";
  options.kind = SourceKind::kIntervals;
  options.follows = follows;
  options.capacity = 128;
  return options;
}

/// The answer to Aligner::window, one entry a source.
struct Window {
  std::vector<std::int64_t> times;
  std::vector<std::vector<float>> values;
  std::vector<std::vector<std::int64_t>> labels;
  std::vector<std::vector<std::uint8_t>> mask;
  std::vector<WindowSummary> summaries;

  bool operator==(const Window& other) const {
    return times == other.times && values == other.values && labels == other.labels &&
           mask == other.mask;
  }
};

inline Window window_of(Aligner& aligner, std::int64_t end, std::size_t frames) {
  const std::size_t count = aligner.sources().size();
  Window window;
  window.times.resize(frames);
  window.values.resize(count);
  window.labels.resize(count);
  window.mask.assign(count, std::vector<std::uint8_t>(frames, 7));
  window.summaries.resize(count);
  std::vector<WindowSlot> slots(count);
  for (std::size_t i = 0; i < count; ++i) {
    const SourceOptions& source = aligner.sources()[i];
    if (source.kind == SourceKind::kFrames) {
      window.values[i].assign(frames * static_cast<std::size_t>(source.dim), -7.0f);
    } else {
      window.labels[i].assign(frames, -7);
    }
    slots[i] = {window.values[i], window.labels[i], window.mask[i]};
  }
  aligner.window(end, frames, slots, window.summaries, window.times);
  return window;
}

/// Rows of one float: first, first + 1, ...
inline std::vector<float> ramp(std::int64_t first, std::size_t count) {
  std::vector<float> rows(count);
  for (std::size_t i = 0; i < count; ++i) {
    rows[i] = static_cast<float>(first + static_cast<std::int64_t>(i));
  }
  return rows;
}

}  // namespace edge_ser::fixture
