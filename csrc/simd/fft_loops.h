// Stockham self-sorting passes (W. Cochran et al., "What is the fast Fourier transform?", 1967) on
// split real and imaginary parts. Included inside an anonymous namespace by every simd_*.cpp.

typedef float One;

template <class V>
struct Complex {
  V re;
  V im;
};

template <class V>
EDGE_SER_INLINE V load_as(const float* from) {
  V value;
  __builtin_memcpy(&value, from, sizeof value);
  return value;
}
template <class V>
EDGE_SER_INLINE void store_as(float* to, V value) {
  __builtin_memcpy(to, &value, sizeof value);
}
template <class V>
EDGE_SER_INLINE V multiply_add(V a, V b, V c) {
  if constexpr (sizeof(V) == sizeof(Vec)) {
    return fma(a, b, c);
  } else {
    return a * b + c;
  }
}

template <class V>
EDGE_SER_INLINE Complex<V> operator+(Complex<V> a, Complex<V> b) {
  return {a.re + b.re, a.im + b.im};
}
template <class V>
EDGE_SER_INLINE Complex<V> operator-(Complex<V> a, Complex<V> b) {
  return {a.re - b.re, a.im - b.im};
}
template <class V>
EDGE_SER_INLINE Complex<V> times(Complex<V> a, V w_re, V w_im) {
  return {multiply_add(a.re, w_re, -(a.im * w_im)), multiply_add(a.re, w_im, a.im * w_re)};
}
/// -i a
template <class V>
EDGE_SER_INLINE Complex<V> turn(Complex<V> a) {
  return {a.im, -a.re};
}

template <class V>
EDGE_SER_INLINE void butterfly2(Complex<V>* a) {
  const Complex<V> sum = a[0] + a[1];
  a[1] = a[0] - a[1];
  a[0] = sum;
}

template <class V>
EDGE_SER_INLINE void butterfly3(Complex<V>* a) {
  const V half = V{} + 0.5f;
  const V sine = V{} + 0.866025403784438647f;
  const Complex<V> sum = a[1] + a[2];
  const Complex<V> difference = turn(a[1] - a[2]);
  const Complex<V> centre = {multiply_add(-half, sum.re, a[0].re),
                             multiply_add(-half, sum.im, a[0].im)};
  a[0] = a[0] + sum;
  a[1] = {multiply_add(sine, difference.re, centre.re),
          multiply_add(sine, difference.im, centre.im)};
  a[2] = {multiply_add(-sine, difference.re, centre.re),
          multiply_add(-sine, difference.im, centre.im)};
}

template <class V>
EDGE_SER_INLINE void butterfly4(Complex<V>& a0, Complex<V>& a1, Complex<V>& a2, Complex<V>& a3) {
  const Complex<V> even_sum = a0 + a2, even_difference = a0 - a2;
  const Complex<V> odd_sum = a1 + a3, odd_difference = a1 - a3;
  a0 = even_sum + odd_sum;
  a2 = even_sum - odd_sum;
  a1 = {even_difference.re + odd_difference.im, even_difference.im - odd_difference.re};
  a3 = {even_difference.re - odd_difference.im, even_difference.im + odd_difference.re};
}

template <class V>
EDGE_SER_INLINE void butterfly5(Complex<V>* a) {
  const V c1 = V{} + 0.309016994374947424f, c2 = V{} - 0.809016994374947424f;
  const V s1 = V{} + 0.951056516295153572f, s2 = V{} + 0.587785252292473129f;
  const Complex<V> p1 = a[1] + a[4], m1 = turn(a[1] - a[4]);
  const Complex<V> p2 = a[2] + a[3], m2 = turn(a[2] - a[3]);
  const Complex<V> u = {multiply_add(c1, p1.re, multiply_add(c2, p2.re, a[0].re)),
                        multiply_add(c1, p1.im, multiply_add(c2, p2.im, a[0].im))};
  const Complex<V> v = {multiply_add(c2, p1.re, multiply_add(c1, p2.re, a[0].re)),
                        multiply_add(c2, p1.im, multiply_add(c1, p2.im, a[0].im))};
  const Complex<V> x = {multiply_add(s1, m1.re, s2 * m2.re), multiply_add(s1, m1.im, s2 * m2.im)};
  const Complex<V> y = {multiply_add(s2, m1.re, -(s1 * m2.re)),
                        multiply_add(s2, m1.im, -(s1 * m2.im))};
  a[0] = a[0] + p1 + p2;
  a[1] = u + x;
  a[4] = u - x;
  a[2] = v + y;
  a[3] = v - y;
}

