// The inner loops for scalar; compiled with that instruction set, see CMakeLists.txt.
#include "simd.h"

#define EDGE_SER_SIMD_WIDTH 1

namespace edge_ser {

namespace {
// clang-format off: the order matters
#include "simd_vector.h"
#include "simd_fft.h"
#include "simd_frame.h"
// clang-format on
}  // namespace

extern const SimdOps simd_ops_scalar;
constinit const SimdOps simd_ops_scalar = operations(SimdLevel::scalar);

}  // namespace edge_ser
