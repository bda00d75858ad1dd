// A vector of EDGE_SER_SIMD_WIDTH floats. Included inside an anonymous namespace by every
// simd_*.cpp: no function of the standard library may be called here, because the linker would be
// free to give a copy that was compiled for a newer processor to the rest of the program.

constexpr int kWidth = EDGE_SER_SIMD_WIDTH;
#if EDGE_SER_SIMD_WIDTH == 1
typedef float Vec;
typedef std::int32_t IntVec;
#else
typedef float Vec __attribute__((vector_size(4 * EDGE_SER_SIMD_WIDTH)));
typedef std::int32_t IntVec __attribute__((vector_size(4 * EDGE_SER_SIMD_WIDTH)));
#endif

#define EDGE_SER_INLINE inline __attribute__((always_inline))

#if defined(__has_builtin)
#if __has_builtin(__builtin_shufflevector)
#define EDGE_SER_SHUFFLE(a, b, ...) __builtin_shufflevector(a, b, __VA_ARGS__)
#endif
#endif
#ifndef EDGE_SER_SHUFFLE
#define EDGE_SER_SHUFFLE(a, b, ...) __builtin_shuffle(a, b, IntVec{__VA_ARGS__})
#endif

EDGE_SER_INLINE Vec load(const float* from) {
  Vec value;
  __builtin_memcpy(&value, from, sizeof value);
  return value;
}
EDGE_SER_INLINE void store(float* to, Vec value) { __builtin_memcpy(to, &value, sizeof value); }
EDGE_SER_INLINE Vec broadcast(float value) { return Vec{} + value; }
EDGE_SER_INLINE IntVec bits(Vec value) { return __builtin_bit_cast(IntVec, value); }
EDGE_SER_INLINE Vec from_bits(IntVec value) { return __builtin_bit_cast(Vec, value); }

#if EDGE_SER_SIMD_WIDTH == 1
EDGE_SER_INLINE float lane(Vec value, int) { return value; }
EDGE_SER_INLINE std::int32_t lane(IntVec value, int) { return value; }
EDGE_SER_INLINE Vec to_float(IntVec value) { return static_cast<float>(value); }
EDGE_SER_INLINE IntVec mask(bool value) { return -static_cast<std::int32_t>(value); }
EDGE_SER_INLINE Vec count_up() { return 0.0f; }
#else
EDGE_SER_INLINE float lane(Vec value, int i) { return value[i]; }
EDGE_SER_INLINE std::int32_t lane(IntVec value, int i) { return value[i]; }
EDGE_SER_INLINE Vec to_float(IntVec value) { return __builtin_convertvector(value, Vec); }
EDGE_SER_INLINE IntVec mask(IntVec value) { return value; }
EDGE_SER_INLINE Vec count_up() {
  Vec value = {};
  for (int i = 0; i < kWidth; ++i) value[i] = static_cast<float>(i);
  return value;
}
#endif

/// a * b + c, rounded once where the processor can.
EDGE_SER_INLINE Vec fma(Vec a, Vec b, Vec c) {
#if EDGE_SER_SIMD_WIDTH == 8 && defined(__FMA__)
  return __builtin_bit_cast(
      Vec, _mm256_fmadd_ps(__builtin_bit_cast(__m256, a), __builtin_bit_cast(__m256, b),
                           __builtin_bit_cast(__m256, c)));
#elif EDGE_SER_SIMD_WIDTH == 4 && defined(__aarch64__)
  return __builtin_bit_cast(
      Vec, vfmaq_f32(__builtin_bit_cast(float32x4_t, c), __builtin_bit_cast(float32x4_t, a),
                     __builtin_bit_cast(float32x4_t, b)));
#else
  return a * b + c;
#endif
}
/// c - a * b.
EDGE_SER_INLINE Vec fnma(Vec a, Vec b, Vec c) { return fma(-a, b, c); }

