#include "features/resampler.h"

#include <algorithm>
#include <cmath>
#include <numbers>
#include <numeric>
#include <stdexcept>

namespace edge_ser {

namespace {

constexpr std::uint64_t kMaxPhases = 1024;
constexpr std::size_t kBlock = 2048;

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

}  // namespace

void ResamplerOptions::validate() const {
  for (const auto& [name, rate] :
       {std::pair{"source_rate", source_rate}, std::pair{"target_rate", target_rate}}) {
    require(rate >= 1000 && rate <= 384000, name, rate, "1000 to 384000 Hz");
  }
  require(pass_band >= 0.5 && pass_band <= 0.98, "pass_band", pass_band, "0.5 to 0.98");
  require(stop_band_db >= 40.0 && stop_band_db <= 120.0, "stop_band_db", stop_band_db,
          "40 to 120 dB");
}

/// One row of taps for every phase: row p holds h(k - half + 1 - p / rows) for k in [0, 2 half).
struct Resampler::Filter {
  std::uint64_t up = 1;      ///< target_rate / g
  std::uint64_t down = 1;    ///< source_rate / g
  std::size_t half = 0;      ///< input samples on either side; 0 for equal rates
  std::size_t stride = 0;    ///< taps of a row, a multiple of 8
  std::uint64_t phases = 1;  ///< rows, without the one that interpolation ends on
  bool interpolates = false;
  std::vector<float> taps;

