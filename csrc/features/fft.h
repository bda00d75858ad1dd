// Real Fourier transforms of the lengths that speech front-ends use.
#pragma once

#include <cstddef>
#include <memory>
#include <span>
#include <vector>

#include "simd/simd.h"

namespace edge_ser {

/// Real transform of a fixed even length N whose half has no prime factor above 5 (256, 400, 512,
/// 1024, 2048 ...); 400, 512 and 1024 have code of their own. Tables are shared between copies,
/// work space is not: an object belongs to one thread at a time, a copy of it to another.
class RealFft {
 public:
  /// Throws std::invalid_argument if the length is not supported.
  explicit RealFft(std::size_t length, SimdLevel level = best_simd_level());
  RealFft(const RealFft& other);
  RealFft& operator=(const RealFft& other);
  RealFft(RealFft&&) noexcept = default;
  RealFft& operator=(RealFft&&) noexcept = default;
  ~RealFft() = default;

  static bool supports(std::size_t length);
  std::size_t length() const { return length_; }
  /// Number of bins, N / 2 + 1.
  std::size_t bins() const { return length_ / 2 + 1; }

  /// X[k] = sum of x[n] exp(-2 pi i k n / N) for k in [0, N / 2]. `samples` may be shorter than N:
  /// the rest counts as zero. `re` and `im` hold at least `bins()` values.
  void forward(std::span<const float> samples, std::span<float> re, std::span<float> im);

  /// |X[k]|^2 of a frame that `cut_window` put into `buffers()` with weights halved.
  void power_of_frame(float* power) { ops_->power_spectrum(plan_, buffers_, power); }
  const FftBuffers& buffers() const { return buffers_; }
  const SimdOps& ops() const { return *ops_; }

 private:
  struct Tables;
  void make_work_space();

  std::size_t length_;
  const SimdOps* ops_;
  std::shared_ptr<const Tables> tables_;
  FftPlan plan_;
  std::vector<float> work_;
  FftBuffers buffers_;
};

}  // namespace edge_ser
