// The inner loops for neon; compiled with that instruction set, see CMakeLists.txt.
#include <arm_neon.h>
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

extern const SimdOps simd_ops_neon;
constinit const SimdOps simd_ops_neon = operations(SimdLevel::neon);

}  // namespace edge_ser