template <class V>
EDGE_SER_INLINE void butterfly8(Complex<V>* a) {
  const V root = V{} + 0.707106781186547524f;
  butterfly4(a[0], a[2], a[4], a[6]);
  butterfly4(a[1], a[3], a[5], a[7]);
  const Complex<V> odd1 = {a[3].re + a[3].im, a[3].im - a[3].re};  // (1 - i) a3, still times root
  const Complex<V> odd2 = turn(a[5]);
  const Complex<V> odd3 = {a[7].im - a[7].re, -(a[7].re + a[7].im)};
  const Complex<V> even0 = a[0], even1 = a[2], even2 = a[4], even3 = a[6], odd0 = a[1];
  a[0] = even0 + odd0;
  a[4] = even0 - odd0;
  a[1] = {multiply_add(root, odd1.re, even1.re), multiply_add(root, odd1.im, even1.im)};
  a[5] = {multiply_add(-root, odd1.re, even1.re), multiply_add(-root, odd1.im, even1.im)};
  a[2] = even2 + odd2;
  a[6] = even2 - odd2;
  a[3] = {multiply_add(root, odd3.re, even3.re), multiply_add(root, odd3.im, even3.im)};
  a[7] = {multiply_add(-root, odd3.re, even3.re), multiply_add(-root, odd3.im, even3.im)};
}

template <int kRadix, class V>
EDGE_SER_INLINE void butterfly(Complex<V>* a) {
  if constexpr (kRadix == 2) butterfly2(a);
  if constexpr (kRadix == 3) butterfly3(a);
  if constexpr (kRadix == 4) butterfly4(a[0], a[1], a[2], a[3]);
  if constexpr (kRadix == 5) butterfly5(a);
  if constexpr (kRadix == 8) butterfly8(a);
}

struct Split {
  float* re;
  float* im;
};

/// A pass whose groups are at least a vector long: elements of a group side by side.
template <int kRadix, class V>
EDGE_SER_INLINE void pass_over_groups(std::size_t count, std::size_t stride, const float* w_re,
                                      const float* w_im, Split in, Split out) {
  // V is a single float where the vectors are scalar.
  constexpr std::size_t kStep = sizeof(V) / sizeof(float);  // NOLINT(bugprone-sizeof-expression)
  for (std::size_t p = 0; p < count; ++p) {
    for (std::size_t q = 0; q < stride; q += kStep) {
      Complex<V> a[kRadix];
      for (int k = 0; k < kRadix; ++k) {
        const std::size_t at = q + stride * (p + count * static_cast<std::size_t>(k));
        a[k] = {load_as<V>(in.re + at), load_as<V>(in.im + at)};
      }
      butterfly<kRadix>(a);
      for (int j = 0; j < kRadix; ++j) {
        const std::size_t row = static_cast<std::size_t>(j);
        // The twiddles of p = 0 are one; the last pass has no other.
        if (j > 0 && p > 0) {
          const std::size_t at = (row - 1) * count + p;
          a[j] = times(a[j], V{} + w_re[at], V{} + w_im[at]);
        }
        const std::size_t at = q + stride * (static_cast<std::size_t>(kRadix) * p + row);
        store_as(out.re + at, a[j].re);
        store_as(out.im + at, a[j].im);
      }
    }
  }
}

