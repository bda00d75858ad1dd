// A running front-end neither allocates nor grows, and its counters do not end at 2^31 or 2^32.
#include <algorithm>
#include <vector>

#include "doctest/doctest.h"
#include "features/log_energy.h"
#include "features/log_mel.h"
#include "features/mfcc.h"
#include "features/resampler.h"
#include "pitch/pitch.h"
#include "test_support/allocation_count.h"

using edge_ser::testing::allocated_bytes;
using edge_ser::testing::allocations;

namespace {

/// A front-end as a recogniser runs it, 48 kHz in.
struct FrontEnd {
  edge_ser::Resampler resampler{edge_ser::ResamplerOptions{}};
  edge_ser::LogMel log_mel{edge_ser::MelOptions::whisper()};
  edge_ser::Mfcc mfcc{edge_ser::MfccOptions::kaldi()};
  edge_ser::LogEnergy energy{edge_ser::LogEnergyOptions{}};
  edge_ser::Pitch pitch;
};

}  // namespace

TEST_CASE("a front-end takes less than 2 MB and allocates nothing while it runs") {
  const std::size_t before = allocated_bytes;
  FrontEnd front;
  const std::size_t size = allocated_bytes - before;
  CAPTURE(size);
  CHECK(size < 2000000);

  std::vector<float> chunk(960), sound(2000), frames(4000);
  std::vector<float> pitches(edge_ser::Pitch::max_rows(sound.size()) * edge_ser::Pitch::kColumns);
  for (std::size_t i = 0; i < chunk.size(); ++i) chunk[i] = static_cast<float>(i % 97) * 0.01f;
  const std::size_t warm = allocations;
  std::size_t emitted = 0, pitch_frames = 0;
  for (int i = 0; i < 1000; ++i) {
    const std::span<const float> at16(sound.data(), front.resampler.accept(chunk, sound));
    front.log_mel.accept(at16, frames);
    front.energy.accept(at16, frames);
    pitch_frames += front.pitch.accept(at16, pitches.data());
    emitted += front.mfcc.accept(at16, frames);
  }
  CHECK(allocations == warm);
  CHECK(emitted > 1900);
  CHECK(pitch_frames > 1900);
}

TEST_CASE("after 72 hours of samples nothing was allocated and a frame is the frame of hour 0") {
  edge_ser::LogEnergyOptions options;
  options.frame_length = 400;
  options.hop_length = 65536;
  edge_ser::LogEnergy kernel(options);
  std::vector<float> chunk(std::size_t{1} << 20), out(64);
  for (std::size_t i = 0; i < chunk.size(); ++i) chunk[i] = static_cast<float>(i % 251) * 0.003f;
  const std::size_t first_frames = kernel.accept(chunk, out);
  REQUIRE(first_frames == 16);
  const std::vector<float> first(out.begin(), out.begin() + 16);
  // 74.6 hours at 16 kHz: past 2^31 and 2^32.
  constexpr std::uint64_t kChunks = (std::uint64_t{1} << 12) + 2;
  static_assert((kChunks << 20) > std::uint64_t{72} * 3600 * 16000);
  const std::size_t before = allocations;
  for (std::uint64_t i = 1; i < kChunks; ++i) kernel.accept(chunk, out);
  CHECK(allocations == before);
  CHECK(kernel.samples_accepted() == kChunks << 20);
  CHECK(kernel.frames_emitted() == kChunks * 16);
  CHECK(std::vector<float>(out.begin(), out.begin() + 16) == first);

  // A whole ratio and whole groups of outputs (16), so that equal chunks give equal outputs once
  // the first one is over.
  edge_ser::ResamplerOptions rates;
  rates.source_rate = 384000;
  rates.target_rate = 1000;
  edge_ser::Resampler resampler(rates);
  std::vector<float> second(std::size_t{384} * 1008), few(2000), then(2000);
  for (std::size_t i = 0; i < second.size(); ++i) second[i] = static_cast<float>(i % 384) * 0.002f;
  resampler.accept(second, few);
  CHECK(resampler.accept(second, few) == 1008);
  const std::uint64_t rounds = (std::uint64_t{1} << 24) / second.size();
  for (std::uint64_t i = 0; i < rounds; ++i) resampler.accept(second, then);
  CHECK(few == then);
}
