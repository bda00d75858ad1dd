#include "base/samples.h"

#include <bit>
#include <cmath>
#include <string>

namespace edge_ser {

SampleError::SampleError(std::size_t index, float value)
    : std::invalid_argument("sample " + std::to_string(index) + " is " +
                            (std::isnan(value) ? "NaN"
                             : value > 0       ? "+infinite"
                                               : "-infinite") +
                            "; samples must be finite numbers"),
      index_(index) {}

void check_finite(std::span<const float> samples) {
  // All exponent bits set means NaN or infinity; an integer reduction vectorises, isfinite does
  // not.
  constexpr std::uint32_t kExponent = 0x7f800000u;
  std::uint32_t bad = 0;
  for (const float sample : samples) {
    bad |=
        static_cast<std::uint32_t>((std::bit_cast<std::uint32_t>(sample) & kExponent) == kExponent);
  }
  if (bad == 0) return;
  for (std::size_t i = 0; i < samples.size(); ++i) {
    if (!std::isfinite(samples[i])) throw SampleError(i, samples[i]);
  }
}

}  // namespace edge_ser
