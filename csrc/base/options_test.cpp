#include "base/options.h"

#include <cmath>
#include <limits>

#include "doctest/doctest.h"

using edge_ser::LogKind;

TEST_CASE("log_scale turns natural logarithms into the other kinds") {
  CHECK(edge_ser::log_scale(LogKind::natural) == 1.0);
  CHECK(std::log(1000.0) * edge_ser::log_scale(LogKind::log10) == doctest::Approx(3.0));
  CHECK(std::log(1000.0) * edge_ser::log_scale(LogKind::db) == doctest::Approx(30.0));
}

TEST_CASE("require says which field is wrong and what it must be") {
  CHECK_NOTHROW(edge_ser::require(true, "x", 1, "anything"));
  CHECK_THROWS_WITH_AS(edge_ser::require(false, "hop_length", 0, "positive"),
                       "hop_length is 0; it must be positive", std::invalid_argument);
}

TEST_CASE("framing options are bounded") {
  CHECK_NOTHROW(edge_ser::validate_framing(400, 160, 1.0));
  CHECK_THROWS_AS(edge_ser::validate_framing(1, 160, 1.0), std::invalid_argument);
  CHECK_THROWS_AS(edge_ser::validate_framing(400, 0, 1.0), std::invalid_argument);
  CHECK_THROWS_AS(edge_ser::validate_framing(1 << 20, 160, 1.0), std::invalid_argument);
  for (const double scale : {0.0, -1.0, 1e7, std::numeric_limits<double>::quiet_NaN(),
                             std::numeric_limits<double>::infinity()}) {
    CHECK_THROWS_AS(edge_ser::validate_framing(400, 160, scale), std::invalid_argument);
  }
}
