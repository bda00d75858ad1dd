#include "alignment/options.h"

#include <stdexcept>

#include "alignment/tick_math.h"

namespace edge_ser {

namespace {

constexpr std::int64_t kMaxRate = 1'000'000'000;
constexpr std::int64_t kMaxSpan = std::int64_t{1} << 50;
constexpr std::int64_t kMaxFloats = std::int64_t{1} << 28;

void check_range(const std::string& field, std::int64_t value, std::int64_t low,
                 std::int64_t high) {
  if (value >= low && value <= high) return;
  throw std::invalid_argument(field + " is " + std::to_string(value) + "; it must lie in " +
                              std::to_string(low) + ".." + std::to_string(high));
}

}  // namespace

void SourceOptions::validate() const {
  const std::string where = name.empty() ? "SourceOptions." : "source '" + name + "': ";
  check_range(where + "dim", dim, 1, 65536);
  check_range(where + "clock_rate", clock_rate, 0, kMaxRate);
  check_range(where + "period", period, 1, kMaxSpan);
  check_range(where + "max_age", max_age, 0, kMaxSpan);
  check_range(where + "lateness", lateness, 0, kMaxSpan);
  check_range(where + "capacity", capacity, 1, std::int64_t{1} << 22);
  if (kind == SourceKind::kFrames)
    check_range(where + "capacity * dim", capacity * dim, 1, kMaxFloats);
  check_range(where + "latency", latency, -kMaxSpan, kMaxSpan);
  check_range(where + "observations", observations, 64, 65536);
  check_range(where + "horizon", horizon, 1, kMaxSpan);
  check_range(where + "step", step, 1, kMaxSpan);
  if (!(max_drift_ppm > 0.0 && max_drift_ppm <= 100000.0)) {
    throw std::invalid_argument(where + "max_drift_ppm is " + std::to_string(max_drift_ppm) +
                                "; it must lie above 0 and up to 100000");
  }
  if (!follows.empty() && kind != SourceKind::kIntervals) {
    throw std::invalid_argument(where + "follows is set, but only intervals follow a source");
  }
}

void AlignerOptions::validate() const {
  check_range("AlignerOptions.rate", rate, 1, kMaxRate);
  check_range("AlignerOptions.frame_period", frame_period, 1, kMaxSpan);
}

}  // namespace edge_ser
