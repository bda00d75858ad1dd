// Cuts a stream of samples into overlapping frames.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <stdexcept>
#include <vector>

#include "base/options.h"
#include "base/samples.h"
#include "simd/simd.h"

namespace edge_ser {

struct FrameLayout {
  std::size_t frame_length = 400;
  std::size_t hop_length = 160;
  /// Samples before the middle: frame i starts at i * hop - lead (0 when snipped).
  std::size_t lead = 0;
  Framing framing = Framing::snipped;
  /// Leaves out the last frame of a clip, as Whisper does.
  bool drop_last_frame = false;
  float sample_scale = 1.0f;

  /// Number of frames of a clip of `samples` samples.
  std::size_t frames_in_clip(std::uint64_t samples) const;
};

/// Keeps the samples that frames to come still need: a buffer of fixed size. Counters have 64 bits.
class FrameCutter {
 public:
  FrameCutter(const FrameLayout& layout, const SimdOps& ops);

  const FrameLayout& layout() const { return layout_; }
  std::uint64_t samples_accepted() const { return received_; }
  std::uint64_t frames_emitted() const { return next_frame_; }
  /// Frames that `accept` would emit for so many more samples.
  std::size_t frames_after(std::size_t more) const;
  /// Frames that `finish` would emit.
  std::size_t frames_at_finish() const;

  /// Takes samples and calls emit(frame) for every frame that became complete: `frame_length`
  /// scaled samples, with one readable value before and kSimdSlack behind. Throws SampleError and
  /// takes nothing if a sample is not finite, std::logic_error after `finish`.
  template <class Emit>
  void accept(std::span<const float> samples, Emit&& emit) {
    check_open();
    if (!ops_->all_finite(samples.data(), samples.size())) check_finite(samples);
    while (!samples.empty()) {
      samples = samples.subspan(take(samples));
      for (const std::uint64_t ready = frames_ready(received_); next_frame_ < ready;) {
        emit(frame());
        ++next_frame_;
      }
    }
  }

  /// Ends the clip: emits the frames that reach behind its end.
  template <class Emit>
  void finish(Emit&& emit) {
    check_open();
    finished_ = true;
    for (const std::uint64_t all = layout_.frames_in_clip(received_); next_frame_ < all;) {
      emit(frame());
      ++next_frame_;
    }
  }

  void reset();
  bool finished() const { return finished_; }

 private:
  void check_open() const;
  /// Frames whose samples have all arrived, and which will not turn out to be a dropped last one.
  std::uint64_t frames_ready(std::uint64_t received) const;
  std::size_t take(std::span<const float> samples);
  /// Start of the next frame; inside the buffer, or put together where it reaches over an edge.
  const float* frame();
  float mirrored(std::int64_t index) const;

  FrameLayout layout_;
  const SimdOps* ops_;
  std::vector<float> buffer_;
  std::vector<float> edge_;
  std::size_t capacity_;
  std::size_t filled_ = 0;
  std::uint64_t base_ = 0;  ///< stream position of the first buffered sample
  std::uint64_t received_ = 0;
  std::uint64_t next_frame_ = 0;
  bool finished_ = false;
};

}  // namespace edge_ser
