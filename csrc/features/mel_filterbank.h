// Triangular filters on a mel scale.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "base/options.h"
#include "simd/simd.h"

namespace edge_ser {

double hz_to_mel(double hz, MelScale scale);
double mel_to_hz(double mel, MelScale scale);

/// The filters of `bands` overlapping triangles between `low_hz` and `high_hz`, stored as the runs
/// of bins where they are not zero.
class MelFilterbank {
 public:
  MelFilterbank(std::size_t bands, std::size_t fft_length, double sample_rate, double low_hz,
                double high_hz, MelScale scale, MelNorm norm);

  std::size_t bands() const { return bands_; }
  /// Bands rounded up to 8: so many values `apply_bands` writes.
  std::size_t padded_bands() const { return matrix_.bands; }
  const BandMatrix& matrix() const { return matrix_; }
  /// Weight of one bin in one band.
  float weight(std::size_t band, std::size_t bin) const;

  MelFilterbank(const MelFilterbank&) = delete;
  MelFilterbank& operator=(const MelFilterbank&) = delete;

 private:
  std::size_t bands_;
  std::vector<std::uint32_t> start_;
  std::vector<std::uint32_t> offset_;
  std::vector<float> weights_;
  BandMatrix matrix_;
};

}  // namespace edge_ser
