#include "features/fft.h"

#include <algorithm>
#include <cmath>
#include <numbers>
#include <stdexcept>
#include <string>

namespace edge_ser {

namespace {

/// Radices of the passes, the first one first; empty if a prime factor is above 5. Radix 8 leads,
/// because the vectors of every later pass are then whole.
std::vector<int> radices(std::size_t half) {
  std::vector<int> result;
  for (const int radix : {8, 4, 2, 5, 3}) {
    const std::size_t factor = static_cast<std::size_t>(radix);
    while (half % factor == 0 && half > 1) {
      result.push_back(radix);
      half /= factor;
    }
  }
  return half == 1 ? result : std::vector<int>{};
}

}  // namespace

struct RealFft::Tables {
  std::vector<FftPass> passes;
  std::vector<float> values;
  const float* split_re = nullptr;
  const float* split_im = nullptr;

  explicit Tables(std::size_t half) {
    const std::vector<int> steps = radices(half);
    // Every pass has at most `half` twiddles; reserving keeps the pointers into `values` valid.
    values.reserve(2 * half * steps.size() + 2 * (half / 2 + 1 + kSimdSlack) + kSimdSlack);
    std::size_t length = half, stride = 1;
    for (const int radix : steps) {
      const std::size_t count = length / static_cast<std::size_t>(radix);
      const auto row = [&](bool sine) {
        const float* start = values.data() + values.size();
        for (int j = 1; j < radix; ++j) {
          for (std::size_t p = 0; p < count; ++p)
            append(static_cast<std::size_t>(j) * p, length, sine);
        }
        return start;
      };
      const float* re = row(false);
      passes.push_back({radix, count, stride, re, row(true)});
      length = count;
      stride *= static_cast<std::size_t>(radix);
    }
    const auto split = [&](bool sine) {
      const float* start = values.data() + values.size();
      for (std::size_t k = 0; k <= half / 2; ++k) append(k, 2 * half, sine);
      values.resize(values.size() + kSimdSlack);
      return start;
    };
    split_re = split(false);
    split_im = split(true);
  }

  void append(std::size_t turn, std::size_t of, bool sine) {
    const double angle =
        -2.0 * std::numbers::pi * static_cast<double>(turn) / static_cast<double>(of);
    values.push_back(static_cast<float>(sine ? std::sin(angle) : std::cos(angle)));
  }
};

bool RealFft::supports(std::size_t length) {
  return length >= 4 && length <= (1u << 20) && length % 2 == 0 && !radices(length / 2).empty();
}

RealFft::RealFft(std::size_t length, SimdLevel level) : length_(length), ops_(&simd_ops(level)) {
  if (!supports(length)) {
    throw std::invalid_argument(
        "FFT length " + std::to_string(length) +
        " is not supported: it must be even, at least 4, and its half a product of 2, 3 and 5");
  }
  tables_ = std::make_shared<const Tables>(length / 2);
  plan_ = {length / 2, tables_->passes.data(), tables_->passes.size(), tables_->split_re,
           tables_->split_im};
  make_work_space();
}

RealFft::RealFft(const RealFft& other)
    : length_(other.length_), ops_(other.ops_), tables_(other.tables_), plan_(other.plan_) {
  make_work_space();
}

RealFft& RealFft::operator=(const RealFft& other) {
  if (this != &other) *this = RealFft(other);
  return *this;
}

void RealFft::make_work_space() {
  const std::size_t size = (length_ / 2 + kSimdSlack + 15) / 16 * 16;
  work_.assign(6 * size, 0.0f);
  float* next = work_.data();
  for (float** buffer : {&buffers_.input_re, &buffers_.input_im, &buffers_.work_re[0],
                         &buffers_.work_im[0], &buffers_.work_re[1], &buffers_.work_im[1]}) {
    *buffer = next;
    next += size;
  }
}

void RealFft::forward(std::span<const float> samples, std::span<float> re, std::span<float> im) {
  if (samples.size() > length_ || re.size() < bins() || im.size() < bins()) {
    throw std::invalid_argument("the spans do not fit an FFT of length " + std::to_string(length_));
  }
  // Halved, because the parting of even and odd samples doubles.
  const auto sample = [&](std::size_t i) { return i < samples.size() ? 0.5f * samples[i] : 0.0f; };
  for (std::size_t pair = 0; pair < length_ / 2; ++pair) {
    buffers_.input_re[pair] = sample(2 * pair);
    buffers_.input_im[pair] = sample(2 * pair + 1);
  }
  ops_->spectrum(plan_, buffers_, re.data(), im.data());
}

}  // namespace edge_ser
