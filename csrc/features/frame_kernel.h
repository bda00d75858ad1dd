// The five methods that every framed kernel has, over the transform that makes it what it is.
#pragma once

#include <algorithm>
#include <memory>
#include <stdexcept>

#include "features/framing.h"

namespace edge_ser {

/// A stream of frames, each turned into `dim()` features by a `Transform`:
///
///     explicit Transform(const Options&, SimdLevel);   throws std::invalid_argument
///     FrameLayout layout() const;
///     std::size_t dim() const;
///     void apply(const float* frame, float* out);      work space inside, no allocation
///     void reset();                                    forgets earlier frames, if it looks at any
///
/// Copies are independent streams that share tables. One object belongs to one thread at a time;
/// `compute` changes nothing and may run in many.
template <class OptionsType, class Transform>
class FrameKernel {
 public:
  using Options = OptionsType;

  explicit FrameKernel(const Options& options = {}, SimdLevel level = best_simd_level())
      : options_(options),
        transform_((options.validate(), Transform(options, level))),
        cutter_(transform_.layout(), simd_ops(level)) {}

  const Options& options() const { return options_; }
  /// Features of a frame.
  std::size_t dim() const { return transform_.dim(); }
  const FrameLayout& layout() const { return cutter_.layout(); }
  std::size_t frames_in_clip(std::uint64_t samples) const {
    return layout().frames_in_clip(samples);
  }
  std::size_t frames_after(std::size_t more) const { return cutter_.frames_after(more); }
  std::size_t frames_at_finish() const { return cutter_.frames_at_finish(); }
  std::uint64_t samples_accepted() const { return cutter_.samples_accepted(); }
  std::uint64_t frames_emitted() const { return cutter_.frames_emitted(); }

  /// Writes frames_after(samples.size()) frames of dim() values to `out` and returns how many.
  /// Throws std::invalid_argument if `out` is too small; SampleError, std::logic_error: see
  /// FrameCutter::accept.
  std::size_t accept(std::span<const float> samples, std::span<float> out) {
    check_room(frames_after(samples.size()), out);
    const Writer writer{*this, out.data()};
    const std::uint64_t before = frames_emitted();
    cutter_.accept(samples, writer);
    return static_cast<std::size_t>(frames_emitted() - before);
  }

  /// Writes the frames that reach over the end of the clip; `reset` then starts another.
  std::size_t finish(std::span<float> out) {
    check_room(frames_at_finish(), out);
    const Writer writer{*this, out.data()};
    const std::uint64_t before = frames_emitted();
    cutter_.finish(writer);
    return static_cast<std::size_t>(frames_emitted() - before);
  }

  void reset() {
    cutter_.reset();
    transform_.reset();
  }

  /// A whole clip at once: frames_in_clip(samples.size()) frames, bit-equal to the stream's.
  std::size_t compute(std::span<const float> samples, std::span<float> out) const {
    check_room(frames_in_clip(samples.size()), out);
    FrameKernel clip(*this);
    clip.reset();
    const std::size_t done = clip.accept(samples, out);
    return done + clip.finish(out.subspan(done * dim()));
  }

 private:
  struct Writer {
    FrameKernel& kernel;
    mutable float* out;
    void operator()(const float* frame) const {
      kernel.transform_.apply(frame, out);
      out += kernel.dim();
    }
  };

  void check_room(std::size_t frames, std::span<float> out) const {
    if (out.size() / dim() < frames) {
      throw std::invalid_argument("the output holds fewer frames than become complete");
    }
  }

  Options options_;
  Transform transform_;
  FrameCutter cutter_;
};

}  // namespace edge_ser
