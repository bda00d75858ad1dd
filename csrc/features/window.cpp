#include "features/window.h"

#include <cmath>
#include <numbers>

namespace edge_ser {

std::vector<double> make_window(WindowKind kind, std::size_t length, bool periodic) {
  std::vector<double> window(length, 1.0);
  const double span = static_cast<double>(periodic ? length : length - 1);
  for (std::size_t i = 0; i < length; ++i) {
    const double angle = 2.0 * std::numbers::pi * static_cast<double>(i) / span;
    const double hann = 0.5 - 0.5 * std::cos(angle);
    switch (kind) {
      case WindowKind::hann:
        window[i] = hann;
        break;
      case WindowKind::hamming:
        window[i] = 0.54 - 0.46 * std::cos(angle);
        break;
      case WindowKind::povey:
        window[i] = std::pow(std::max(hann, 0.0), 0.85);
        break;
      case WindowKind::blackman:
        window[i] = 0.42 - 0.5 * std::cos(angle) + 0.08 * std::cos(2.0 * angle);
        break;
      case WindowKind::rectangular:
        break;
    }
  }
  return window;
}

}  // namespace edge_ser
