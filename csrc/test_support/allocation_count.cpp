#include "test_support/allocation_count.h"

#include <cstdlib>
#include <new>

// Not inlined: the compiler would take malloc and delete for a mismatched pair.
[[gnu::noinline]] void* operator new(std::size_t size) {
  edge_ser::testing::allocations.fetch_add(1, std::memory_order_relaxed);
  edge_ser::testing::allocated_bytes.fetch_add(size, std::memory_order_relaxed);
  if (void* memory = std::malloc(size > 0 ? size : 1)) return memory;
  throw std::bad_alloc();
}
// std::stable_sort takes its buffer from this one.
[[gnu::noinline]] void* operator new(std::size_t size, const std::nothrow_t&) noexcept {
  edge_ser::testing::allocations.fetch_add(1, std::memory_order_relaxed);
  edge_ser::testing::allocated_bytes.fetch_add(size, std::memory_order_relaxed);
  return std::malloc(size > 0 ? size : 1);
}
[[gnu::noinline]] void operator delete(void* memory) noexcept { std::free(memory); }
[[gnu::noinline]] void operator delete(void* memory, std::size_t) noexcept { std::free(memory); }
