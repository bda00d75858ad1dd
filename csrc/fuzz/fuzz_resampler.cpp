#include <algorithm>
#include <map>
#include <utility>

#include "features/resampler.h"
#include "fuzz/bytes.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace edge_ser;
  static constexpr int kRates[] = {1000,  8000,  11025, 15999, 16000, 22050, 24000,
                                   32000, 44100, 44101, 48000, 96000, 192000};
  fuzz::Bytes bytes(data, size);
  ResamplerOptions options;
  options.source_rate = kRates[bytes.below(std::size(kRates))];
  options.target_rate = kRates[bytes.below(std::size(kRates))];
  // Designing a filter takes longer than all the rest: copies share it.
  static std::map<std::pair<int, int>, Resampler> made;
  const std::pair rates{options.source_rate, options.target_rate};
  Resampler resampler = made.try_emplace(rates, options).first->second;
  const std::size_t chunk = 1 + bytes.below(3000);
  const std::vector<float> samples = bytes.samples(3000);
  if (!fuzz::all_finite(samples)) return 0;

  std::vector<float> whole(resampler.outputs_in_clip(samples.size()));
  if (whole.size() > 100000) return 0;
  resampler.compute(samples, whole);
  fuzz::check_finite_values(whole);
  std::vector<float> streamed;
  for (std::size_t at = 0; at < samples.size(); at += chunk) {
    const std::size_t count = std::min(chunk, samples.size() - at);
    std::vector<float> out(resampler.outputs_after(count));
    resampler.accept({samples.data() + at, count}, out);
    streamed.insert(streamed.end(), out.begin(), out.end());
  }
  std::vector<float> out(resampler.outputs_at_finish());
  resampler.finish(out);
  streamed.insert(streamed.end(), out.begin(), out.end());
  fuzz::check_equal(streamed, whole);
  return 0;
}
