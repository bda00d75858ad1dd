#include "pitch/refine.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <numeric>

#include "simd/vector_clones.h"

namespace edge_ser {
namespace {

constexpr int kSegment = 400;
constexpr int kLanes = 16;
constexpr int kMaxLags = 64;
constexpr double kRate = 16000.0;
// -120 dB of full scale, summed over a segment: below it nothing correlates.
constexpr double kSilentEnergy = 1e-12 * kSegment;

EDGE_SER_VECTOR_CLONES
float dot(const float* a, const float* b) {
  float lanes[kLanes] = {};
  for (int i = 0; i < kSegment; i += kLanes) {
    for (int k = 0; k < kLanes; ++k) lanes[k] += a[i + k] * b[i + k];
  }
  for (int width = kLanes / 2; width > 0; width /= 2) {
    for (int k = 0; k < width; ++k) lanes[k] += lanes[k + width];
  }
  return lanes[0];
}

float sum(const float* x, std::size_t count) {
  float lanes[kLanes] = {};
  for (std::size_t i = 0; i + kLanes <= count; i += kLanes) {
    for (std::size_t k = 0; k < kLanes; ++k) lanes[k] += x[i + k];
  }
  return std::accumulate(lanes, lanes + kLanes, 0.0f);
}

double square(float x) { return static_cast<double>(x) * static_cast<double>(x); }

}  // namespace

PitchRefinement refine_pitch(const float* centre, double coarse_hz, double low_hz, double high_hz) {
  // An offset, or a drift slower than the frame, would correlate at every lag.
  std::array<float, 2 * kRefineReach> frame;
  std::copy(centre - kRefineReach, centre + kRefineReach, frame.begin());
  const float mean = sum(frame.data(), frame.size()) / static_cast<float>(frame.size());
  for (float& x : frame) x -= mean;
  // One lag more at either end, so that a peak at a limit has neighbours.
  const int first = static_cast<int>(std::floor(kRate / high_hz)) - 1;
  const int last = std::min(static_cast<int>(std::ceil(kRate / low_hz)) + 1, first + kMaxLags - 1);
  const int count = last - first + 1;
  float r[kMaxLags] = {};
  const float* early = frame.data() + kRefineReach - kSegment / 2 - first / 2;
  double energy_early = dot(early, early);
  double energy_late = dot(early + first, early + first);
  for (int i = 0; i < count; ++i) {
    const int lag = first + i;
    const double scale = std::sqrt((std::max(energy_early, 0.0) + kSilentEnergy) *
                                   (std::max(energy_late, 0.0) + kSilentEnergy));
    r[i] = static_cast<float>(dot(early, early + lag) / scale);
    if (lag % 2 == 0) {  // the later segment moves one sample on
      energy_late += square(early[lag + kSegment]) - square(early[lag]);
    } else {  // the earlier segment moves one sample back
      --early;
      energy_early += square(early[0]) - square(early[kSegment]);
    }
  }
  int peak = 1;
  for (int i = 2; i + 1 < count; ++i) {
    if (r[i] > r[peak]) peak = i;
  }
  const float left = r[peak - 1];
  const float right = r[peak + 1];
  const float curvature = left - 2.0f * r[peak] + right;
  if (r[peak] < left || r[peak] < right || !(curvature < -1e-9f)) {
    const int at =
        std::clamp(static_cast<int>(std::lround(kRate / coarse_hz)) - first, 0, count - 1);
    return {coarse_hz, std::clamp(r[at], -1.0f, 1.0f)};
  }
  const float shift = 0.5f * (left - right) / curvature;
  const double lag = first + peak + static_cast<double>(shift);
  const float value = r[peak] - 0.25f * (left - right) * shift;
  return {std::clamp(kRate / lag, low_hz, high_hz), std::clamp(value, -1.0f, 1.0f)};
}

}  // namespace edge_ser
