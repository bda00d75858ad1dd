// Kernels that take frames: deltas, running normalisation, Whisper's clip normalisation.
#include <algorithm>

#include "features/deltas.h"
#include "fuzz/bytes.h"
#include "features/normalizer.h"
#include "base/samples.h"
#include "features/whisper.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace edge_ser;
  fuzz::Bytes bytes(data, size);
  DeltaOptions delta_options;
  delta_options.dim = static_cast<int>(1 + bytes.below(9));
  delta_options.order = static_cast<int>(1 + bytes.below(2));
  delta_options.window = static_cast<int>(1 + bytes.below(10));
  NormalizerOptions options;
  options.dim = delta_options.dim;
  options.memory_frames = static_cast<int>(1 + bytes.below(20));
  options.scale = bytes.below(2) == 0;
  const std::size_t dim = static_cast<std::size_t>(options.dim);
  const std::size_t chunk = dim * (1 + bytes.below(50));
  std::vector<float> frames = bytes.samples(2000);
  frames.resize(frames.size() / dim * dim);

  Deltas deltas(delta_options);
  RunningNormalizer normalizer(options);
  std::vector<float> whole(frames.size() / dim * deltas.dim()), normal(frames.size());
  try {
    deltas.compute(frames, whole);
    normalizer.accept(frames, normal);
    if (!fuzz::all_finite(frames)) fuzz::fail("a bad value was taken");
  } catch (const SampleError& error) {
    if (std::isfinite(frames.at(error.index()))) fuzz::fail("a good value was refused");
    return 0;
  }
  fuzz::check_finite_values(whole);
  fuzz::check_finite_values(normal);
  std::vector<float> streamed, parts;
  normalizer.reset();
  for (std::size_t at = 0; at < frames.size(); at += chunk) {
    const std::span<const float> part(frames.data() + at, std::min(chunk, frames.size() - at));
    std::vector<float> out(deltas.frames_after(part.size() / dim) * deltas.dim());
    deltas.accept(part, out);
    streamed.insert(streamed.end(), out.begin(), out.end());
    out.assign(part.size(), 0.0f);
    normalizer.accept(part, out);
    parts.insert(parts.end(), out.begin(), out.end());
  }
  std::vector<float> out(deltas.frames_at_finish() * deltas.dim());
  deltas.finish(out);
  streamed.insert(streamed.end(), out.begin(), out.end());
  fuzz::check_equal(streamed, whole);
  fuzz::check_equal(parts, normal);
  whisper_normalize(normal);
  fuzz::check_finite_values(normal);
  return 0;
}
