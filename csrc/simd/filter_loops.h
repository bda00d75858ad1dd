// Eight outputs of a filter at once. Included inside an anonymous namespace by every simd_*.cpp.
// Sums begin with their first product: GCC would clear an array of them in memory.

/// The taps that vector `at` of the input is multiplied with.
EDGE_SER_INLINE Vec filter_taps(const FilterBlock* blocks, std::size_t at, std::size_t row) {
  return load(blocks[at * kWidth / 8].taps[row] + at * kWidth % 8);
}

EDGE_SER_INLINE void filter_rows_once(const FilterBlock* blocks, std::size_t count, const float* in,
                                      float* out) {
  Vec rows[8];
  for (std::size_t i = 0; i < 8; ++i) rows[i] = load(in) * filter_taps(blocks, 0, i);
  for (std::size_t at = 1; at < count * 8 / kWidth; ++at) {
    const Vec input = load(in + at * kWidth);
    for (std::size_t i = 0; i < 8; ++i) {
      rows[i] = fma(input, filter_taps(blocks, at, i), rows[i]);
    }
  }
  store_row_sums8(out, rows);
}

void filter_rows(const FilterBlock* blocks, std::size_t count, const float* in,
                 const std::int32_t* starts, std::size_t groups, float* out) {
  for (; groups > 0; --groups, blocks += count, ++starts, out += 8) {
    filter_rows_once(blocks, count, in + *starts, out);
  }
}

EDGE_SER_INLINE void filter_mirrored_once(const FilterBlock* blocks, std::size_t count,
                                          const float* left, const float* right, float* out) {
  Vec sums[8];
  {
    const Vec a = load(left), b = reverse(load(right - (kWidth - 1)));
    for (std::size_t i = 0; i < 8; ++i) {
      sums[i] = (i % 2 == 0 ? a + b : a - b) * filter_taps(blocks, 0, i);
    }
  }
  for (std::size_t at = 1; at < count * 8 / kWidth; ++at) {
    const Vec a = load(left + at * kWidth);
    const Vec b = reverse(load(right - at * kWidth - (kWidth - 1)));
    const Vec even = a + b, odd = a - b;
    for (std::size_t i = 0; i < 8; i += 2) {
      sums[i] = fma(even, filter_taps(blocks, at, i), sums[i]);
      sums[i + 1] = fma(odd, filter_taps(blocks, at, i + 1), sums[i + 1]);
    }
  }
  Vec rows[8];
  for (int i = 0; i < 4; ++i) {
    rows[i] = sums[2 * i] + sums[2 * i + 1];
    rows[7 - i] = sums[2 * i] - sums[2 * i + 1];
  }
  store_row_sums8(out, rows);
}

void filter_mirrored(const FilterBlock* blocks, std::size_t count, const float* left,
                     const float* right, std::ptrdiff_t step, std::size_t groups, float* out) {
  for (; groups > 0; --groups, left += step, right += step, out += 8) {
    filter_mirrored_once(blocks, count, left, right, out);
  }
}
