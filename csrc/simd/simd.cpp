#include "simd/simd.h"

#include <array>
#include <stdexcept>
#include <string>

namespace edge_ser {

extern const SimdOps simd_ops_scalar;
#if defined(EDGE_SER_X86)
extern const SimdOps simd_ops_x86_v2;
extern const SimdOps simd_ops_x86_v3;
#elif defined(EDGE_SER_NEON)
extern const SimdOps simd_ops_neon;
#endif

namespace {

constexpr std::array<std::string_view, 4> kNames = {"scalar", "neon", "x86-64-v2", "x86-64-v3"};

struct Levels {
  std::array<SimdLevel, 3> level{SimdLevel::scalar};
  std::size_t count = 1;

  Levels() {
#if defined(EDGE_SER_X86)
    __builtin_cpu_init();
    // The kernels use of each level: v2 SSE4, v3 AVX2 and FMA. Longer vectors gain
    // nothing at these sizes: with 8 points a pass, 8 lanes are full.
    if (!(__builtin_cpu_supports("sse4.2") && __builtin_cpu_supports("ssse3"))) return;
    level[count++] = SimdLevel::x86_v2;
    if (!(__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") &&
          __builtin_cpu_supports("bmi") && __builtin_cpu_supports("bmi2"))) {
      return;
    }
    level[count++] = SimdLevel::x86_v3;
#elif defined(EDGE_SER_NEON)
    level[count++] = SimdLevel::neon;
#endif
  }
};

const Levels& levels() {
  static const Levels found;
  return found;
}

}  // namespace

std::span<const SimdLevel> simd_levels() { return {levels().level.data(), levels().count}; }

SimdLevel best_simd_level() { return simd_levels().back(); }

const SimdOps& simd_ops(SimdLevel level) {
  for (const SimdLevel known : simd_levels()) {
    if (known != level) continue;
    switch (level) {
#if defined(EDGE_SER_X86)
      case SimdLevel::x86_v2:
        return simd_ops_x86_v2;
      case SimdLevel::x86_v3:
        return simd_ops_x86_v3;
#elif defined(EDGE_SER_NEON)
      case SimdLevel::neon:
        return simd_ops_neon;
#endif
      default:
        return simd_ops_scalar;
    }
  }
  throw std::invalid_argument("this processor or this build does not have the SIMD level " +
                              std::string(simd_name(level)));
}

std::string_view simd_name(SimdLevel level) { return kNames[static_cast<std::size_t>(level)]; }

SimdLevel simd_level_named(std::string_view name) {
  if (name == "best") return best_simd_level();
  std::string known = "best";
  for (const SimdLevel level : simd_levels()) {
    if (simd_name(level) == name) return level;
    known.append(", ").append(simd_name(level));
  }
  throw std::invalid_argument("no SIMD level '" + std::string(name) +
                              "' here; there are: " + known);
}

}  // namespace edge_ser
