#include "alignment/tick_math.h"

#include <cstdint>
#include <limits>

#include "doctest/doctest.h"

using edge_ser::round_ticks;

TEST_CASE("round_ticks saturates and maps NaN to zero") {
  CHECK(round_ticks(2.4) == 2);
  CHECK(round_ticks(-2.6) == -3);
  CHECK(round_ticks(1e300) == std::int64_t{1} << 62);
  CHECK(round_ticks(-1e300) == -(std::int64_t{1} << 62));
  CHECK(round_ticks(std::numeric_limits<double>::quiet_NaN()) == 0);
}

TEST_CASE("add_within_span gives nothing where it would leave the span") {
  using edge_ser::add_within_span;
  CHECK(add_within_span(edge_ser::kSpanLimit - 1, 1) == edge_ser::kSpanLimit);
  CHECK(!add_within_span(edge_ser::kSpanLimit, 1));
  CHECK(!add_within_span(-edge_ser::kSpanLimit, -1));
  CHECK(!add_within_span(std::numeric_limits<std::int64_t>::max(), 1));
  CHECK(add_within_span(edge_ser::kTickLimit, -edge_ser::kTickLimit) == 0);
}
