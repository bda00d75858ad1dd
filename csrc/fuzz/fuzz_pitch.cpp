#include <algorithm>

#include "base/samples.h"
#include "fuzz/bytes.h"
#include "pitch/pitch.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace edge_ser;
  fuzz::Bytes bytes(data, size);
  const auto options = bytes.options<PitchOptions>();
  try {
    options.validate();
  } catch (const std::invalid_argument&) {
    return 0;
  }
  const std::size_t chunk = 1 + bytes.below(4000);
  // Long enough for the first frames and the end; short input stands for longer sound.
  std::vector<float> samples = bytes.samples(2400);
  const std::size_t given = samples.size();
  for (std::size_t i = given; given > 0 && i < std::min<std::size_t>(given * 64, 2400); ++i) {
    samples.push_back(samples[i % given]);
  }
  const auto run = [&](std::size_t step) {
    Pitch pitch(options);
    std::vector<float> rows;
    const auto append = [&](const std::vector<float>& out, std::size_t count) {
      rows.insert(rows.end(), out.begin(),
                  out.begin() + static_cast<std::ptrdiff_t>(count * Pitch::kColumns));
    };
    for (std::size_t at = 0; at < samples.size(); at += step) {
      const std::size_t count = std::min(step, samples.size() - at);
      std::vector<float> out(Pitch::max_rows(count) * Pitch::kColumns);
      append(out, pitch.accept({samples.data() + at, count}, out.data()));
    }
    std::vector<float> out(Pitch::kMaxRowsAtFinish * Pitch::kColumns);
    append(out, pitch.finish(out.data()));
    return rows;
  };
  try {
    const std::vector<float> whole = run(samples.size() + 1);
    fuzz::check_finite_values(whole);
    fuzz::check_equal(run(chunk), whole);
  } catch (const SampleError&) {
    if (fuzz::all_finite(samples)) fuzz::fail("a good sample was refused");
  }
  return 0;
}
