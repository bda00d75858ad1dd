#include "features/polyphase.h"

#include <algorithm>
#include <cmath>
#include <numbers>
#include <random>

#include "doctest/doctest.h"

using edge_ser::PolyphaseDesign;
using edge_ser::PolyphaseFilter;
using edge_ser::PolyphaseStage;

namespace {

PolyphaseDesign design(std::int64_t up, std::int64_t down) {
  PolyphaseDesign made;
  made.up = up;
  made.down = down;
  made.pass = 0.3 * std::min(1.0, static_cast<double>(up) / static_cast<double>(down));
  made.stop = 1.5 * made.pass;
  return made;
}

/// All outputs of a stage that gets `x` in pieces of at most `largest`.
std::vector<float> filtered(PolyphaseStage& stage, const std::vector<float>& x,
                            std::size_t largest) {
  std::vector<float> y;
  for (std::size_t at = 0; at < x.size();) {
    const std::span<float> room = stage.room();
    REQUIRE(!room.empty());
    const std::size_t count = std::min({largest, room.size(), x.size() - at});
    std::copy_n(x.data() + at, count, room.data());
    stage.grow(count);
    at += count;
    std::vector<float> out(8 * largest + 64);
    for (std::size_t given = 1; given > 0;) {
      given = stage.emit(out);
      y.insert(y.end(), out.begin(), out.begin() + static_cast<std::ptrdiff_t>(given));
    }
  }
  return y;
}

// Mirrored, in groups, and interpolated: one phase, two, few, as many as 44.1 kHz has, too many.
constexpr std::pair<int, int> kRatios[] = {{1, 2}, {1, 3},    {2, 3},     {2, 1},        {3, 2},
                                           {5, 4}, {80, 147}, {160, 147}, {24000, 44101}};

}  // namespace

TEST_CASE("outputs are counted from time 0 to either side") {
  CHECK(edge_ser::first_output_at(0, 2, 3) == 0);
  CHECK(edge_ser::first_output_at(1, 2, 3) == 1);
  CHECK(edge_ser::first_output_at(3, 2, 3) == 2);
  CHECK(edge_ser::first_output_at(-1, 2, 3) == 0);
  CHECK(edge_ser::first_output_at(-2, 2, 3) == -1);
  CHECK(edge_ser::first_output_at(-3, 2, 3) == -2);
  const std::int64_t late = std::int64_t{1} << 53;
  CHECK(edge_ser::first_output_at(late * 147, 80, 147) == late * 80);
}

TEST_CASE("a stage gives a tone of the pass band at its own times, and stops one beyond") {
  for (const auto& [up, down] : kRatios) {
    CAPTURE(up);
    const PolyphaseDesign made = design(up, down);
    for (const edge_ser::SimdLevel level : edge_ser::simd_levels()) {
      for (const bool passes : {true, false}) {
        const double frequency = passes ? 0.9 * made.pass : 1.05 * made.stop;
        if (frequency > 0.5) continue;  // an image
        PolyphaseStage stage(std::make_shared<const PolyphaseFilter>(made),
                             edge_ser::simd_ops(level), 0, 0);
        std::vector<float> x(3000);
        const double step = 2 * std::numbers::pi * frequency;
        for (std::size_t i = 0; i < x.size(); ++i) {
          x[i] = static_cast<float>(std::sin(step * static_cast<double>(i)));
        }
        const std::vector<float> y = filtered(stage, x, 3000);
        CHECK(y.size() % 8 == 0);
        CHECK(y.size() * static_cast<std::size_t>(down) > 2000 * static_cast<std::size_t>(up));
        double worst = 0;
        for (std::size_t n = y.size() / 4; n < y.size() * 3 / 4; ++n) {
          const double at = static_cast<double>(n) * down / up;
          const double expected = passes ? std::sin(step * at) : 0.0;
          worst = std::max(worst, std::abs(static_cast<double>(y[n]) - expected));
        }
        CHECK(worst < 6e-5);
      }
    }
  }
}

TEST_CASE("what a stage gives depends neither on the pieces nor on when it began") {
  std::mt19937 random(3);
  std::normal_distribution<float> normal;
  std::vector<float> x(3000);
  for (float& value : x) value = normal(random);
  for (const auto& [up, down] : kRatios) {
    CAPTURE(up);
    const auto filter = std::make_shared<const PolyphaseFilter>(design(up, down));
    const edge_ser::SimdOps& simd = edge_ser::simd_ops(edge_ser::best_simd_level());
    PolyphaseStage stage(filter, simd, 0, 0);
    const std::vector<float> whole = filtered(stage, x, 3000);
    stage.reset();
    CHECK(filtered(stage, x, 7) == whole);
    const std::int64_t early = -5 * filter->group_size();
    PolyphaseStage before(filter, simd, early, 0);
    std::vector<float> y = filtered(before, x, 100);
    CHECK(y.size() == whole.size() + static_cast<std::size_t>(-early));
    y.erase(y.begin(), y.begin() - early);
    CHECK(y == whole);
  }
}
