// A device whose counter drifts and whose capture times jitter: for the tests of the clocks.
#pragma once

#include <cmath>
#include <cstdint>
#include <random>

namespace edge_ser::simulation {

enum class Noise { kNone, kUniform, kNormal, kQueue };

/// Noise in milliseconds: uniform in +-`ms`, normal of standard deviation `ms`, or an exponential
/// delay of mean `ms` (never early).
class Jitter {
 public:
  Jitter(Noise noise, double ms, std::uint64_t seed) : noise_(noise), ms_(ms), random_(seed) {}

  double operator()() {
    switch (noise_) {
      case Noise::kNone:
        return 0.0;
      case Noise::kUniform:
        return ms_ * (2.0 * uniform() - 1.0);
      case Noise::kNormal:
        return ms_ * std::sqrt(-2.0 * std::log(1.0 - uniform())) *
               std::cos(6.283185307179586 * uniform());
      case Noise::kQueue:
        break;
    }
    return -ms_ * std::log(1.0 - uniform());
  }
  /// In [0, 1), the same on every standard library.
  double uniform() { return static_cast<double>(random_() >> 11) * 0x1p-53; }

 private:
  Noise noise_;
  double ms_;
  std::mt19937_64 random_;
};

/// Buffers of `buffer` ticks at 16 kHz whose counter runs `drift_ppm` slow against the media clock
/// (a tick of it lasts 1 + drift media ticks), first captured at media time `offset`.
struct Device {
  std::int64_t buffer = 320;
  double drift_ppm = 0.0;
  std::int64_t offset = 0;

  /// True media time of the counter's tick `position` after the first, in ticks after `offset`.
  double true_time(std::int64_t position) const {
    return static_cast<double>(position) + static_cast<double>(position) * drift_ppm * 1e-6;
  }
  std::int64_t stamp(std::int64_t position, double jitter_ms) const {
    return offset + std::llround(true_time(position) + 16.0 * jitter_ms);
  }
};

}  // namespace edge_ser::simulation
