// The inner loops for x86_v2; compiled with that instruction set, see CMakeLists.txt.
#include <immintrin.h>
#include "simd.h"

#define EDGE_SER_SIMD_WIDTH 4

namespace edge_ser {

namespace {
// clang-format off: the order matters
#include "simd_vector.h"
#include "simd_fft.h"
#include "simd_frame.h"
// clang-format on
}  // namespace

extern const SimdOps simd_ops_x86_v2;
constinit const SimdOps simd_ops_x86_v2 = operations(SimdLevel::x86_v2);

}  // namespace edge_ser
