#include "pitch/path.h"

#include <cmath>
#include <limits>
#include <stdexcept>
#include <vector>

#include "doctest/doctest.h"

using edge_ser::PitchGrid;
using edge_ser::PitchPath;

namespace {

PitchPath::Scores favouring(int state, float score) {
  PitchPath::Scores scores{};
  scores[static_cast<std::size_t>(state)] = score;
  return scores;
}

}  // namespace

TEST_CASE("the grid starts at 50 Hz and doubles every 24 states") {
  CHECK(PitchGrid::frequency(0) == doctest::Approx(50.0));
  CHECK(PitchGrid::frequency(24) == doctest::Approx(100.0));
  CHECK(PitchGrid::frequency(PitchGrid::kStates - 1) == doctest::Approx(549.5816));
}

TEST_CASE("a decision comes `delay` frames late") {
  for (int delay = 0; delay <= PitchPath::kMaxDelay; ++delay) {
    PitchPath path(delay, 8.0, 6.0);
    std::vector<int> decided;
    for (int t = 0; t < 40; ++t) decided.push_back(path.push(favouring(30 + t, 50.0f)));
    for (int t = delay; t < 40; ++t) CHECK(decided[static_cast<std::size_t>(t)] == 30 + t - delay);
  }
}

TEST_CASE("one frame an octave off is bridged, once the following frames are seen") {
  PitchPath path(3, 8.0, 6.0);
  int decided = -1;
  for (int t = 0; t < 20; ++t) path.push(favouring(40, 4.0f));
  path.push(favouring(64, 5.0f));
  for (int t = 0; t < 3; ++t) decided = path.push(favouring(40, 4.0f));
  CHECK(decided == 40);
}

TEST_CASE("a lasting jump is followed") {
  PitchPath path(3, 8.0, 6.0);
  int decided = -1;
  for (int t = 0; t < 20; ++t) path.push(favouring(20, 4.0f));
  for (int t = 0; t < 10; ++t) decided = path.push(favouring(70, 4.0f));
  CHECK(decided == 70);
}

TEST_CASE("frames without evidence hold the pitch") {
  PitchPath path(3, 8.0, 6.0);
  int decided = -1;
  for (int t = 0; t < 20; ++t) path.push(favouring(33, 4.0f));
  for (int t = 0; t < 500; ++t) decided = path.push(PitchPath::Scores{});
  CHECK(decided == 33);
}

TEST_CASE("a delay or a cost that makes no sense is refused") {
  CHECK_THROWS_AS(PitchPath(-1, 8.0, 6.0), std::invalid_argument);
  CHECK_THROWS_AS(PitchPath(4, 8.0, 6.0), std::invalid_argument);
  CHECK_THROWS_AS(PitchPath(3, -1.0, 6.0), std::invalid_argument);
  CHECK_THROWS_AS(PitchPath(3, 8.0, std::numeric_limits<double>::quiet_NaN()),
                  std::invalid_argument);
}
