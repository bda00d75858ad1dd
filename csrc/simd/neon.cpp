// The inner loops for neon; compiled with that instruction set, see CMakeLists.txt.
#include <arm_neon.h>
#include "simd/simd.h"

#define EDGE_SER_SIMD_WIDTH 4

namespace edge_ser {

namespace {
// clang-format off: the order matters
#include "simd/vector.h"
#include "simd/fft_loops.h"
#include "simd/filter_loops.h"
#include "simd/frame_loops.h"
// clang-format on
}  // namespace

extern const SimdOps simd_ops_neon;
constinit const SimdOps simd_ops_neon = operations(SimdLevel::neon);

}  // namespace edge_ser
