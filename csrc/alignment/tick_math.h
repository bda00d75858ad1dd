// Integer time: sums of ticks that cannot overflow.
#pragma once

#include <cstdint>
#include <optional>

namespace edge_ser {

__extension__ typedef __int128 WideTicks;  // NOLINT: the only spelling that -Wpedantic accepts

/// Positions and capture times that callers pass lie in [-kTickLimit, kTickLimit]: nanoseconds
/// since 1970 do until the year 2116.
inline constexpr std::int64_t kTickLimit = std::int64_t{1} << 62;

/// Inside, times count from a first one and lie in [-kSpanLimit, kSpanLimit] (nine years of
/// nanoseconds), so that sums and differences of a few of them cannot overflow.
inline constexpr std::int64_t kSpanLimit = std::int64_t{1} << 58;

/// a + b, or nothing if that is beyond the span limit.
inline constexpr std::optional<std::int64_t> add_within_span(std::int64_t a, std::int64_t b) {
  const WideTicks sum = static_cast<WideTicks>(a) + b;
  if (sum > kSpanLimit || sum < -kSpanLimit) return std::nullopt;
  return static_cast<std::int64_t>(sum);
}

/// The integer nearest to `ticks`, saturated to +-2^62; NaN gives 0.
std::int64_t round_ticks(double ticks);

}  // namespace edge_ser
