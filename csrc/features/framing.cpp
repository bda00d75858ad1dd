#include "features/framing.h"

#include <algorithm>

namespace edge_ser {

namespace {

// A frame that mirrors the end of the clip may look this far before its own start.
constexpr std::uint64_t kHistory = 4;
// Samples are taken in blocks, so that old ones are moved once for several frames.
constexpr std::size_t kBlock = 1024;
// Room before the first sample: frames may read one value before their start.
constexpr std::size_t kFront = kSimdSlack;

}  // namespace

std::size_t FrameLayout::frames_in_clip(std::uint64_t samples) const {
  std::uint64_t count = 0;
  if (framing == Framing::snipped) {
    if (samples >= frame_length) count = 1 + (samples - frame_length) / hop_length;
  } else if (samples > 0) {
    count = 1 + samples / hop_length;
  }
  return static_cast<std::size_t>(drop_last_frame && count > 0 ? count - 1 : count);
}

FrameCutter::FrameCutter(const FrameLayout& layout, const SimdOps& ops)
    : layout_(layout),
      ops_(&ops),
      edge_(kFront + layout.frame_length + kSimdSlack),
      capacity_(layout.frame_length + kHistory + std::max(layout.hop_length, kBlock)) {
  buffer_.resize(kFront + capacity_ + kSimdSlack);
}

void FrameCutter::reset() {
  std::fill(buffer_.begin(), buffer_.end(), 0.0f);
  filled_ = 0;
  base_ = received_ = next_frame_ = 0;
  finished_ = false;
}

void FrameCutter::check_open() const {
  if (finished_) throw std::logic_error("the stream is finished; call reset() to start another");
}

std::uint64_t FrameCutter::frames_ready(std::uint64_t received) const {
  const std::uint64_t hop = layout_.hop_length;
  // Frame i ends at i * hop + tail. Mirroring its start needs as many samples and one more.
  std::uint64_t tail = layout_.frame_length - layout_.lead;
  if (layout_.framing == Framing::centred_reflect) {
    tail = std::max(tail, static_cast<std::uint64_t>(layout_.lead) + 1);
  }
  const std::uint64_t ready = received < tail ? 0 : 1 + (received - tail) / hop;
  const std::uint64_t at_end = layout_.frames_in_clip(received);
  return std::min(ready, at_end);
}

std::size_t FrameCutter::frames_after(std::size_t more) const {
  return static_cast<std::size_t>(std::max(frames_ready(received_ + more), next_frame_) -
                                  next_frame_);
}

std::size_t FrameCutter::frames_at_finish() const {
  if (finished_) return 0;
  return layout_.frames_in_clip(received_) - static_cast<std::size_t>(next_frame_);
}

std::size_t FrameCutter::take(std::span<const float> samples) {
  // What lies before the next frame is not needed any more.
  const std::uint64_t start = next_frame_ * layout_.hop_length;
  const std::uint64_t keep = layout_.lead + kHistory;
  const std::uint64_t needed = start > keep ? start - keep : 0;
  if (samples.size() > capacity_ - filled_ && needed > base_) {
    const std::size_t old =
        static_cast<std::size_t>(std::min<std::uint64_t>(needed - base_, filled_));
    float* front = buffer_.data() + kFront;
    std::copy(front + old, front + filled_, front);
    base_ += old;
    filled_ -= old;
  }
  const std::size_t count = std::min(samples.size(), capacity_ - filled_);
  ops_->copy_samples(samples.data(), count, layout_.sample_scale,
                     buffer_.data() + kFront + filled_);
  filled_ += count;
  received_ += count;
  return count;
}

const float* FrameCutter::frame() {
  const std::int64_t start = static_cast<std::int64_t>(next_frame_ * layout_.hop_length) -
                             static_cast<std::int64_t>(layout_.lead);
  const std::int64_t length = static_cast<std::int64_t>(layout_.frame_length);
  const std::int64_t end = static_cast<std::int64_t>(received_);
  if (start >= 0 && start + length <= end) {
    return buffer_.data() + kFront + (static_cast<std::uint64_t>(start) - base_);
  }
  const bool reflect = layout_.framing == Framing::centred_reflect;
  for (std::int64_t i = 0; i < length; ++i) {
    const std::int64_t at = start + i;
    float value = 0.0f;
    if (reflect || (at >= 0 && at < end)) value = mirrored(at);
    edge_[kFront + static_cast<std::size_t>(i)] = value;
  }
  return edge_.data() + kFront;
}

float FrameCutter::mirrored(std::int64_t index) const {
  const std::int64_t count = static_cast<std::int64_t>(received_);
  const std::int64_t period = std::max<std::int64_t>(2 * (count - 1), 1);
  index = index < 0 ? -index : index;
  // A clip shorter than the padding is mirrored again and again.
  if (index >= count) index %= period;
  if (index >= count) index = period - index;
  return buffer_[kFront + static_cast<std::size_t>(index - static_cast<std::int64_t>(base_))];
}

}  // namespace edge_ser