EDGE_SER_INLINE Vec vec_max(Vec a, Vec b) { return a > b ? a : b; }
EDGE_SER_INLINE Vec vec_min(Vec a, Vec b) { return a < b ? a : b; }

EDGE_SER_INLINE Vec vec_sqrt(Vec value) {
#if EDGE_SER_SIMD_WIDTH == 8
  return __builtin_bit_cast(Vec, _mm256_sqrt_ps(__builtin_bit_cast(__m256, value)));
#elif EDGE_SER_SIMD_WIDTH == 4 && defined(__SSE2__)
  return __builtin_bit_cast(Vec, _mm_sqrt_ps(__builtin_bit_cast(__m128, value)));
#elif EDGE_SER_SIMD_WIDTH == 4 && defined(__aarch64__)
  return __builtin_bit_cast(Vec, vsqrtq_f32(__builtin_bit_cast(float32x4_t, value)));
#else
  return __builtin_sqrtf(value);
#endif
}

EDGE_SER_INLINE Vec reverse(Vec a) {
#if EDGE_SER_SIMD_WIDTH == 8
  return EDGE_SER_SHUFFLE(a, a, 7, 6, 5, 4, 3, 2, 1, 0);
#elif EDGE_SER_SIMD_WIDTH == 4
  return EDGE_SER_SHUFFLE(a, a, 3, 2, 1, 0);
#else
  return a;
#endif
}

/// From a0 a1 a2 ... b0 b1 b2 ... to a0 a2 ... b0 b2 ... and a1 a3 ... b1 b3 ...
EDGE_SER_INLINE void part_even_odd(Vec a, Vec b, Vec& even, Vec& odd) {
#if EDGE_SER_SIMD_WIDTH == 8
  even = EDGE_SER_SHUFFLE(a, b, 0, 2, 4, 6, 8, 10, 12, 14);
  odd = EDGE_SER_SHUFFLE(a, b, 1, 3, 5, 7, 9, 11, 13, 15);
#elif EDGE_SER_SIMD_WIDTH == 4
  even = EDGE_SER_SHUFFLE(a, b, 0, 2, 4, 6);
  odd = EDGE_SER_SHUFFLE(a, b, 1, 3, 5, 7);
#else
  even = a;
  odd = b;
#endif
}

/// Sum of all elements, always in the same order.
EDGE_SER_INLINE float add_across(Vec a) {
#if EDGE_SER_SIMD_WIDTH == 8
  const float low = (a[0] + a[4]) + (a[2] + a[6]);
  const float high = (a[1] + a[5]) + (a[3] + a[7]);
  return low + high;
#elif EDGE_SER_SIMD_WIDTH == 4
  return (a[0] + a[2]) + (a[1] + a[3]);
#else
  return a;
#endif
}

#if EDGE_SER_SIMD_WIDTH == 4
EDGE_SER_INLINE void transpose4(Vec& a, Vec& b, Vec& c, Vec& d) {
  const Vec ab_low = EDGE_SER_SHUFFLE(a, b, 0, 4, 1, 5);
  const Vec ab_high = EDGE_SER_SHUFFLE(a, b, 2, 6, 3, 7);
  const Vec cd_low = EDGE_SER_SHUFFLE(c, d, 0, 4, 1, 5);
  const Vec cd_high = EDGE_SER_SHUFFLE(c, d, 2, 6, 3, 7);
  a = EDGE_SER_SHUFFLE(ab_low, cd_low, 0, 1, 4, 5);
  b = EDGE_SER_SHUFFLE(ab_low, cd_low, 2, 3, 6, 7);
  c = EDGE_SER_SHUFFLE(ab_high, cd_high, 0, 1, 4, 5);
  d = EDGE_SER_SHUFFLE(ab_high, cd_high, 2, 3, 6, 7);
}
#endif

