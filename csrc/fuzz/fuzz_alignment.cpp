#include <cstdint>

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

void check_window(Aligner& aligner, std::int64_t end, std::size_t frames) {
  const auto dim = static_cast<std::size_t>(aligner.options().dim);
  std::vector<float> values(frames * dim, 5.0f);
  std::vector<std::uint8_t> mask(frames, 5);
  aligner.window(end, values, mask);
  fuzz::check_finite_values(values);
  for (std::size_t k = 0; k < frames; ++k) {
    if (mask[k] > 1) fuzz::fail("a mask is neither 0 nor 1");
    for (std::size_t d = 0; d < dim && !mask[k]; ++d) {
      if (values[k * dim + d] != 0.0f) fuzz::fail("a masked frame is not zero");
    }
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  fuzz::Bytes bytes(data, size);
  AlignerOptions options;
  options.dim = 1 + static_cast<std::int64_t>(bytes.below(3));
  options.capacity = 1 + static_cast<std::int64_t>(bytes.below(64));
  options.observations = 64 + static_cast<std::int64_t>(bytes.below(64));
  const std::uint8_t odd = bytes.take<std::uint8_t>();
  if (odd & 1) options.period = 1 + static_cast<std::int64_t>(bytes.below(10000));
  if (odd & 2) options.period = std::int64_t{1} << bytes.below(51);
  Aligner aligner(options);
  std::int64_t time = 0, position = 0;
  std::vector<float> rows;
  while (bytes.left() > 0) {
    const std::uint8_t action = bytes.take<std::uint8_t>();
    try {
      if (action < 200) {
        rows.assign(static_cast<std::size_t>(options.dim) * (1 + bytes.below(4)), 1.0f);
        if (action > 190) rows[0] = bytes.take<float>();
        const std::int64_t place = next_ticks(bytes, position);
        aligner.push(place, next_ticks(bytes, time), rows);
      } else if (action < 240) {
        check_window(aligner, next_ticks(bytes, time), 1 + bytes.below(40));
      } else {
        aligner.media_time(next_ticks(bytes, position));
        aligner.drift();
      }
    } catch (const std::invalid_argument&) {
      // A number beyond the limits was refused.
    }
    const AlignerCounters counters = aligner.counters();
    if (counters.pushed != counters.stored + counters.repeated + counters.non_finite) {
      fuzz::fail("rows went astray");
    }
  }
  return 0;
}
