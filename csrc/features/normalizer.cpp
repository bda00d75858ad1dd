#include "features/normalizer.h"

#include <algorithm>
#include <cmath>
#include <stdexcept>

#include "base/samples.h"

namespace edge_ser {

void NormalizerOptions::validate() const {
  require(dim >= 1 && dim <= 4096, "dim", dim, "1 to 4096");
  require(memory_frames >= 1 && memory_frames <= 100000000, "memory_frames", memory_frames,
          "1 to 100000000");
  require(min_deviation > 0.0 && min_deviation <= 1e6, "min_deviation", min_deviation,
          "above 0 and at most 1e6");
}

RunningNormalizer::RunningNormalizer(const Options& options)
    : options_((options.validate(), options)),
      mean_(static_cast<std::size_t>(options.dim)),
      variance_(mean_.size()) {}

void RunningNormalizer::reset() {
  std::fill(mean_.begin(), mean_.end(), 0.0);
  std::fill(variance_.begin(), variance_.end(), 0.0);
  seen_ = 0;
  frozen_ = false;
}

void RunningNormalizer::accept(std::span<const float> frames, std::span<float> out) {
  const std::size_t dim = mean_.size();
  if (frames.size() % dim != 0 || out.size() < frames.size()) {
    throw std::invalid_argument("frames must have " + std::to_string(dim) +
                                " features each, and the output room for all of them");
  }
  check_finite(frames);
  constexpr double kLargest = 1e18;
  for (std::size_t at = 0; at < frames.size(); at += dim) {
    if (!frozen_) ++seen_;
    // A plain average at first, then an exponential one: 1 / n until n is the memory.
    const auto memory = static_cast<std::uint64_t>(options_.memory_frames);
    const double weight = 1.0 / static_cast<double>(std::clamp<std::uint64_t>(seen_, 1, memory));
    for (std::size_t k = 0; k < dim; ++k) {
      const double value = std::clamp(static_cast<double>(frames[at + k]), -kLargest, kLargest);
      if (!frozen_) {
        const double difference = value - mean_[k];
        mean_[k] += weight * difference;
        variance_[k] = (1.0 - weight) * (variance_[k] + weight * difference * difference);
      }
      double result = value - mean_[k];
      if (options_.scale) result /= std::max(std::sqrt(variance_[k]), options_.min_deviation);
      out[at + k] = static_cast<float>(result);
    }
  }
}

std::vector<double> RunningNormalizer::deviation() const {
  std::vector<double> result(variance_);
  for (double& value : result) value = std::sqrt(value);
  return result;
}

void RunningNormalizer::set_statistics(std::span<const double> mean,
                                       std::span<const double> deviation,
                                       std::uint64_t frames_seen) {
  if (mean.size() != mean_.size() || deviation.size() != mean_.size()) {
    throw std::invalid_argument("mean and deviation must have " + std::to_string(mean_.size()) +
                                " values each");
  }
  for (std::size_t k = 0; k < mean.size(); ++k) {
    if (!(std::abs(mean[k]) <= 1e18) || !(deviation[k] >= 0.0 && deviation[k] <= 1e18)) {
      throw std::invalid_argument("mean and deviation of feature " + std::to_string(k) +
                                  " must be finite, at most 1e18, the deviation not negative");
    }
  }
  for (std::size_t k = 0; k < mean.size(); ++k) {
    mean_[k] = mean[k];
    variance_[k] = deviation[k] * deviation[k];
  }
  seen_ = frames_seen;
  frozen_ = true;
}

}  // namespace edge_ser