/// rows[j][i] goes to to[8 * i + j]: the results of `kWidth` radix-8 butterflies side by side.
EDGE_SER_INLINE void store_transposed8(float* to, const Vec (&rows)[8]) {
#if EDGE_SER_SIMD_WIDTH == 8
  Vec pair[8];
  for (int i = 0; i < 8; i += 2) {
    pair[i] = EDGE_SER_SHUFFLE(rows[i], rows[i + 1], 0, 8, 1, 9, 4, 12, 5, 13);
    pair[i + 1] = EDGE_SER_SHUFFLE(rows[i], rows[i + 1], 2, 10, 3, 11, 6, 14, 7, 15);
  }
  Vec quad[8];
  for (int i = 0; i < 8; i += 4) {
    quad[i] = EDGE_SER_SHUFFLE(pair[i], pair[i + 2], 0, 1, 8, 9, 4, 5, 12, 13);
    quad[i + 1] = EDGE_SER_SHUFFLE(pair[i], pair[i + 2], 2, 3, 10, 11, 6, 7, 14, 15);
    quad[i + 2] = EDGE_SER_SHUFFLE(pair[i + 1], pair[i + 3], 0, 1, 8, 9, 4, 5, 12, 13);
    quad[i + 3] = EDGE_SER_SHUFFLE(pair[i + 1], pair[i + 3], 2, 3, 10, 11, 6, 7, 14, 15);
  }
  for (int i = 0; i < 4; ++i) {
    store(to + 8 * i, EDGE_SER_SHUFFLE(quad[i], quad[i + 4], 0, 1, 2, 3, 8, 9, 10, 11));
    store(to + 8 * (i + 4), EDGE_SER_SHUFFLE(quad[i], quad[i + 4], 4, 5, 6, 7, 12, 13, 14, 15));
  }
#elif EDGE_SER_SIMD_WIDTH == 4
  for (int half = 0; half < 8; half += 4) {
    Vec a = rows[half], b = rows[half + 1], c = rows[half + 2], d = rows[half + 3];
    transpose4(a, b, c, d);
    store(to + half, a);
    store(to + 8 + half, b);
    store(to + 16 + half, c);
    store(to + 24 + half, d);
  }
#else
  for (int j = 0; j < 8; ++j) store(to + j, rows[j]);
#endif
}

/// out[i] = sum of the elements of rows[i]; `out` gets 8 values.
EDGE_SER_INLINE void store_row_sums8(float* out, const Vec (&rows)[8]) {
#if EDGE_SER_SIMD_WIDTH == 8
  Vec pair[4];
  for (int i = 0; i < 4; ++i) {
    const Vec a = rows[2 * i], b = rows[2 * i + 1];
    pair[i] = EDGE_SER_SHUFFLE(a, b, 0, 2, 8, 10, 4, 6, 12, 14) +
              EDGE_SER_SHUFFLE(a, b, 1, 3, 9, 11, 5, 7, 13, 15);
  }
  Vec quad[2];
  for (int i = 0; i < 2; ++i) {
    const Vec a = pair[2 * i], b = pair[2 * i + 1];
    quad[i] = EDGE_SER_SHUFFLE(a, b, 0, 2, 8, 10, 4, 6, 12, 14) +
              EDGE_SER_SHUFFLE(a, b, 1, 3, 9, 11, 5, 7, 13, 15);
  }
  store(out, EDGE_SER_SHUFFLE(quad[0], quad[1], 0, 1, 2, 3, 8, 9, 10, 11) +
                 EDGE_SER_SHUFFLE(quad[0], quad[1], 4, 5, 6, 7, 12, 13, 14, 15));
#elif EDGE_SER_SIMD_WIDTH == 4
  for (int half = 0; half < 8; half += 4) {
    Vec a = rows[half], b = rows[half + 1], c = rows[half + 2], d = rows[half + 3];
    transpose4(a, b, c, d);
    store(out + half, (a + c) + (b + d));
  }
#else
  for (int i = 0; i < 8; ++i) out[i] = rows[i];
#endif
}
