#include "base/options.h"

#include <cmath>
#include <numbers>
#include <sstream>

namespace edge_ser {

double log_scale(LogKind kind) {
  switch (kind) {
    case LogKind::log10:
      return 1.0 / std::numbers::ln10;
    case LogKind::db:
      return 10.0 / std::numbers::ln10;
    default:
      return 1.0;
  }
}

void require(bool good, const char* field, double value, const std::string& wanted) {
  if (good) return;
  std::ostringstream text;
  text << field << " is " << value << "; it must be " << wanted;
  throw std::invalid_argument(text.str());
}

void validate_framing(int frame_length, int hop_length, double sample_scale) {
  require(frame_length >= 2 && frame_length <= kMaxFrameLength, "frame_length", frame_length,
          "2 to 65536 samples");
  require(hop_length >= 1 && hop_length <= kMaxFrameLength, "hop_length", hop_length,
          "1 to 65536 samples");
  require(std::isfinite(sample_scale) && sample_scale > 0 && sample_scale <= 1e6, "sample_scale",
          sample_scale, "above 0 and at most 1e6");
}

}  // namespace edge_ser
