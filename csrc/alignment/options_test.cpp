#include "alignment/options.h"

#include <limits>
#include <stdexcept>

#include "doctest/doctest.h"

using edge_ser::AlignerOptions;
using edge_ser::SourceOptions;

TEST_CASE("the defaults of both option structs are valid") {
  CHECK_NOTHROW(SourceOptions{}.validate());
  CHECK_NOTHROW(AlignerOptions{}.validate());
}

TEST_CASE("every nonsense in SourceOptions is refused") {
  const auto refused = [](auto set) {
    SourceOptions options;
    set(options);
    CHECK_THROWS_AS(options.validate(), std::invalid_argument);
  };
  refused([](SourceOptions& o) { o.dim = 0; });
  refused([](SourceOptions& o) { o.clock_rate = -1; });
  refused([](SourceOptions& o) { o.period = 0; });
  refused([](SourceOptions& o) { o.max_age = -1; });
  refused([](SourceOptions& o) { o.lateness = std::numeric_limits<std::int64_t>::max(); });
  refused([](SourceOptions& o) { o.capacity = 0; });
  refused([](SourceOptions& o) { o.capacity = 1 << 22, o.dim = 65536; });
  refused([](SourceOptions& o) { o.latency = std::numeric_limits<std::int64_t>::min(); });
  refused([](SourceOptions& o) { o.observations = 63; });
  refused([](SourceOptions& o) { o.horizon = 0; });
  refused([](SourceOptions& o) { o.step = 0; });
  refused([](SourceOptions& o) { o.max_drift_ppm = 0.0; });
  refused([](SourceOptions& o) { o.max_drift_ppm = std::numeric_limits<double>::quiet_NaN(); });
  refused([](SourceOptions& o) { o.follows = "audio"; });
}

TEST_CASE("AlignerOptions refuses a clock that does not run") {
  CHECK_THROWS_AS((AlignerOptions{0, 160, ""}.validate()), std::invalid_argument);
  CHECK_THROWS_AS((AlignerOptions{16000, 0, ""}.validate()), std::invalid_argument);
}
