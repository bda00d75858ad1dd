// Bounded buffers that stay sorted by time although their entries arrive out of order.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <utility>
#include <vector>

namespace edge_ser {

enum class Insertion { kStored, kDuplicate, kTooOld };

/// Keeps the newest `capacity` entries in the order of Entry's operator<.
///
/// Appending the newest entry is O(1); one that arrives late moves the entries after it, so its
/// cost is bounded by its lateness. Allocates in the constructor only. Not thread-safe.
template <class Entry>
class SortedRing {
 public:
  explicit SortedRing(std::size_t capacity) : entries_(capacity) {}

  std::size_t size() const { return size_; }
  std::size_t capacity() const { return entries_.size(); }
  bool empty() const { return size_ == 0; }
  /// Entry `i` counted from the oldest.
  const Entry& operator[](std::size_t i) const { return entries_[at(i)]; }
  Entry& operator[](std::size_t i) { return entries_[at(i)]; }
  const Entry& back() const { return (*this)[size_ - 1]; }

  /// Index of the first entry that is not before `entry`; size() if there is none.
  std::size_t lower_bound(const Entry& entry) const {
    std::size_t low = 0, high = size_;
    while (low < high) {
      const std::size_t middle = (low + high) / 2;
      if ((*this)[middle] < entry) {
        low = middle + 1;
      } else {
        high = middle;
      }
    }
    return low;
  }

  /// Where `insert` would put `entry`, and whether it may.
  std::pair<Insertion, std::size_t> place(const Entry& entry) const {
    if (size_ == 0 || back() < entry) return {Insertion::kStored, size_};
    const std::size_t index = lower_bound(entry);
    if (!(entry < (*this)[index])) return {Insertion::kDuplicate, index};
    if (index == 0 && size_ == capacity()) return {Insertion::kTooOld, 0};
    return {Insertion::kStored, index};
  }

  /// Puts `entry` in its place; when full, the oldest entry gives way.
  Insertion insert(const Entry& entry) {
    auto [verdict, index] = place(entry);
    if (verdict != Insertion::kStored) return verdict;
    if (size_ == capacity()) {
      head_ = wrap(head_ + 1);
      --size_;
      --index;
    }
    ++size_;
    for (std::size_t i = size_ - 1; i > index; --i) (*this)[i] = (*this)[i - 1];
    (*this)[index] = entry;
    return Insertion::kStored;
  }

  void drop_front(std::size_t count) {
    head_ = wrap(head_ + count);
    size_ -= count;
  }
  void truncate(std::size_t size) { size_ = size; }
  void clear() { head_ = size_ = 0; }

 private:
  std::size_t wrap(std::size_t i) const { return i >= entries_.size() ? i - entries_.size() : i; }
  std::size_t at(std::size_t i) const { return wrap(head_ + i); }

  std::vector<Entry> entries_;
  std::size_t head_ = 0;
  std::size_t size_ = 0;
};

/// The newest `capacity` rows of `dim` floats, each with its 64-bit position, sorted by position.
/// Rows do not move once stored. Allocates in the constructor only. Not thread-safe.
class FrameRing {
 public:
  FrameRing(std::size_t capacity, std::size_t dim);

  std::size_t size() const { return index_.size(); }
  std::size_t capacity() const { return index_.capacity(); }
  std::size_t dim() const { return dim_; }
  std::int64_t position(std::size_t i) const { return index_[i].position; }
  std::span<const float> row(std::size_t i) const {
    return {rows_.data() + index_[i].slot * dim_, dim_};
  }

  /// A position that is already there keeps its first row.
  Insertion insert(std::int64_t position, std::span<const float> row);
  void clear() { index_.clear(); }

 private:
  struct Entry {
    std::int64_t position = 0;
    std::size_t slot = 0;
    bool operator<(const Entry& other) const { return position < other.position; }
  };

  std::size_t dim_;
  SortedRing<Entry> index_;
  std::vector<float> rows_;
};

}  // namespace edge_ser
