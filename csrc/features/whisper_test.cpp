#include "features/whisper.h"

#include <limits>
#include <vector>

#include "base/samples.h"
#include "doctest/doctest.h"

TEST_CASE("whisper_normalize clamps at 8 below the maximum") {
  std::vector<float> values = {0.0f, -4.0f, -8.0f, -10.0f};
  edge_ser::whisper_normalize(values);
  CHECK(values == std::vector<float>{1.0f, 0.0f, -1.0f, -1.0f});
}

TEST_CASE("whisper_normalize of nothing is nothing") {
  std::vector<float> values;
  edge_ser::whisper_normalize(values);
  CHECK(values.empty());
}

TEST_CASE("whisper_normalize refuses what is not finite, and leaves the frames as they are") {
  for (const float bad :
       {std::numeric_limits<float>::quiet_NaN(), std::numeric_limits<float>::infinity(),
        -std::numeric_limits<float>::infinity()}) {
    std::vector<float> values = {0.0f, -4.0f, bad, -10.0f};
    CHECK_THROWS_AS(edge_ser::whisper_normalize(values), edge_ser::SampleError);
    CHECK(values.at(3) == -10.0f);
  }
}
