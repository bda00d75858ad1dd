#include <algorithm>
#include <cstdint>
#include <limits>
#include <optional>

#include "alignment/aligner.h"
#include "fuzz/bytes.h"

namespace {

using namespace edge_ser;

// Three kinds of 64-bit number: near the last one, within a minute of it, anything at all.
std::int64_t next_ticks(fuzz::Bytes& bytes, std::int64_t& last) {
  const std::uint8_t kind = bytes.take<std::uint8_t>();
  const std::int64_t step = kind < 160   ? bytes.take<std::uint16_t>() % 1024
                            : kind < 240 ? bytes.take<std::int32_t>() % 960000
                                         : 0;
  if (kind >= 240) {
    last = bytes.take<std::int64_t>();
  } else if (last < (std::int64_t{1} << 62) && last > -(std::int64_t{1} << 62)) {
    last += step;
  }
  return last;
}

SourceOptions source_options(fuzz::Bytes& bytes, const char* name) {
  SourceOptions options;
  options.name = name;
  options.dim = 1 + static_cast<std::int64_t>(bytes.below(3));
  options.fill = static_cast<Fill>(bytes.below(3));
  options.stamps = static_cast<Stamps>(bytes.below(2));
  options.capacity = 1 + static_cast<std::int64_t>(bytes.below(64));
  options.observations = 64 + static_cast<std::int64_t>(bytes.below(64));
  const std::uint8_t odd = bytes.take<std::uint8_t>();
  if (odd & 1) options.lateness = static_cast<std::int64_t>(bytes.below(100000));
  if (odd & 2) options.period = 1 + static_cast<std::int64_t>(bytes.below(10000));
  if (odd & 4) options.clock_rate = 1 + static_cast<std::int64_t>(bytes.below(200000));
  if (odd & 8) options.max_age = bytes.take<std::int64_t>() & ((std::int64_t{1} << 50) - 1);
  if (odd & 16) options.latency = bytes.take<std::int32_t>();
  if (odd & 32) options.horizon = 1 + static_cast<std::int64_t>(bytes.below(1000000));
  if (odd & 64) options.step = 1 + static_cast<std::int64_t>(bytes.below(1000));
  if (odd & 128) options.period = std::int64_t{1} << bytes.below(51);
  return options;
}

void check_window(Aligner& aligner, std::int64_t end, std::size_t frames) {
  const std::vector<SourceOptions>& sources = aligner.sources();
  std::vector<std::vector<float>> values(sources.size());
  std::vector<std::vector<std::int64_t>> labels(sources.size());
  std::vector<std::vector<std::uint8_t>> masks(sources.size());
  std::vector<WindowSlot> slots;
  std::vector<WindowSummary> summaries(sources.size());
  for (std::size_t i = 0; i < sources.size(); ++i) {
    const bool rows = sources[i].kind == SourceKind::kFrames;
    values[i].assign(rows ? frames * static_cast<std::size_t>(sources[i].dim) : 0, 5.0f);
    labels[i].assign(rows ? 0 : frames, 5);
    masks[i].assign(frames, 5);
    slots.push_back({values[i], labels[i], masks[i]});
  }
  std::vector<std::int64_t> times(frames);
  aligner.window(end, frames, slots, summaries, times);
  if (!std::ranges::is_sorted(times)) fuzz::fail("the frames' times are not in order");
  for (std::size_t i = 0; i < sources.size(); ++i) {
    fuzz::check_finite_values(values[i]);
    std::int64_t run = 0, longest = 0, covered = 0;
    for (std::size_t k = 0; k < frames; ++k) {
      if (masks[i][k] > 1) fuzz::fail("a mask is neither 0 nor 1");
      covered += masks[i][k];
      run = masks[i][k] ? 0 : run + 1;
      longest = std::max(longest, run);
      if (labels[i].empty()) {
        const std::size_t dim = values[i].size() / frames;
        for (std::size_t d = 0; d < dim && !masks[i][k]; ++d) {
          if (values[i][k * dim + d] != 0.0f) fuzz::fail("a masked frame is not zero");
        }
      } else if ((labels[i][k] >= 0) != (masks[i][k] == 1)) {
        fuzz::fail("label and mask disagree");
      }
    }
    if (summaries[i].covered != covered) fuzz::fail("covered is not what the mask says");
    if (summaries[i].largest_gap != longest * aligner.options().frame_period) {
      fuzz::fail("largest_gap is not what the mask says");
    }
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  fuzz::Bytes bytes(data, size);
  std::vector<SourceOptions> sources = {
      source_options(bytes, "audio"), source_options(bytes, "camera"),
      source_options(bytes, "face"), source_options(bytes, "words")};
  sources[2].clock_rate = 0;
  sources[3].kind = SourceKind::kIntervals;
  AlignerOptions options;
  const std::uint8_t choice = bytes.take<std::uint8_t>();
  if (choice & 1) sources[3].follows = "audio";
  if (choice & 2) {
    options.reference = "audio";
    sources[0].clock_rate = options.rate;
    sources[0].period = options.frame_period;
  }
  std::optional<Aligner> aligner;
  try {
    aligner.emplace(options, sources);
  } catch (const std::invalid_argument&) {
    return 0;
  }
  std::int64_t time = 0, positions[4] = {}, label = 0;
  std::vector<float> rows;
  while (bytes.left() > 0) {
    const std::uint8_t action = bytes.take<std::uint8_t>();
    const std::size_t source = action % 4;
    const auto dim = static_cast<std::size_t>(sources[source].dim);
    try {
      if (action < 200 && source < 3) {
        rows.assign(dim * (1 + bytes.below(4)), 1.0f);
        if (action > 190) rows[0] = bytes.take<float>();
        std::optional<std::int64_t> position;
        if (source < 2 && action % 8 < 6) position = next_ticks(bytes, positions[source]);
        aligner->push_frames(source, position, next_ticks(bytes, time), rows);
      } else if (action < 200) {
        std::int64_t& start = sources[3].follows.empty() ? time : positions[0];
        const std::int64_t from = next_ticks(bytes, start);
        const std::int64_t room =
            std::numeric_limits<std::int64_t>::max() - std::max<std::int64_t>(from, 0);
        const std::int64_t until = from + std::min<std::int64_t>(bytes.take<std::uint16_t>(), room);
        aligner->push_interval(3, from, until, label++);
      } else if (action < 235) {
        check_window(*aligner, next_ticks(bytes, time), 1 + bytes.below(40));
      } else if (action < 245) {
        aligner->erase_intervals(3, next_ticks(bytes, time));
      } else if (action < 250) {
        if (source < 3) aligner->restart(source);
      } else if (source < 2) {
        aligner->media_time(source, next_ticks(bytes, positions[source]));
      }
      aligner->newest(source);
    } catch (const std::invalid_argument&) {
      // A number beyond the limits was refused.
    }
    if (source == 3) continue;
    const SourceCounters counters = aligner->counters(source);
    if (counters.pushed != counters.stored + counters.late + counters.early + counters.duplicate +
                               counters.non_finite) {
      fuzz::fail("rows went astray");
    }
  }
  return 0;
}
