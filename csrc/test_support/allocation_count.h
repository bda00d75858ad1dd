// Counts every allocation of the test program, so that "none" can be checked.
#pragma once

#include <atomic>
#include <cstddef>

namespace edge_ser::testing {

inline std::atomic<std::size_t> allocations{0};
inline std::atomic<std::size_t> allocated_bytes{0};

}  // namespace edge_ser::testing
