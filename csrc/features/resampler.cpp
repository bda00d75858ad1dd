#include "features/resampler.h"

#include <algorithm>
#include <array>
#include <numeric>
#include <stdexcept>

namespace edge_ser {

namespace {

/// The ripple of the short stage stays out of sight, however loose the sharp one is.
constexpr double kShortStageDb = 110.0;

PolyphaseDesign reduced(std::int64_t up, std::int64_t down) {
  const std::int64_t divisor = std::gcd(up, down);
  PolyphaseDesign design;
  design.up = up / divisor;
  design.down = down / divisor;
  return design;
}

/// What happens first and what then, without what would not change the rate.
std::vector<PolyphaseDesign> designs(const ResamplerOptions& o) {
  const std::int64_t source = o.source_rate, target = o.target_rate;
  if (source == target) return {};
  const bool downwards = target < source;
  const auto lower = static_cast<double>(std::min(source, target));
  PolyphaseDesign sharp = downwards ? reduced(2, 3) : reduced(3, 2);
  const double sharp_rate = downwards ? 1.5 * lower : lower;
  sharp.pass = o.pass_band * 0.5 * lower / sharp_rate;
  sharp.stop = 0.5 * lower / sharp_rate;
  sharp.stop_band_db = o.stop_band_db;
  PolyphaseDesign brief =
      downwards ? reduced(3 * target, 2 * source) : reduced(2 * target, 3 * source);
  const double brief_rate = downwards ? static_cast<double>(source) : 1.5 * lower;
  // What lies between, or comes there as an image, the sharp stage stops; from twice that on it
  // would fold into the pass band.
  brief.pass = 0.5 * o.pass_band * lower / brief_rate;
  brief.stop = lower / brief_rate;
  brief.stop_band_db = std::max(o.stop_band_db, kShortStageDb);
  std::vector<PolyphaseDesign> both{sharp};
  if (brief.up != brief.down) both.insert(downwards ? both.begin() : both.end(), brief);
  return both;
}

}  // namespace

void ResamplerOptions::validate() const {
  for (const auto& [name, rate] :
       {std::pair{"source_rate", source_rate}, std::pair{"target_rate", target_rate}}) {
    require(rate >= 1000 && rate <= 384000, name, rate, "1000 to 384000 Hz");
  }
  require(pass_band >= 0.5 && pass_band <= 0.98, "pass_band", pass_band, "0.5 to 0.98");
  require(stop_band_db >= 40.0 && stop_band_db <= 140.0, "stop_band_db", stop_band_db,
          "40 to 140 dB");
}

Resampler::Resampler(const Options& options, SimdLevel level)
    : options_(options), ops_(&simd_ops(level)) {
  options.validate();
  const std::vector<PolyphaseDesign> all = designs(options);
  std::int64_t first_input = 0;
  for (std::size_t i = 0; i < all.size(); ++i) {
    auto filter = std::make_shared<const PolyphaseFilter>(all[i]);
    // The first of two begins where its response to the first sample does, before time 0.
    const std::int64_t size = filter->group_size();
    const std::int64_t before = filter->half() * filter->up() / filter->down() / size + 1;
    const std::int64_t first_output = i + 1 < all.size() ? -before * size : 0;
    stages_.emplace_back(std::move(filter), *ops_, first_output, first_input);
    first_input = first_output;
  }
}

void Resampler::reset() {
  for (PolyphaseStage& stage : stages_) stage.reset();
  received_ = emitted_ = 0;
  finished_ = false;
}

std::size_t Resampler::outputs_in_clip(std::uint64_t samples) const {
  return static_cast<std::size_t>(first_output_at(static_cast<std::int64_t>(samples),
                                                  options_.target_rate, options_.source_rate));
}

std::uint64_t Resampler::outputs_until(std::uint64_t end) const {
  auto position = static_cast<std::int64_t>(end);
  for (const PolyphaseStage& stage : stages_) position = stage.outputs_until(position);
  return static_cast<std::uint64_t>(position);
}

std::size_t Resampler::outputs_after(std::size_t more) const {
  return static_cast<std::size_t>(std::max(outputs_until(received_ + more), emitted_) - emitted_);
}

std::size_t Resampler::outputs_at_finish() const {
  return finished_ ? 0 : static_cast<std::size_t>(outputs_in_clip(received_) - emitted_);
}

void Resampler::check(std::size_t outputs, std::span<float> out) const {
  if (finished_) throw std::logic_error("the stream is finished; call reset() to start another");
  if (out.size() < outputs) {
    throw std::invalid_argument("the output holds fewer samples than become computable");
  }
}

std::size_t Resampler::take(const float* samples, std::size_t count) {
  const std::span<float> room = stages_.front().room();
  count = std::min(count, room.size());
  if (samples != nullptr) {
    ops_->copy_samples(samples, count, 1.0f, room.data());
  } else {
    std::fill_n(room.begin(), count, 0.0f);
  }
  stages_.front().grow(count);
  return count;
}

std::size_t Resampler::emit(std::span<float> out) {
  PolyphaseStage& last = stages_.back();
  std::size_t done = 0;
  for (std::size_t moved = 1; moved > 0;) {
    moved = 0;
    if (stages_.size() > 1) {
      moved = stages_.front().emit(last.room());
      last.grow(moved);
    }
    done += last.emit(out.subspan(done));
  }
  emitted_ += done;
  return done;
}

std::size_t Resampler::accept(std::span<const float> samples, std::span<float> out) {
  check(outputs_after(samples.size()), out);
  if (!ops_->all_finite(samples.data(), samples.size())) check_finite(samples);
  if (stages_.empty()) {
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
    done += emit(out.subspan(done));
  }
  return done;
}

std::size_t Resampler::finish(std::span<float> out) {
  const std::size_t count = outputs_at_finish();
  check(count, out);
  finished_ = true;
  // Silence after the clip lets the last group be computed, of which only the clip's part counts.
  std::array<float, 2 * kFilterRows> group;
  for (std::size_t done = 0; done < count;) {
    take(nullptr, 1);
    const std::size_t given = std::min(emit(group), count - done);
    std::copy_n(group.data(), given, out.data() + done);
    done += given;
  }
  return count;
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
