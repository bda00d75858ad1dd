#include "alignment/ring_buffer.h"

#include "doctest/doctest.h"

using edge_ser::RingBuffer;

TEST_CASE("RingBuffer keeps the newest entries, each in its slot") {
  RingBuffer<int> ring(4);
  CHECK(ring.empty());
  for (int value = 0; value < 11; ++value) ring.append(2 * value);
  CHECK(ring.size() == 4);
  CHECK(ring.back() == 20);
  for (std::size_t i = 0; i < 4; ++i) {
    CHECK(ring[i] == static_cast<int>(14 + 2 * i));
    CHECK(ring.slot(i) == (7 + i) % 4);
  }
  CHECK(ring.lower_bound(0) == 0);
  CHECK(ring.lower_bound(16) == 1);
  CHECK(ring.lower_bound(17) == 2);
  CHECK(ring.lower_bound(21) == 4);
}

TEST_CASE("RingBuffer drops from the front") {
  RingBuffer<int> ring(4);
  for (const int value : {1, 3, 5, 7, 9}) ring.append(value);
  ring.drop_front(3);
  CHECK(ring.size() == 1);
  CHECK(ring[0] == 9);
  ring.append(11);
  CHECK(ring.lower_bound(10) == 1);
}
