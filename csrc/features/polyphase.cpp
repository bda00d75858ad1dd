#include "features/polyphase.h"

#include <algorithm>
#include <cmath>
#include <numbers>
#include <numeric>

namespace edge_ser {

namespace {

constexpr std::int64_t kRows = kFilterRows;
constexpr std::int64_t kTaps = 8;  // of a row in a block
constexpr std::int64_t kBlock = 1024;
constexpr std::int64_t kMostTaps = 1 << 18;
constexpr std::size_t kMostGroups = 16;  // at once

/// Modified Bessel function of the first kind and order 0, by its series.
double bessel_i0(double x) {
  double sum = 1.0, term = 1.0;
  for (int k = 1; term > sum * 1e-17; ++k) {
    term *= x * x / (4.0 * k * k);
    sum += term;
  }
  return sum;
}

double kaiser_beta(double attenuation_db) {
  if (attenuation_db > 50.0) return 0.1102 * (attenuation_db - 8.7);
  return 0.5842 * std::pow(attenuation_db - 21.0, 0.4) + 0.07886 * (attenuation_db - 21.0);
}

std::int64_t kaiser_half(const PolyphaseDesign& design) {
  const double taps = (design.stop_band_db - 7.95) / (14.36 * (design.stop - design.pass));
  return static_cast<std::int64_t>(std::ceil(taps / 2));
}

std::int64_t floor_divided(std::int64_t a, std::int64_t b) {
  return a >= 0 ? a / b : -((-a + b - 1) / b);
}

std::int64_t ceil_divided(std::int64_t a, std::int64_t b) { return -floor_divided(-a, b); }

/// h(t - fraction) for t in (-half, half].
std::vector<double> taps_of(const PolyphaseDesign& design, std::int64_t half, double fraction) {
  const double beta = kaiser_beta(design.stop_band_db);
  const double cutoff = 0.5 * (design.pass + design.stop);
  std::vector<double> taps(static_cast<std::size_t>(2 * half));
  double sum = 0;
  for (std::size_t k = 0; k < taps.size(); ++k) {
    const double t = static_cast<double>(k) - static_cast<double>(half) + 1.0 - fraction;
    const double x = t / static_cast<double>(half);
    if (std::abs(x) >= 1.0) continue;
    const double angle = 2.0 * std::numbers::pi * cutoff * t;
    const double sinc = std::abs(angle) < 1e-9 ? 1.0 : std::sin(angle) / angle;
    taps[k] = sinc * bessel_i0(beta * std::sqrt(1.0 - x * x));
    sum += taps[k];
  }
  // Every phase passes a constant unchanged.
  for (double& tap : taps) tap /= sum;
  return taps;
}

}  // namespace

std::int64_t first_output_at(std::int64_t position, std::int64_t up, std::int64_t down) {
  const std::int64_t whole = floor_divided(position, down);
  return whole * up + ceil_divided((position - whole * down) * up, down);
}

PolyphaseFilter::PolyphaseFilter(const PolyphaseDesign& design)
    : up_(design.up), down_(design.down), half_(kaiser_half(design)) {
  const std::int64_t groups = up_ / std::gcd(up_, kRows);
  if (up_ <= 2) {
    fill_mirrored(design);
  } else if (groups * kRows * (2 * half_ + kRows * down_ / up_) <= kMostTaps) {
    groups_ = groups;
    fill_groups(design);
  } else {
    fill_rows(design);
  }
}

// Output i of a phase stands at i * down + phase * down / up; inputs whose positions add up to this
// are opposite to one another about the middle of the eight outputs. The last input of the left
// half is the half of it: if that is a whole number, it is its own partner.
std::int64_t PolyphaseFilter::mirror_sum(std::int64_t phase) const {
  return (kRows - 1) * down_ + 2 * phase * down_ / up_;
}

void PolyphaseFilter::fill_mirrored(const PolyphaseDesign& design) {
  group_size_ = kRows * up_;
  // The longest left half: up to the middle from where the taps of the first output begin.
  std::int64_t longest = 0;
  for (std::int64_t phase = 0; phase < up_; ++phase) {
    longest = std::max(longest, half_ + mirror_sum(phase) / 2 - phase * down_ / up_);
  }
  const std::int64_t count = ceil_divided(longest, kTaps);
  group_blocks_ = static_cast<std::size_t>(count);
  blocks_.resize(static_cast<std::size_t>(up_) * group_blocks_);
  for (std::int64_t phase = 0; phase < up_; ++phase) {
    const std::int64_t c = phase * down_ / up_, p = phase * down_ % up_;
    const std::int64_t sum = mirror_sum(phase);
    const std::int64_t start = sum / 2 + 1 - count * kTaps;
    const auto taps = taps_of(design, half_, static_cast<double>(p) / static_cast<double>(up_));
    const auto tap = [&](std::int64_t row, std::int64_t input) {
      const std::int64_t k = input - (c + row * down_) + half_ - 1;
      return k >= 0 && k < 2 * half_ ? taps[static_cast<std::size_t>(k)] : 0.0;
    };
    FilterBlock* blocks = blocks_.data() + static_cast<std::size_t>(phase) * group_blocks_;
    for (std::int64_t k = 0; k < count * kTaps; ++k) {
      const std::int64_t left = start + k, right = sum - left;
      const double share = left == right ? 0.25 : 0.5;
      for (std::int64_t row = 0; row < kRows / 2; ++row) {
        float(&of_row)[kFilterRows][8] = blocks[k / kTaps].taps;
        of_row[2 * row][k % kTaps] = static_cast<float>(share * (tap(row, left) + tap(row, right)));
        of_row[2 * row + 1][k % kTaps] =
            static_cast<float>(share * (tap(row, left) - tap(row, right)));
      }
    }
    lead_ = std::max(lead_, -start);
    reach_ = std::max(reach_, sum - start + 1);
  }
}

void PolyphaseFilter::fill_groups(const PolyphaseDesign& design) {
  lead_ = half_ - 1;
  const std::int64_t stride =
      ceil_divided(2 * half_ + ceil_divided((kRows - 1) * down_, up_), kTaps) * kTaps;
  reach_ = stride - lead_;
  group_blocks_ = static_cast<std::size_t>(stride / kTaps);
  blocks_.resize(static_cast<std::size_t>(groups_) * group_blocks_);
  for (std::int64_t n = 0; n < groups_ * kRows; ++n) {
    const std::int64_t group = n / kRows, start = group * kRows * down_ / up_;
    const std::int64_t shift = n * down_ / up_ - start;
    if (n % kRows == 0) starts_.push_back(static_cast<std::int32_t>(start));
    const auto taps =
        taps_of(design, half_, static_cast<double>(n * down_ % up_) / static_cast<double>(up_));
    FilterBlock* blocks = blocks_.data() + static_cast<std::size_t>(group) * group_blocks_;
    for (std::int64_t k = 0; k < 2 * half_; ++k) {
      blocks[(k + shift) / kTaps].taps[n % kRows][(k + shift) % kTaps] =
          static_cast<float>(taps[static_cast<std::size_t>(k)]);
    }
  }
}

void PolyphaseFilter::fill_rows(const PolyphaseDesign& design) {
  // Between rows 1 / count apart, a line misses a frequency f by (2 pi f / count)^2 / 8.
  const double miss = std::pow(10.0, -(design.stop_band_db + 10.0) / 20.0);
  const double count = 2.0 * std::numbers::pi * design.stop / std::sqrt(8.0 * miss);
  row_count_ = static_cast<std::int64_t>(std::max(16.0, std::ceil(count)));
  lead_ = half_ - 1;
  reach_ = half_ + 1 + kRows * down_ / up_;
  for (std::int64_t i = 0; i <= row_count_; ++i) {
    const double fraction = static_cast<double>(i) / static_cast<double>(row_count_);
    for (const double tap : taps_of(design, half_, fraction)) {
      rows_.push_back(static_cast<float>(tap));
    }
  }
  rows_.resize(rows_.size() + kSimdSlack);
}

void PolyphaseFilter::interpolate(const SimdOps& ops, std::int64_t phase, const float* in,
                                  float* out) const {
  const auto count = static_cast<std::size_t>(2 * half_);
  for (std::int64_t i = 0; i < kRows; ++i) {
    const std::int64_t at = phase + i * down_, scaled = at % up_ * row_count_;
    const float* from = in + at / up_ - lead_;
    const float* taps = rows_.data() + static_cast<std::size_t>(scaled / up_) * count;
    const float part = static_cast<float>(scaled % up_) / static_cast<float>(up_);
    const float low = ops.dot(from, taps, count);
    const float high = ops.dot(from, taps + count, count);
    out[i] = low + part * (high - low);
  }
}

void PolyphaseFilter::mirrored(const SimdOps& ops, const float* in, std::size_t groups,
                               float* out) const {
  float of_phase[2][kMostGroups * kFilterRows];
  const auto left = static_cast<std::int64_t>(group_blocks_) * kTaps;
  for (std::int64_t phase = 0; phase < up_; ++phase) {
    const std::int64_t sum = mirror_sum(phase), start = sum / 2 + 1 - left;
    const FilterBlock* blocks = blocks_.data() + static_cast<std::size_t>(phase) * group_blocks_;
    ops.filter_mirrored(blocks, group_blocks_, in + start, in + (sum - start), kRows * down_,
                        groups, up_ == 1 ? out : of_phase[phase]);
  }
  if (up_ == 1) return;
  for (std::size_t i = 0; i < groups * kFilterRows; ++i) {
    out[2 * i] = of_phase[0][i];
    out[2 * i + 1] = of_phase[1][i];
  }
}

std::size_t PolyphaseFilter::compute(const SimdOps& ops, std::int64_t group, std::int64_t phase,
                                     const float* in, std::size_t groups, float* out) const {
  if (up_ <= 2) {
    groups = std::min(groups, kMostGroups);
    mirrored(ops, in, groups, out);
    return groups;
  }
  if (row_count_ > 0) {
    interpolate(ops, phase, in, out);
  } else {
    const FilterBlock* blocks = blocks_.data() + static_cast<std::size_t>(group) * group_blocks_;
    const std::int32_t* starts = starts_.data() + group;
    groups = std::min(groups, static_cast<std::size_t>(groups_ - group));
    ops.filter_rows(blocks, group_blocks_, in - lead_ - *starts, starts, groups, out);
    return groups;
  }
  return 1;
}

PolyphaseStage::PolyphaseStage(std::shared_ptr<const PolyphaseFilter> filter, const SimdOps& ops,
                               std::int64_t first_output, std::int64_t first_input)
    : filter_(std::move(filter)),
      ops_(&ops),
      first_output_(first_output),
      first_input_(first_input) {
  reset();
  buffer_.resize(static_cast<std::size_t>(first_input_ - base_ + kBlock +
                                          2 * (filter_->lead() + filter_->reach()) + kRows));
}

void PolyphaseStage::reset() {
  const PolyphaseFilter& filter = *filter_;
  std::fill(buffer_.begin(), buffer_.end(), 0.0f);
  next_ = first_output_;
  position_ = floor_divided(next_ * filter.down(), filter.up());
  phase_ = next_ * filter.down() - position_ * filter.up();
  const std::int64_t group = next_ / filter.group_size();
  group_ = group - floor_divided(group, filter.groups()) * filter.groups();
  base_ = std::min(first_input_, position_ - filter.lead());
  filled_ = static_cast<std::size_t>(first_input_ - base_);
}

std::span<float> PolyphaseStage::room() {
  // Behind the end, a group reads what its taps do not need.
  const std::size_t end = buffer_.size() - static_cast<std::size_t>(filter_->reach()) - kRows;
  const std::int64_t unneeded = position_ - filter_->lead() - base_;
  if (filled_ + kBlock / 2 > end && unneeded > 0) {
    const auto old = std::min(static_cast<std::size_t>(unneeded), filled_);
    std::copy_n(buffer_.data() + old, filled_ - old, buffer_.data());
    base_ += static_cast<std::int64_t>(old);
    filled_ -= old;
  }
  return {buffer_.data() + filled_, end - filled_};
}

std::int64_t PolyphaseStage::outputs_until(std::int64_t end) const {
  const PolyphaseFilter& filter = *filter_;
  const std::int64_t single = first_output_at(end - filter.half(), filter.up(), filter.down());
  const std::int64_t whole = floor_divided(single, filter.group_size()) * filter.group_size();
  return std::max(whole, first_output_);
}

std::size_t PolyphaseStage::emit(std::span<float> out) {
  const PolyphaseFilter& filter = *filter_;
  const std::int64_t until = outputs_until(base_ + static_cast<std::int64_t>(filled_));
  const auto size = static_cast<std::size_t>(filter.group_size());
  const std::size_t all = std::min(static_cast<std::size_t>(until - next_), out.size()) / size;
  for (std::size_t done = 0; done < all;) {
    const std::size_t given =
        filter.compute(*ops_, group_, phase_, buffer_.data() + (position_ - base_), all - done,
                       out.data() + done * size);
    done += given;
    const auto step = static_cast<std::int64_t>(given * size);
    next_ += step;
    phase_ += step * filter.down();
    position_ += phase_ / filter.up();
    phase_ %= filter.up();
    group_ = (group_ + static_cast<std::int64_t>(given)) % filter.groups();
  }
  return all * size;
}

}  // namespace edge_ser
