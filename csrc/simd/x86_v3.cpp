// The inner loops for x86_v3; compiled with that instruction set, see CMakeLists.txt.
#include <immintrin.h>
#include "simd/simd.h"

#define EDGE_SER_SIMD_WIDTH 8

namespace edge_ser {

namespace {
// clang-format off: the order matters
#include "simd/vector.h"
#include "simd/fft_loops.h"
#include "simd/filter_loops.h"
#include "simd/frame_loops.h"
// clang-format on
}  // namespace

extern const SimdOps simd_ops_x86_v3;
constinit const SimdOps simd_ops_x86_v3 = operations(SimdLevel::x86_v3);

}  // namespace edge_ser
