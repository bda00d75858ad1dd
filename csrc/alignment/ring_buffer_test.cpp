#include "alignment/ring_buffer.h"

#include <algorithm>
#include <cstdint>
#include <random>
#include <set>
#include <vector>

#include "doctest/doctest.h"

using edge_ser::FrameRing;
using edge_ser::Insertion;

namespace {

std::vector<float> row_of(std::int64_t position, std::size_t dim) {
  std::vector<float> row(dim);
  for (std::size_t i = 0; i < dim; ++i) row[i] = static_cast<float>(position % 1000 * 10 + i);
  return row;
}

}  // namespace

TEST_CASE("FrameRing agrees with a sorted set whatever the order of arrival") {
  std::mt19937_64 random(7);
  for (const std::int64_t start :
       {std::int64_t{0}, (std::int64_t{1} << 31) - 50, (std::int64_t{1} << 53) - 50}) {
    FrameRing ring(32, 3);
    std::set<std::int64_t> expected;
    for (int i = 0; i < 2000; ++i) {
      const std::int64_t position = start + i / 4 + static_cast<std::int64_t>(random() % 24);
      const bool known = expected.count(position) != 0;
      const bool too_old = !known && expected.size() == 32 && position < *expected.begin();
      const Insertion verdict = ring.insert(position, row_of(position, 3));
      REQUIRE(verdict == (known     ? Insertion::kDuplicate
                          : too_old ? Insertion::kTooOld
                                    : Insertion::kStored));
      if (!too_old) expected.insert(position);
      if (expected.size() > 32) expected.erase(expected.begin());
      REQUIRE(ring.size() == expected.size());
      std::size_t k = 0;
      for (const std::int64_t want : expected) {
        REQUIRE(ring.position(k) == want);
        const std::vector<float> row = row_of(want, 3);
        REQUIRE(std::equal(row.begin(), row.end(), ring.row(k).begin()));
        ++k;
      }
    }
  }
}

TEST_CASE("FrameRing keeps the first row of a duplicated position") {
  FrameRing ring(4, 1);
  const float first[] = {1.0f}, second[] = {2.0f};
  CHECK(ring.insert(10, first) == Insertion::kStored);
  CHECK(ring.insert(10, second) == Insertion::kDuplicate);
  CHECK(ring.row(0)[0] == 1.0f);
}

TEST_CASE("SortedRing drops from the front and truncates at the back") {
  edge_ser::SortedRing<int> ring(4);
  for (const int value : {5, 1, 3, 7, 9}) ring.insert(value);  // 1 gives way to 9
  ring.drop_front(1);
  CHECK(ring.size() == 3);
  CHECK(ring[0] == 5);
  CHECK(ring.lower_bound(6) == 1);
  ring.truncate(1);
  CHECK(ring.back() == 5);
  ring.clear();
  CHECK(ring.empty());
  CHECK(ring.insert(0) == Insertion::kStored);
}