/// The first pass at radix 8 (stride 1): butterflies side by side, results transposed. The last
/// vector overlaps the one before it when `count` is no multiple of the width, which changes
/// nothing because input and output are different arrays. Blocks from `kFilled` on hold only zeros.
template <int kFilled>
EDGE_SER_INLINE void first_pass8(std::size_t count, const float* w_re, const float* w_im, Split in,
                                 Split out) {
  for (std::size_t next = 0; next < count; next += kWidth) {
    const std::size_t p = next + kWidth <= count ? next : count - kWidth;
    Complex<Vec> a[8];
    for (int k = 0; k < 8; ++k) {
      const std::size_t at = p + count * static_cast<std::size_t>(k);
      if (k < kFilled) {
        a[k] = {load(in.re + at), load(in.im + at)};
      } else {
        a[k] = {Vec{}, Vec{}};
      }
    }
    butterfly8(a);
    Vec re[8], im[8];
    re[0] = a[0].re;
    im[0] = a[0].im;
    for (int j = 1; j < 8; ++j) {
      const std::size_t at = static_cast<std::size_t>(j - 1) * count + p;
      const Complex<Vec> turned = times(a[j], load(w_re + at), load(w_im + at));
      re[j] = turned.re;
      im[j] = turned.im;
    }
    store_transposed8(out.re + 8 * p, re);
    store_transposed8(out.im + 8 * p, im);
  }
}

template <int kRadix>
EDGE_SER_INLINE void pass(const FftPass& step, Split in, Split out) {
  if (step.stride % kWidth == 0) {
    pass_over_groups<kRadix, Vec>(step.count, step.stride, step.twiddle_re, step.twiddle_im, in,
                                  out);
  } else {
    pass_over_groups<kRadix, One>(step.count, step.stride, step.twiddle_re, step.twiddle_im, in,
                                  out);
  }
}

/// Constants instead of loop counts: the compiler unrolls the transforms that frames use.
template <std::size_t kHalf>
EDGE_SER_INLINE void fixed_fft(const FftPlan& plan, Split input, Split work0, Split work1) {
  const FftPass* step = plan.passes;
  first_pass8<8>(kHalf / 8, step[0].twiddle_re, step[0].twiddle_im, input, work0);
  if constexpr (kHalf == 256) {
    pass_over_groups<8, Vec>(4, 8, step[1].twiddle_re, step[1].twiddle_im, work0, work1);
    pass_over_groups<4, Vec>(1, 64, nullptr, nullptr, work1, work0);
  } else if constexpr (kHalf == 200) {
    pass_over_groups<5, Vec>(5, 8, step[1].twiddle_re, step[1].twiddle_im, work0, work1);
    pass_over_groups<5, Vec>(1, 40, nullptr, nullptr, work1, work0);
  } else {
    static_assert(kHalf == 512);
    pass_over_groups<8, Vec>(8, 8, step[1].twiddle_re, step[1].twiddle_im, work0, work1);
    pass_over_groups<8, Vec>(1, 64, nullptr, nullptr, work1, work0);
  }
}

Split run_fft(const FftPlan& plan, const FftBuffers& buffers) {
  const Split input = {buffers.input_re, buffers.input_im};
  const Split work[2] = {{buffers.work_re[0], buffers.work_im[0]},
                         {buffers.work_re[1], buffers.work_im[1]}};
  switch (plan.half) {
    case 256:
      fixed_fft<256>(plan, input, work[0], work[1]);
      return work[0];
    case 200:
      fixed_fft<200>(plan, input, work[0], work[1]);
      return work[0];
    case 512:
      fixed_fft<512>(plan, input, work[0], work[1]);
      return work[0];
    default:
      break;
  }
  Split in = input;
  int target = 0;
  for (std::size_t i = 0; i < plan.pass_count; ++i) {
    const FftPass& step = plan.passes[i];
    const Split out = work[target];
    if (step.radix == 8 && step.stride == 1 && step.count >= static_cast<std::size_t>(kWidth)) {
      first_pass8<8>(step.count, step.twiddle_re, step.twiddle_im, in, out);
    } else {
      switch (step.radix) {
        case 2:
          pass<2>(step, in, out);
          break;
        case 3:
          pass<3>(step, in, out);
          break;
        case 4:
          pass<4>(step, in, out);
          break;
        case 5:
          pass<5>(step, in, out);
          break;
        default:
          pass<8>(step, in, out);
          break;
      }
    }
    in = out;
    target = 1 - target;
  }
  return in;
}

