#include "alignment/tick_math.h"

#include <cmath>

namespace edge_ser {

std::int64_t round_ticks(double ticks) {
  constexpr double kBound = 4611686018427387904.0;  // 2^62
  if (std::isnan(ticks)) return 0;
  if (ticks >= kBound) return std::int64_t{1} << 62;
  if (ticks <= -kBound) return -(std::int64_t{1} << 62);
  return std::llround(ticks);
}

}  // namespace edge_ser
