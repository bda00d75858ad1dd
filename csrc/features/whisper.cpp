#include "features/whisper.h"

#include <algorithm>
#include <limits>

#include "base/samples.h"

namespace edge_ser {

void whisper_normalize(std::span<float> log_mel) {
  check_finite(log_mel);
  float highest = -std::numeric_limits<float>::infinity();
  for (const float value : log_mel) highest = std::max(highest, value);
  const float floor = highest - 8.0f;
  for (float& value : log_mel) value = (std::max(value, floor) + 4.0f) * 0.25f;
}

}  // namespace edge_ser
