// What every kernel asks of the samples it is given.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <stdexcept>

namespace edge_ser {

/// A sample that is NaN or infinite. The kernel that throws it has taken none of the samples.
class SampleError : public std::invalid_argument {
 public:
  SampleError(std::size_t index, float value);
  /// Position of the first bad sample in the span that was passed.
  std::size_t index() const { return index_; }

 private:
  std::size_t index_;
};

/// Throws SampleError if a sample is NaN or infinite.
void check_finite(std::span<const float> samples);

}  // namespace edge_ser
