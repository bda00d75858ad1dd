#include "alignment/ring_buffer.h"

#include <algorithm>

namespace edge_ser {

FrameRing::FrameRing(std::size_t capacity, std::size_t dim)
    : dim_(dim), index_(capacity), rows_(capacity * dim) {}

Insertion FrameRing::insert(std::int64_t position, std::span<const float> row) {
  Entry entry{position, 0};
  const Insertion verdict = index_.place(entry).first;
  if (verdict != Insertion::kStored) return verdict;
  // Slots are handed out in turn until the ring is full; from then on the evicted row's is reused.
  entry.slot = index_.size() == index_.capacity() ? index_[0].slot : index_.size();
  index_.insert(entry);
  std::copy(row.begin(), row.end(), rows_.begin() + static_cast<std::ptrdiff_t>(entry.slot * dim_));
  return Insertion::kStored;
}

}  // namespace edge_ser
