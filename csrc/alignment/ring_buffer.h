// A bounded buffer whose entries arrive in order.
#pragma once

#include <cstddef>
#include <vector>

namespace edge_ser {

/// Keeps the newest `capacity` entries; the caller appends them in the order of Entry's operator<.
/// Allocates in the constructor only. Not thread-safe.
template <class Entry>
class RingBuffer {
 public:
  explicit RingBuffer(std::size_t capacity) : entries_(capacity) {}

  std::size_t size() const { return size_; }
  bool empty() const { return size_ == 0; }
  /// Entry `i` counted from the oldest.
  const Entry& operator[](std::size_t i) const { return entries_[slot(i)]; }
  Entry& operator[](std::size_t i) { return entries_[slot(i)]; }
  const Entry& back() const { return (*this)[size_ - 1]; }
  /// Where entry `i` lies, below the capacity; it does not move.
  std::size_t slot(std::size_t i) const { return wrap(head_ + i); }

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

  /// When full, the oldest entry gives way.
  void append(const Entry& entry) {
    if (size_ == entries_.size()) drop_front(1);
    entries_[slot(size_++)] = entry;
  }
  void drop_front(std::size_t count) {
    head_ = wrap(head_ + count);
    size_ -= count;
  }

 private:
  std::size_t wrap(std::size_t i) const { return i >= entries_.size() ? i - entries_.size() : i; }

  std::vector<Entry> entries_;
  std::size_t head_ = 0;
  std::size_t size_ = 0;
};

}  // namespace edge_ser
