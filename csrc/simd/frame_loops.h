// What happens to a frame around the transform. Included inside an anonymous namespace by every
// simd_*.cpp.

EDGE_SER_INLINE Vec tamed(Vec value) {
  // +-1e12 keeps the power of every bin below the largest float; magnitudes below 1e-18 would only
  // cost the time that denormal numbers cost.
  const Vec bounded = vec_min(vec_max(value, broadcast(-1e12f)), broadcast(1e12f));
  const Vec magnitude = from_bits(bits(bounded) & 0x7fffffff);
  return from_bits(bits(bounded) & mask(magnitude >= broadcast(1e-18f)));
}

void copy_samples(const float* in, std::size_t count, float scale, float* out) {
  const Vec factor = broadcast(scale);
  std::size_t i = 0;
  for (; i + kWidth <= count; i += kWidth) store(out + i, tamed(load(in + i) * factor));
  for (; i < count; ++i) out[i] = lane(tamed(broadcast(in[i]) * factor), 0);
}

bool all_finite(const float* in, std::size_t count) {
  constexpr std::int32_t kExponent = 0x7f800000;
  IntVec bad = {};
  std::size_t i = 0;
  for (; i + kWidth <= count; i += kWidth)
    bad |= mask((bits(load(in + i)) & kExponent) == kExponent);
  for (; i < count; ++i) bad |= mask((bits(broadcast(in[i])) & kExponent) == kExponent);
  std::int32_t any = 0;
  for (int j = 0; j < kWidth; ++j) any |= lane(bad, j);
  return any == 0;
}

float sum(const float* in, std::size_t count) {
  Vec total[4] = {};
  std::size_t i = 0;
  for (; i + 4 * kWidth <= count; i += 4 * kWidth) {
    for (std::size_t j = 0; j < 4; ++j) total[j] += load(in + i + j * kWidth);
  }
  for (; i + kWidth <= count; i += kWidth) total[0] += load(in + i);
  float result = add_across((total[0] + total[1]) + (total[2] + total[3]));
  for (; i < count; ++i) result += in[i];
  return result;
}

float sum_squares(const float* in, std::size_t count, float mean) {
  const Vec centre = broadcast(mean);
  Vec total[4] = {};
  std::size_t i = 0;
  for (; i + 4 * kWidth <= count; i += 4 * kWidth) {
    for (std::size_t j = 0; j < 4; ++j) {
      const Vec value = load(in + i + j * kWidth) - centre;
      total[j] = fma(value, value, total[j]);
    }
  }
  for (; i + kWidth <= count; i += kWidth) {
    const Vec value = load(in + i) - centre;
    total[0] = fma(value, value, total[0]);
  }
  float result = add_across((total[0] + total[1]) + (total[2] + total[3]));
  for (; i < count; ++i) result += (in[i] - mean) * (in[i] - mean);
  return result;
}

float dot(const float* a, const float* b, std::size_t count) {
  Vec total[4] = {};
  std::size_t i = 0;
  for (; i + 4 * kWidth <= count; i += 4 * kWidth) {
    for (std::size_t j = 0; j < 4; ++j) {
      total[j] = fma(load(a + i + j * kWidth), load(b + i + j * kWidth), total[j]);
    }
  }
  for (; i + kWidth <= count; i += kWidth) total[0] = fma(load(a + i), load(b + i), total[0]);
  float result = add_across((total[0] + total[1]) + (total[2] + total[3]));
  for (; i < count; ++i) result += a[i] * b[i];
  return result;
}

std::size_t sign_changes(const float* in, std::size_t count, float mean) {
  const Vec centre = broadcast(mean);
  IntVec changes = {};
  std::size_t i = 1;
  for (; i + kWidth <= count; i += kWidth) {
    changes += mask(load(in + i) >= centre) ^ mask(load(in + i - 1) >= centre);
  }
  std::size_t result = 0;
  for (int j = 0; j < kWidth; ++j) result += static_cast<std::size_t>(-lane(changes, j));
  for (; i < count; ++i) result += (in[i] >= mean) != (in[i - 1] >= mean);
  return result;
}

void cut_window(const FrameWindow& window, const float* in, float mean, const FftBuffers& buffers) {
  const Vec centre = broadcast(mean);
  const Vec emphasis = broadcast(window.preemphasis);
  const auto windowed = [&](std::size_t i) {
    const Vec sample = load(in + i) - centre;
    const Vec weight = load(window.weights + i);
    if (window.preemphasis == 0.0f) return sample * weight;
    return fnma(emphasis, load(in + i - 1) - centre, sample) * weight;
  };
  for (std::size_t i = 0; i < window.length; i += 2 * kWidth) {
    Vec even, odd;
    part_even_odd(windowed(i), windowed(i + kWidth), even, odd);
    store(buffers.input_re + i / 2, even);
    store(buffers.input_im + i / 2, odd);
  }
  // The sample before the frame does not count: the first one stands in for it.
  const float first = in[0] - mean;
  buffers.input_re[0] = (first - window.preemphasis * first) * window.weights[0];
}