/// Parts the spectrum of even + i odd into that of the real samples: X[k] = E + T, X[M - k] =
/// conj(E - T), both times 2.
template <class V>
EDGE_SER_INLINE void part_bins(Complex<V> front, Complex<V> mirrored, V w_re, V w_im,
                               Complex<V>& low, Complex<V>& high) {
  const Complex<V> even = {front.re + mirrored.re, front.im - mirrored.im};
  const Complex<V> odd = {front.im + mirrored.im, mirrored.re - front.re};
  const Complex<V> turned = times(odd, w_re, w_im);
  low = even + turned;
  high = {even.re - turned.re, turned.im - even.im};
}

/// Calls emit(k, X[k...], X[M - k...]) for k = 1 .. M / 2, the second reversed into ascending
/// order.
template <class EmitVector, class EmitOne>
EDGE_SER_INLINE void part_spectrum(const FftPlan& plan, Split z, EmitVector emit_vector,
                                   EmitOne emit_one) {
  const std::size_t half = plan.half, last = half / 2;
  if (kWidth > 1 && last >= static_cast<std::size_t>(kWidth)) {
    for (std::size_t next = 1; next <= last; next += kWidth) {
      const std::size_t k = next + kWidth - 1 <= last ? next : last - kWidth + 1;
      const std::size_t mirror = half - k - kWidth + 1;
      Complex<Vec> low, high;
      part_bins<Vec>({load(z.re + k), load(z.im + k)},
                     {reverse(load(z.re + mirror)), reverse(load(z.im + mirror))},
                     load(plan.split_re + k), load(plan.split_im + k), low, high);
      emit_vector(k, mirror, low, high);
    }
    return;
  }
  for (std::size_t k = 1; k <= last; ++k) {
    Complex<One> low, high;
    part_bins<One>({load_as<One>(z.re + k), load_as<One>(z.im + k)},
                   {load_as<One>(z.re + half - k), load_as<One>(z.im + half - k)},
                   load_as<One>(plan.split_re + k), load_as<One>(plan.split_im + k), low, high);
    emit_one(k, half - k, low, high);
  }
}

void power_spectrum(const FftPlan& plan, const FftBuffers& buffers, float* power) {
  const Split z = run_fft(plan, buffers);
  part_spectrum(
      plan, z,
      [power](std::size_t k, std::size_t mirror, Complex<Vec> low, Complex<Vec> high) {
        store(power + k, fma(low.re, low.re, low.im * low.im));
        store(power + mirror, reverse(fma(high.re, high.re, high.im * high.im)));
      },
      [power](std::size_t k, std::size_t mirror, Complex<One> low, Complex<One> high) {
        power[k] = low.re * low.re + low.im * low.im;
        power[mirror] = high.re * high.re + high.im * high.im;
      });
  const float first = 2.0f * (z.re[0] + z.im[0]), nyquist = 2.0f * (z.re[0] - z.im[0]);
  power[0] = first * first;
  power[plan.half] = nyquist * nyquist;
}

void spectrum(const FftPlan& plan, const FftBuffers& buffers, float* re, float* im) {
  const Split z = run_fft(plan, buffers);
  part_spectrum(
      plan, z,
      [re, im](std::size_t k, std::size_t mirror, Complex<Vec> low, Complex<Vec> high) {
        store(re + k, low.re);
        store(im + k, low.im);
        store(re + mirror, reverse(high.re));
        store(im + mirror, reverse(high.im));
      },
      [re, im](std::size_t k, std::size_t mirror, Complex<One> low, Complex<One> high) {
        re[k] = low.re;
        im[k] = low.im;
        re[mirror] = high.re;
        im[mirror] = high.im;
      });
  re[0] = 2.0f * (z.re[0] + z.im[0]);
  re[plan.half] = 2.0f * (z.re[0] - z.im[0]);
  im[0] = 0.0f;
  im[plan.half] = 0.0f;
}
