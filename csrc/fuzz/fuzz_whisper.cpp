// Whisper's normalisation of a clip's log-mel frames.
#include "base/samples.h"
#include "features/whisper.h"
#include "fuzz/bytes.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace edge_ser;
  fuzz::Bytes bytes(data, size);
  std::vector<float> frames = bytes.samples(2000);
  const std::vector<float> given = frames;
  try {
    whisper_normalize(frames);
    if (!fuzz::all_finite(given)) fuzz::fail("a bad value was taken");
  } catch (const SampleError& error) {
    if (std::isfinite(given.at(error.index()))) fuzz::fail("a good value was refused");
    return 0;
  }
  fuzz::check_finite_values(frames);
  return 0;
}
