// The body of a target for a framed kernel.
#pragma once

#include <algorithm>
#include <span>

#include "features/frame_kernel.h"
#include "fuzz/bytes.h"

namespace edge_ser::fuzz {

template <class Kernel>
int run_framed(const std::uint8_t* data, std::size_t size) {
  Bytes bytes(data, size);
  auto options = bytes.options<typename Kernel::Options>();
  try {
    options.validate();
  } catch (const std::invalid_argument&) {
    return 0;
  }
  const auto levels = simd_levels();
  Kernel kernel(options, levels[bytes.below(levels.size())]);
  const std::size_t chunk = 1 + bytes.below(4000);
  // Short input stands for longer sound: it is repeated over a few frames.
  std::vector<float> samples = bytes.samples(4000);
  const std::size_t given = samples.size();
  const std::size_t wanted =
      given == 0 ? 0 : std::min<std::size_t>(given * 64, 3 * kernel.layout().frame_length + given);
  for (std::size_t i = given; i < wanted; ++i) samples.push_back(samples[i % given]);
  if (kernel.frames_in_clip(samples.size()) > 3000) return 0;

  std::vector<float> whole(kernel.frames_in_clip(samples.size()) * kernel.dim());
  try {
    kernel.compute(samples, whole);
    if (!all_finite(samples)) fail("a bad sample was taken");
  } catch (const SampleError& error) {
    if (std::isfinite(samples.at(error.index()))) fail("a good sample was refused");
    return 0;
  }
  check_finite_values(whole);

  std::vector<float> streamed;
  for (std::size_t at = 0; at < samples.size(); at += chunk) {
    const std::size_t count = std::min(chunk, samples.size() - at);
    std::vector<float> out(kernel.frames_after(count) * kernel.dim());
    kernel.accept({samples.data() + at, count}, out);
    streamed.insert(streamed.end(), out.begin(), out.end());
  }
  std::vector<float> out(kernel.frames_at_finish() * kernel.dim());
  kernel.finish(out);
  streamed.insert(streamed.end(), out.begin(), out.end());
  check_equal(streamed, whole);
  return 0;
}

}  // namespace edge_ser::fuzz
