#include "features/whisper.h"

#include <vector>

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
