// Running normalisation of mean and variance, with statistics that can be frozen.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "base/options.h"

namespace edge_ser {

struct NormalizerOptions {
  int dim = 40;
  int memory_frames = 300;
  bool scale = true;
  double min_deviation = 1e-3;

  void validate() const;
  bool operator==(const NormalizerOptions&) const = default;

  template <class Options, class Visit>
  static void fields(Options&& o, Visit&& visit) {
    visit("dim", o.dim, "features of a frame, 1 to 4096");
    visit("memory_frames", o.memory_frames,
          "older frames fade with this time constant; until so many have come, all count alike");
    visit("scale", o.scale, "divide by the standard deviation, not only subtract the mean");
    visit("min_deviation", o.min_deviation,
          "a standard deviation below this counts as this, above 0");
  }
};

/// y = (x - mean) / deviation for each feature, with the statistics of the frames so far, this one
/// included, or with frozen ones. Causal: a frame comes out at once. State is float64, so that it
/// does not drift over days. Values saturate at +-1e18. One thread at a time.
class RunningNormalizer {
 public:
  using Options = NormalizerOptions;

  explicit RunningNormalizer(const Options& options = {});

  const Options& options() const { return options_; }
  std::size_t dim() const { return mean_.size(); }

  /// Normalises whole frames; `out` may be `frames` itself. Throws std::invalid_argument if the
  /// sizes do not fit, SampleError for a value that is not finite; nothing has changed then.
  void accept(std::span<const float> frames, std::span<float> out);

  std::span<const double> mean() const { return mean_; }
  /// Standard deviation as measured, without `min_deviation`.
  std::vector<double> deviation() const;
  std::uint64_t frames_seen() const { return seen_; }

  bool frozen() const { return frozen_; }
  /// Frozen statistics stay as they are; thawed ones follow the frames again.
  void freeze(bool frozen = true) { frozen_ = frozen; }
  /// Puts statistics in, as if `frames_seen` frames had been seen, and freezes them. Throws
  /// std::invalid_argument for a wrong size, a value that is not finite, a negative deviation.
  void set_statistics(std::span<const double> mean, std::span<const double> deviation,
                      std::uint64_t frames_seen);
  /// Forgets the statistics and thaws.
  void reset();

 private:
  Options options_;
  std::vector<double> mean_;
  std::vector<double> variance_;
  std::uint64_t seen_ = 0;
  bool frozen_ = false;
};

}  // namespace edge_ser