  explicit Filter(const ResamplerOptions& o) {
    const int divisor = std::gcd(o.source_rate, o.target_rate);
    up = static_cast<std::uint64_t>(o.target_rate / divisor);
    down = static_cast<std::uint64_t>(o.source_rate / divisor);
    if (up == down) return;
    // In cycles per input sample.
    const double nyquist = 0.5 * std::min(1.0, static_cast<double>(up) / static_cast<double>(down));
    const double transition = (1.0 - o.pass_band) * nyquist;
    const double cutoff = nyquist - 0.5 * transition;
    half = static_cast<std::size_t>(std::ceil((o.stop_band_db - 7.95) / (14.36 * transition) / 2));
    stride = (2 * half + 7) / 8 * 8;
    phases = up;
    interpolates = up > kMaxPhases;
    if (interpolates) {
      // The narrower the filter, the smoother it is from phase to phase.
      phases = static_cast<std::uint64_t>(std::max(16.0, std::ceil(1024.0 * nyquist)));
    }
    const double beta = kaiser_beta(o.stop_band_db), scale = 1.0 / bessel_i0(beta);
    taps.resize((phases + 1) * stride + kSimdSlack);
    std::vector<double> row(2 * half);
    for (std::uint64_t phase = 0; phase <= phases; ++phase) {
      double sum = 0;
      for (std::size_t k = 0; k < row.size(); ++k) {
        const double t = static_cast<double>(k) - static_cast<double>(half) + 1.0 -
                         static_cast<double>(phase) / static_cast<double>(phases);
        const double x = t / static_cast<double>(half);
        const double angle = 2.0 * std::numbers::pi * cutoff * t;
        const double sinc = std::abs(angle) < 1e-9 ? 1.0 : std::sin(angle) / angle;
        const double inside = std::max(0.0, 1.0 - x * x);
        row[k] = sinc * bessel_i0(beta * std::sqrt(inside)) * scale;
        sum += row[k];
      }
      // Every phase passes a constant unchanged.
      for (std::size_t k = 0; k < row.size(); ++k) {
        taps[phase * stride + k] = static_cast<float>(row[k] / sum);
      }
    }
  }
};

Resampler::Resampler(const Options& options, SimdLevel level)
    : options_(options),
      ops_(&simd_ops(level)),
      filter_((options.validate(), std::make_shared<const Filter>(options))) {
  if (filter_->half > 0) buffer_.resize(2 * filter_->half + kBlock + filter_->stride + kSimdSlack);
  reset();
}

void Resampler::reset() {
  std::fill(buffer_.begin(), buffer_.end(), 0.0f);
  // The silence before the clip: `half` zeros.
  filled_ = filter_->half;
  base_ = position_ = phase_ = received_ = emitted_ = 0;
  finished_ = false;
}

std::uint64_t Resampler::outputs_before(std::uint64_t end) const {
  const std::uint64_t up = filter_->up, down = filter_->down;
  return end / down * up + (end % down * up + down - 1) / down;
}

std::size_t Resampler::outputs_in_clip(std::uint64_t samples) const {
  return static_cast<std::size_t>(outputs_before(samples));
}

std::size_t Resampler::outputs_after(std::size_t more) const {
  const std::uint64_t have = received_ + more, half = filter_->half;
  const std::uint64_t ready = outputs_before(have > half ? have - half : 0);
  return static_cast<std::size_t>(std::max(ready, emitted_) - emitted_);
}

std::size_t Resampler::outputs_at_finish() const {
  return finished_ ? 0 : static_cast<std::size_t>(outputs_before(received_) - emitted_);
}

void Resampler::check(std::size_t outputs, std::span<float> out) const {
  if (finished_) throw std::logic_error("the stream is finished; call reset() to start another");
  if (out.size() < outputs) {
    throw std::invalid_argument("the output holds fewer samples than become computable");
  }
}

// Filter position p of the buffer is input sample p - half, so that the taps of an output at input
// position c begin at filter position c + 1.
std::size_t Resampler::take(const float* samples, std::size_t count) {
  const std::size_t room = buffer_.size() - filter_->stride - kSimdSlack;
  const std::uint64_t needed = position_ + 1;
  if (filled_ + count > room && needed > base_) {
    const std::size_t old =
        static_cast<std::size_t>(std::min<std::uint64_t>(needed - base_, filled_));
    std::copy(buffer_.begin() + static_cast<std::ptrdiff_t>(old),
              buffer_.begin() + static_cast<std::ptrdiff_t>(filled_), buffer_.begin());
    base_ += old;
    filled_ -= old;
  }
  count = std::min(count, room - filled_);
  if (samples != nullptr) {
    ops_->copy_samples(samples, count, 1.0f, buffer_.data() + filled_);
  } else {
    std::fill_n(buffer_.begin() + static_cast<std::ptrdiff_t>(filled_), count, 0.0f);
  }
  filled_ += count;
  return count;
}

float Resampler::output() const {
  const Filter& filter = *filter_;
  const float* in = buffer_.data() + (position_ + 1 - base_);
  if (!filter.interpolates) {
    return ops_->dot(in, filter.taps.data() + phase_ * filter.stride, filter.stride);
  }
  const std::uint64_t scaled = phase_ * filter.phases;
  const float* row = filter.taps.data() + scaled / filter.up * filter.stride;
  const float part = static_cast<float>(scaled % filter.up) / static_cast<float>(filter.up);
  const float low = ops_->dot(in, row, filter.stride);
  const float high = ops_->dot(in, row + filter.stride, filter.stride);
  return low + part * (high - low);
}

std::size_t Resampler::emit_until(std::uint64_t end_output, float* out) {
  const Filter& filter = *filter_;
  std::size_t count = 0;
  for (; emitted_ < end_output; ++emitted_, ++count) {
    out[count] = output();
    position_ += filter.down / filter.up;
    phase_ += filter.down % filter.up;
    if (phase_ >= filter.up) {
      phase_ -= filter.up;
      ++position_;
    }
  }
  return count;
}

std::size_t Resampler::accept(std::span<const float> samples, std::span<float> out) {
  check(outputs_after(samples.size()), out);
  if (!ops_->all_finite(samples.data(), samples.size())) check_finite(samples);
  if (filter_->half == 0) {
    ops_->copy_samples(samples.data(), samples.size(), 1.0f, out.data());
    received_ += samples.size();
    emitted_ += samples.size();
    return samples.size();
  }
  std::size_t done = 0;
  while (!samples.empty()) {
    const std::size_t taken = take(samples.data(), samples.size());
    samples = samples.subspan(taken);
    received_ += taken;
    done += emit_until(emitted_ + outputs_after(0), out.data() + done);
  }
  return done;
}

std::size_t Resampler::finish(std::span<float> out) {
  check(outputs_at_finish(), out);
  const std::uint64_t all = outputs_before(received_);
  std::size_t done = 0;
  // The silence after the clip: `half` zeros let the last output be computed.
  std::uint64_t end = received_;
  for (std::size_t left = filter_->half; left > 0;) {
    const std::size_t taken = take(nullptr, left);
    left -= taken;
    end += taken;
    const std::uint64_t ready = outputs_before(end > filter_->half ? end - filter_->half : 0);
    done += emit_until(std::min(ready, all), out.data() + done);
  }
  finished_ = true;
  return done;
}

std::size_t Resampler::compute(std::span<const float> samples, std::span<float> out) const {
  if (out.size() < outputs_in_clip(samples.size())) {
    throw std::invalid_argument("the output holds fewer samples than become computable");
  }
  Resampler clip(*this);
  clip.reset();
  const std::size_t done = clip.accept(samples, out);
  return done + clip.finish(out.subspan(done));
}

}  // namespace edge_ser
