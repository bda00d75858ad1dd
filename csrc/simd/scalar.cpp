// The inner loops for scalar; compiled with that instruction set, see CMakeLists.txt.
#include "simd/simd.h"

#define EDGE_SER_SIMD_WIDTH 1

namespace edge_ser {

namespace {
// clang-format off: the order matters
#include "simd/vector.h"
#include "simd/fft_loops.h"
#include "simd/filter_loops.h"
#include "simd/frame_loops.h"
// clang-format on
}  // namespace

extern const SimdOps simd_ops_scalar;
constinit const SimdOps simd_ops_scalar = operations(SimdLevel::scalar);

}  // namespace edge_ser
