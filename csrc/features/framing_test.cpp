#include "features/framing.h"

#include <algorithm>
#include <limits>
#include <random>
#include <vector>

#include "doctest/doctest.h"

using edge_ser::FrameCutter;
using edge_ser::FrameLayout;
using edge_ser::Framing;

namespace {

using Frames = std::vector<std::vector<float>>;

std::vector<float> ramp(std::size_t count) {
  std::vector<float> x(count);
  for (std::size_t i = 0; i < count; ++i) x[i] = static_cast<float>(i + 1);
  return x;
}

/// The definition: numpy's pad with mode "reflect" or "constant".
Frames reference(const FrameLayout& layout, const std::vector<float>& x) {
  Frames result;
  const std::int64_t count = static_cast<std::int64_t>(x.size());
  for (std::size_t i = 0; i < layout.frames_in_clip(x.size()); ++i) {
    std::vector<float> frame;
    for (std::size_t j = 0; j < layout.frame_length; ++j) {
      std::int64_t at = static_cast<std::int64_t>(i * layout.hop_length + j) -
                        static_cast<std::int64_t>(layout.lead);
      if (layout.framing == Framing::centred_reflect && count > 1) {
        while (at < 0 || at >= count) at = at < 0 ? -at : 2 * (count - 1) - at;
      } else if (layout.framing == Framing::centred_reflect) {
        at = 0;
      }
      frame.push_back(at < 0 || at >= count ? 0.0f : x[static_cast<std::size_t>(at)]);
    }
    result.push_back(frame);
  }
  return result;
}

struct Collect {
  const FrameLayout& layout;
  Frames& frames;
  void operator()(const float* frame) const {
    frames.emplace_back(frame, frame + layout.frame_length);
  }
};

Frames stream(const FrameLayout& layout, const std::vector<float>& x, std::mt19937& random,
              std::size_t largest) {
  FrameCutter cutter(layout, edge_ser::simd_ops(edge_ser::best_simd_level()));
  Frames frames;
  const Collect collect{layout, frames};
  for (std::size_t at = 0; at < x.size();) {
    const std::size_t count = std::min<std::size_t>(random() % (largest + 1), x.size() - at);
    const std::size_t before = frames.size(), promised = cutter.frames_after(count);
    cutter.accept({x.data() + at, count}, collect);
    CHECK(frames.size() - before == promised);
    at += count;
  }
  const std::size_t before = frames.size(), promised = cutter.frames_at_finish();
  cutter.finish(collect);
  CHECK(frames.size() - before == promised);
  return frames;
}

}  // namespace

TEST_CASE("frames are those of the definition, however the stream is cut") {
  std::mt19937 random(3);
  for (const Framing framing :
       {Framing::snipped, Framing::centred_reflect, Framing::centred_zero}) {
    for (const bool drop : {false, true}) {
      for (const auto& [length, hop] : {std::pair<std::size_t, std::size_t>{16, 4},
                                        {16, 16},
                                        {7, 3},
                                        {4, 11},
                                        {2, 1},
                                        {40, 1500}}) {
        const std::size_t lead = framing == Framing::snipped ? 0 : length / 2;
        const FrameLayout layout = {length, hop, lead, framing, drop, 1.0f};
        for (const std::size_t samples : {0, 1, 2, 3, 7, 8, 9, 15, 16, 17, 100, 3001}) {
          for (const std::size_t largest : {1, 5, 5000}) {
            if (largest == 1 && samples > 200) continue;
            CAPTURE(static_cast<int>(framing));
            CAPTURE(length);
            CAPTURE(hop);
            CAPTURE(samples);
            const std::vector<float> x = ramp(samples);
            CHECK(stream(layout, x, random, largest) == reference(layout, x));
          }
        }
      }
    }
  }
}

TEST_CASE("a bad sample changes nothing") {
  const FrameLayout layout = {4, 2, 0, Framing::snipped, false, 1.0f};
  FrameCutter cutter(layout, edge_ser::simd_ops(edge_ser::best_simd_level()));
  Frames frames;
  const Collect collect{layout, frames};
  const std::vector<float> bad = {1, 2, 3, std::numeric_limits<float>::quiet_NaN(), 5, 6};
  CHECK_THROWS_AS(cutter.accept(bad, collect), edge_ser::SampleError);
  CHECK(cutter.samples_accepted() == 0);
  cutter.accept(ramp(4), collect);
  CHECK(frames == Frames{{1, 2, 3, 4}});
}

TEST_CASE("after finish only reset helps, and it forgets everything") {
  const FrameLayout layout = {4, 2, 2, Framing::centred_reflect, false, 1.0f};
  FrameCutter cutter(layout, edge_ser::simd_ops(edge_ser::best_simd_level()));
  Frames first, second;
  cutter.accept(ramp(9), Collect{layout, first});
  cutter.finish(Collect{layout, first});
  CHECK_THROWS_AS(cutter.accept(ramp(1), Collect{layout, first}), std::logic_error);
  CHECK_THROWS_AS(cutter.finish(Collect{layout, first}), std::logic_error);
  CHECK(cutter.frames_at_finish() == 0);
  cutter.reset();
  cutter.accept(ramp(9), Collect{layout, second});
  cutter.finish(Collect{layout, second});
  CHECK(first == second);
}

TEST_CASE("samples are scaled, huge ones saturate, tiny ones are zero") {
  const FrameLayout layout = {6, 6, 0, Framing::snipped, false, 2.0f};
  FrameCutter cutter(layout, edge_ser::simd_ops(edge_ser::best_simd_level()));
  Frames frames;
  cutter.accept(std::vector<float>{1.5f, 3e38f, -3e38f, 1e-40f, -1e-19f, 1e-17f},
                Collect{layout, frames});
  CHECK(frames == Frames{{3.0f, 1e12f, -1e12f, 0.0f, 0.0f, 2e-17f}});
}
