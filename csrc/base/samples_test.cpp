#include "base/samples.h"

#include <limits>
#include <vector>

#include "doctest/doctest.h"

TEST_CASE("check_finite passes every finite value and names the first bad sample") {
  std::vector<float> samples = {0.0f, -0.0f, 1e38f, -3.4e38f, 1e-45f, 1.0f, 2.0f, 3.0f, 4.0f};
  CHECK_NOTHROW(edge_ser::check_finite(samples));
  for (const float bad :
       {std::numeric_limits<float>::quiet_NaN(), std::numeric_limits<float>::infinity(),
        -std::numeric_limits<float>::infinity()}) {
    for (std::size_t at = 0; at < samples.size(); ++at) {
      std::vector<float> spoiled = samples;
      spoiled[at] = bad;
      spoiled.back() = bad;
      try {
        edge_ser::check_finite(spoiled);
        FAIL("a bad sample passed");
      } catch (const edge_ser::SampleError& error) {
        CHECK(error.index() == at);
      }
    }
  }
}
