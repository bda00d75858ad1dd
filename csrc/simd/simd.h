// The inner loops, compiled once for every instruction set and chosen when the program runs.
//
// Each level is the same source (simd_vector.h, simd_fft.h, simd_frame.h) at another vector width;
// `scalar` is the reference that the tests compare the others with. Results of one level never
// depend on how a stream is cut; results of two levels differ by rounding.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

namespace edge_ser {

enum class SimdLevel { scalar, neon, x86_v2, x86_v3 };

/// All arrays that the inner loops read or write have this many readable, finite floats behind
/// their end, so that a loop may finish with a whole vector.
inline constexpr std::size_t kSimdSlack = 16;

/// Outputs that a filter computes at once.
inline constexpr std::size_t kFilterRows = 8;

/// Eight taps of each of them. Aligned so that no vector straddles two cache lines.
struct alignas(64) FilterBlock {
  float taps[kFilterRows][8];
};

/// One Stockham pass: radix, number of butterflies per group (n / radix), stride of a group, and
/// the twiddles, row j - 1 of `count` values for output j >= 1.
struct FftPass {
  int radix;
  std::size_t count;
  std::size_t stride;
  const float* twiddle_re;
  const float* twiddle_im;
};

/// A real transform of `2 * half` samples as a complex one of `half`.
struct FftPlan {
  std::size_t half;
  const FftPass* passes;  ///< not a span: its members would be compiled for every level
  std::size_t pass_count;
  /// exp(-2 pi i k / (2 half)) for k in [0, half / 2].
  const float* split_re;
  const float* split_im;
};

/// Work space of one transform. `input_*` holds even and odd samples and is not changed; each array
/// has `half + kSimdSlack` values.
struct FftBuffers {
  float* input_re;
  float* input_im;
  float* work_re[2];
  float* work_im[2];
};

/// How a frame becomes FFT input.
struct FrameWindow {
  std::size_t length;    ///< samples of the frame
  const float* weights;  ///< `length` rounded up to 16, zero behind the frame
  float preemphasis;     ///< 0 for none
};

/// Triangular bands over a spectrum. Weights of a band are padded with zeros to a multiple of 8.
struct BandMatrix {
  std::size_t bands;            ///< a multiple of 8
  const std::uint32_t* start;   ///< first bin of each band
  const std::uint32_t* offset;  ///< first weight of each band; bands + 1 values
  const float* weights;
};

struct SpectralSums {
  float power;           ///< sum of p[k]
  float first_moment;    ///< sum of k p[k]
  float rising_squared;  ///< sum of max(0, m[k] - previous m[k])^2 with m = sqrt(p)
};

/// The inner loops of one level.
struct SimdOps {
  SimdLevel level;
  int width;

  /// out = in * scale, saturated to +-1e12, magnitudes below 1e-18 set to zero.
  void (*copy_samples)(const float* in, std::size_t count, float scale, float* out);
  bool (*all_finite)(const float* in, std::size_t count);
  float (*sum)(const float* in, std::size_t count);
  /// Sum of (in - mean)^2.
  float (*sum_squares)(const float* in, std::size_t count, float mean);
  float (*dot)(const float* a, const float* b, std::size_t count);
  /// Number of i in [1, count) where in[i] - mean and in[i - 1] - mean differ in sign.
  std::size_t (*sign_changes)(const float* in, std::size_t count, float mean);

  /// Removes `mean`, pre-emphasises, weights, and parts even from odd samples. Reads in[-1].
  void (*cut_window)(const FrameWindow& window, const float* in, float mean,
                     const FftBuffers& buffers);
  /// Power of bins 0..half, times 4. Clobbers the work arrays.
  void (*power_spectrum)(const FftPlan& plan, const FftBuffers& buffers, float* power);
  /// Bins 0..half, times 2. Clobbers the work arrays.
  void (*spectrum)(const FftPlan& plan, const FftBuffers& buffers, float* re, float* im);

  void (*square_root)(float* values, std::size_t count);
  void (*apply_bands)(const BandMatrix& matrix, const float* spectrum, float* out);
  /// values = log(max(values, floor)) * scale; floor >= FLT_MIN.
  void (*scaled_log)(float* values, std::size_t count, float floor, float scale);
  /// out[c] = sum over r of in[r] * matrix[r * stride + c]; stride is a multiple of 8.
  void (*multiply)(const float* matrix, std::size_t rows, std::size_t stride, const float* in,
                   float* out);
  /// out[i] = sum over k in [0, 8 count) of in[k] * blocks[k / 8].taps[i][k % 8], for 8 rows; count
  /// > 0. So for `groups` times, with the next `count` blocks and at in + starts[0], in + starts[1]
  /// ...
  void (*filter_rows)(const FilterBlock* blocks, std::size_t count, const float* in,
                      const std::int32_t* starts, std::size_t groups, float* out);
  /// The same for rows that mirror one another: out[i] = even + odd and out[7 - i] = even - odd,
  /// with even = sum over k in [0, 8 count) of (left[k] + right[-k]) * blocks[k / 8].taps[2 i][k %
  /// 8], and odd = that of (left[k] - right[-k]) * blocks[k / 8].taps[2 i + 1][k % 8]. So for
  /// `groups` times, each `step` inputs later than the one before.
  void (*filter_mirrored)(const FilterBlock* blocks, std::size_t count, const float* left,
                          const float* right, std::ptrdiff_t step, std::size_t groups, float* out);
  /// `magnitude` becomes the new previous magnitude.
  SpectralSums (*spectral_sums)(const float* power, std::size_t count, float* magnitude);
};

/// The best level that this processor runs.
SimdLevel best_simd_level();
/// All levels that this build has and this processor runs, from scalar to best.
std::span<const SimdLevel> simd_levels();
/// Throws std::invalid_argument if the level is not among simd_levels().
const SimdOps& simd_ops(SimdLevel level);

std::string_view simd_name(SimdLevel level);
/// The level with that name; the best for "best". Throws std::invalid_argument for any other name.
SimdLevel simd_level_named(std::string_view name);

}  // namespace edge_ser
