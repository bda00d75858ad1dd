#include "features/deltas.h"

#include <algorithm>
#include <stdexcept>

#include "base/samples.h"

namespace edge_ser {

namespace {

// Differences of values up to this size are finite.
constexpr float kLargest = 1e30f;

}  // namespace

void DeltaOptions::validate() const {
  require(dim >= 1 && dim <= 4096, "dim", dim, "1 to 4096");
  require(order == 1 || order == 2, "order", order, "1 or 2");
  require(window >= 1 && window <= 10, "window", window, "1 to 10");
}

Deltas::Deltas(const Options& options)
    : options_((options.validate(), options)),
      reach_(static_cast<std::size_t>(options.order * options.window)),
      ring_((2 * reach_ + 1) * static_cast<std::size_t>(options.dim)) {
  double norm = 0;
  for (int n = 1; n <= options.window; ++n) norm += 2.0 * n * n;
  std::vector<double> filter = {1.0};
  for (int order = 1; order <= options.order; ++order) {
    std::vector<double> next(filter.size() + 2 * static_cast<std::size_t>(options.window));
    for (std::size_t i = 0; i < filter.size(); ++i) {
      for (int n = -options.window; n <= options.window; ++n) {
        next[i + static_cast<std::size_t>(n + options.window)] += filter[i] * n / norm;
      }
    }
    filter = next;
    filters_.emplace_back(filter.begin(), filter.end());
  }
}

std::size_t Deltas::dim() const {
  return static_cast<std::size_t>(options_.dim * (options_.order + 1));
}

std::size_t Deltas::frames_after(std::size_t more) const {
  const std::uint64_t have = accepted_ + more;
  return static_cast<std::size_t>((have > reach_ ? have - reach_ : 0) - emitted_);
}

std::size_t Deltas::frames_at_finish() const {
  return finished_ ? 0 : static_cast<std::size_t>(accepted_ - emitted_);
}

void Deltas::reset() {
  pushed_ = accepted_ = emitted_ = 0;
  finished_ = false;
}

void Deltas::check(std::size_t frames, std::span<float> out) const {
  if (finished_) throw std::logic_error("the stream is finished; call reset() to start another");
  if (out.size() / dim() < frames) {
    throw std::invalid_argument("the output holds fewer frames than become complete");
  }
}

void Deltas::push(const float* frame) {
  const std::size_t dim = static_cast<std::size_t>(options_.dim);
  const std::size_t slot = static_cast<std::size_t>(pushed_ % (2 * reach_ + 1));
  float* target = ring_.data() + slot * dim;
  for (std::size_t k = 0; k < dim; ++k) target[k] = std::clamp(frame[k], -kLargest, kLargest);
  ++pushed_;
}

void Deltas::emit(float* out) const {
  const std::size_t dim = static_cast<std::size_t>(options_.dim), slots = 2 * reach_ + 1;
  // The oldest of the ring's frames is the one that the next push would replace.
  const std::size_t oldest = static_cast<std::size_t>(pushed_ % slots);
  const auto frame = [&](std::size_t i) { return ring_.data() + (oldest + i) % slots * dim; };
  std::copy(frame(reach_), frame(reach_) + dim, out);
  for (std::size_t order = 1; order <= filters_.size(); ++order) {
    const std::vector<float>& filter = filters_[order - 1];
    float* target = out + order * dim;
    std::fill(target, target + dim, 0.0f);
    const std::size_t first = reach_ - filter.size() / 2;
    for (std::size_t i = 0; i < filter.size(); ++i) {
      const float* source = frame(first + i);
      for (std::size_t k = 0; k < dim; ++k) target[k] += filter[i] * source[k];
    }
  }
}

std::size_t Deltas::accept(std::span<const float> frames, std::span<float> out) {
  const std::size_t dim_in = static_cast<std::size_t>(options_.dim);
  if (frames.size() % dim_in != 0) {
    throw std::invalid_argument("frames must have " + std::to_string(dim_in) + " features each");
  }
  const std::size_t count = frames.size() / dim_in, ready = frames_after(count);
  check(ready, out);
  check_finite(frames);
  float* next = out.data();
  for (std::size_t i = 0; i < count; ++i) {
    const float* frame = frames.data() + i * dim_in;
    if (accepted_ == 0) {
      for (std::size_t copy = 0; copy < reach_; ++copy) push(frame);
    }
    push(frame);
    ++accepted_;
    if (accepted_ > reach_) {
      emit(next);
      next += dim();
      ++emitted_;
    }
  }
  return ready;
}

std::size_t Deltas::finish(std::span<float> out) {
  const std::size_t ready = frames_at_finish();
  check(ready, out);
  finished_ = true;
  if (accepted_ == 0) return 0;
  const std::size_t dim_in = static_cast<std::size_t>(options_.dim), slots = 2 * reach_ + 1;
  const std::size_t last = static_cast<std::size_t>((pushed_ + slots - 1) % slots);
  float* next = out.data();
  // A clip shorter than the reach has not filled the ring yet.
  for (std::size_t i = 0; i < reach_; ++i) {
    push(ring_.data() + last * dim_in);  // reach_ pushes do not get round to this slot
    if (pushed_ < slots) continue;
    emit(next);
    next += dim();
    ++emitted_;
  }
  return ready;
}

std::size_t Deltas::compute(std::span<const float> frames, std::span<float> out) const {
  Deltas clip(*this);
  clip.reset();
  if (out.size() / dim() < frames.size() / static_cast<std::size_t>(options_.dim)) {
    throw std::invalid_argument("the output holds fewer frames than become complete");
  }
  const std::size_t done = clip.accept(frames, out);
  return done + clip.finish(out.subspan(done * dim()));
}

}  // namespace edge_ser