void square_root(float* values, std::size_t count) {
  for (std::size_t i = 0; i < count; i += kWidth) store(values + i, vec_sqrt(load(values + i)));
}

void apply_bands(const BandMatrix& matrix, const float* bins, float* out) {
  for (std::size_t band = 0; band < matrix.bands; band += 8) {
    Vec rows[8];
    for (std::size_t row = 0; row < 8; ++row) {
      const float* from = bins + matrix.start[band + row];
      const std::size_t end = matrix.offset[band + row + 1];
      Vec total = {};
      for (std::size_t at = matrix.offset[band + row]; at < end; at += kWidth, from += kWidth) {
        total = fma(load(matrix.weights + at), load(from), total);
      }
      rows[row] = total;
    }
    store_row_sums8(out + band, rows);
  }
}

/// Natural logarithm of positive normal numbers, 1 unit in the last place or so: the exponent
/// apart, and log(1 + f) = f - f^2 / 2 + f^3 P(f) with a minimax P for f in [sqrt(1/2) - 1, sqrt(2)
/// - 1].
EDGE_SER_INLINE Vec natural_log(Vec value) {
  constexpr std::int32_t kRootHalf = 0x3f3504f3;
  const IntVec shifted = bits(value) - kRootHalf;
  const Vec exponent = to_float(shifted >> 23);
  const Vec f = from_bits((shifted & 0x007fffff) + kRootHalf) - 1.0f;
  Vec poly = broadcast(-0.07634492963552475f);
  poly = fma(poly, f, broadcast(0.12761574983596802f));
  poly = fma(poly, f, broadcast(-0.13160182535648346f));
  poly = fma(poly, f, broadcast(0.14201758801937103f));
  poly = fma(poly, f, broadcast(-0.16623356938362122f));
  poly = fma(poly, f, broadcast(0.20001226663589478f));
  poly = fma(poly, f, broadcast(-0.2500081956386566f));
  poly = fma(poly, f, broadcast(0.3333333134651184f));
  const Vec square = f * f;
  // ln 2 in two parts: the first has few digits, so that its product with the exponent is exact.
  Vec small = fma(exponent, broadcast(-2.12194440e-4f), square * f * poly);
  small = fnma(broadcast(0.5f), square, small);
  return fma(exponent, broadcast(0.693359375f), f + small);
}

void scaled_log(float* values, std::size_t count, float floor, float scale) {
  for (std::size_t i = 0; i < count; i += kWidth) {
    const Vec value = vec_max(load(values + i), broadcast(floor));
    store(values + i, natural_log(value) * broadcast(scale));
  }
}

void multiply(const float* matrix, std::size_t rows, std::size_t stride, const float* in,
              float* out) {
  for (std::size_t c = 0; c < stride; c += kWidth) {
    Vec total[4] = {};  // four chains, because one would wait for every addition
    std::size_t r = 0;
    for (; r + 4 <= rows; r += 4) {
      for (std::size_t j = 0; j < 4; ++j) {
        total[j] = fma(broadcast(in[r + j]), load(matrix + (r + j) * stride + c), total[j]);
      }
    }
    for (; r < rows; ++r) total[0] = fma(broadcast(in[r]), load(matrix + r * stride + c), total[0]);
    store(out + c, (total[0] + total[1]) + (total[2] + total[3]));
  }
}

SpectralSums spectral_sums(const float* power, std::size_t count, float* magnitude) {
  Vec total = {}, moment = {}, rising = {}, bin = count_up();
  for (std::size_t i = 0; i < count; i += kWidth) {
    const Vec value = load(power + i);
    const Vec root = vec_sqrt(value);
    const Vec rise = vec_max(root - load(magnitude + i), Vec{});
    store(magnitude + i, root);
    total += value;
    moment = fma(bin, value, moment);
    rising = fma(rise, rise, rising);
    bin += static_cast<float>(kWidth);
  }
  return {add_across(total), add_across(moment), add_across(rising)};
}

constexpr SimdOps operations(SimdLevel level) {
  return {
      .level = level,
      .width = kWidth,
      .copy_samples = copy_samples,
      .all_finite = all_finite,
      .sum = sum,
      .sum_squares = sum_squares,
      .dot = dot,
      .sign_changes = sign_changes,
      .cut_window = cut_window,
      .power_spectrum = power_spectrum,
      .spectrum = spectrum,
      .square_root = square_root,
      .apply_bands = apply_bands,
      .scaled_log = scaled_log,
      .multiply = multiply,
      .filter_rows = filter_rows,
      .filter_mirrored = filter_mirrored,
      .spectral_sums = spectral_sums,
  };
}
