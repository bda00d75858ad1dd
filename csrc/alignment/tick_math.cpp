#include "alignment/tick_math.h"

#include <cmath>
#include <limits>

namespace edge_ser {

std::int64_t rescale_ticks(std::int64_t ticks, std::int64_t from, std::int64_t to) {
  const WideTicks doubled = WideTicks{2} * ticks * to;
  const WideTicks rounded = (doubled + (ticks < 0 ? -from : from)) / (WideTicks{2} * from);
  constexpr std::int64_t kMax = std::numeric_limits<std::int64_t>::max();
  constexpr std::int64_t kMin = std::numeric_limits<std::int64_t>::min();
  if (rounded > kMax) return kMax;
  if (rounded < kMin) return kMin;
  return static_cast<std::int64_t>(rounded);
}

std::int64_t round_ticks(double ticks) {
  constexpr double kBound = 4611686018427387904.0;  // 2^62
  if (std::isnan(ticks)) return 0;
  if (ticks >= kBound) return std::int64_t{1} << 62;
  if (ticks <= -kBound) return -(std::int64_t{1} << 62);
  return std::llround(ticks);
}

}  // namespace edge_ser
