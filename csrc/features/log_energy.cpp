#include "features/log_energy.h"

#include <array>
#include <cfloat>
#include <cmath>

namespace edge_ser {

void validate_floor(double floor) {
  require(std::isfinite(floor) && floor >= FLT_MIN && floor <= 1e30, "floor", floor,
          "1.2e-38 to 1e30");
}

void LogEnergyOptions::validate() const {
  validate_framing(frame_length, hop_length, sample_scale);
  validate_floor(floor);
}

LogEnergyTransform::LogEnergyTransform(const LogEnergyOptions& options, SimdLevel level)
    : options_(options), ops_(&simd_ops(level)) {}

FrameLayout LogEnergyTransform::layout() const {
  const std::size_t length = static_cast<std::size_t>(options_.frame_length);
  return {length,
          static_cast<std::size_t>(options_.hop_length),
          options_.framing == Framing::snipped ? 0 : length / 2,
          options_.framing,
          options_.drop_last_frame,
          static_cast<float>(options_.sample_scale)};
}

void LogEnergyTransform::apply(const float* frame, float* out) {
  const std::size_t length = static_cast<std::size_t>(options_.frame_length);
  const float mean =
      options_.remove_dc ? ops_->sum(frame, length) / static_cast<float>(length) : 0.0f;
  std::array<float, kSimdSlack> value = {ops_->sum_squares(frame, length, mean)};
  if (options_.log != LogKind::none) {
    ops_->scaled_log(value.data(), 1, static_cast<float>(options_.floor),
                     static_cast<float>(log_scale(options_.log)));
  }
  out[0] = value[0];
}

}  // namespace edge_ser
