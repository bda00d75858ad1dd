// Regression coefficients over time ("deltas") of a stream of frames.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "base/options.h"

namespace edge_ser {

struct DeltaOptions {
  int dim = 13;
  int order = 2;
  int window = 2;

  void validate() const;
  bool operator==(const DeltaOptions&) const = default;

  template <class Options, class Visit>
  static void fields(Options&& o, Visit&& visit) {
    visit("dim", o.dim, "features of a frame that comes in, 1 to 4096");
    visit("order", o.order, "1: deltas; 2: also their deltas");
    visit("window", o.window, "frames on either side, 1 to 10");
  }
};

/// Appends deltas to every frame: [x, d x, d d x], with
/// d[t] = sum over n of n (x[t + n] - x[t - n]) / (2 sum of n^2), n = 1..window
/// (S. Young et al., The HTK Book). Higher orders apply the same filter again; before the first and
/// after the last frame stand copies of these, as in Kaldi's add-deltas. A frame comes out once
/// order * window more have come in, or at `finish`. Values saturate at +-1e30. Nothing is
/// allocated after construction. One thread at a time.
class Deltas {
 public:
  using Options = DeltaOptions;

  explicit Deltas(const Options& options = {});

  const Options& options() const { return options_; }
  /// Features of a frame that goes out: dim * (order + 1).
  std::size_t dim() const;
  std::size_t look_ahead() const { return reach_; }
  std::size_t frames_after(std::size_t more) const;
  std::size_t frames_at_finish() const;

  /// Takes whole frames. Throws std::invalid_argument if `frames` is no multiple of the dimension
  /// or `out` too small, SampleError for a value that is not finite, std::logic_error after
  /// `finish`; nothing has changed then.
  std::size_t accept(std::span<const float> frames, std::span<float> out);
  std::size_t finish(std::span<float> out);
  void reset();
  /// A whole clip, bit-equal to the stream.
  std::size_t compute(std::span<const float> frames, std::span<float> out) const;

 private:
  void check(std::size_t frames, std::span<float> out) const;
  void push(const float* frame);
  void emit(float* out) const;

  Options options_;
  std::size_t reach_;
  std::vector<std::vector<float>> filters_;  ///< one for each order, 2 * order * window + 1 long
  std::vector<float> ring_;                  ///< the last 2 * reach + 1 frames
  std::uint64_t pushed_ = 0;                 ///< frames in the ring's history, with copies
  std::uint64_t accepted_ = 0;
  std::uint64_t emitted_ = 0;
  bool finished_ = false;
};

}  // namespace edge_ser
