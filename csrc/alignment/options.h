// What an Aligner is built from.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>

#include "alignment/clock_fit.h"

namespace edge_ser {

/// What a source delivers: vectors that stand for an instant, or labels that cover a span.
enum class SourceKind { kFrames, kIntervals };
inline constexpr std::array<std::string_view, 2> enum_names(SourceKind) {
  return {"frames", "intervals"};
}

/// How frames are carried to the grid of a window.
enum class Fill { kNearest, kHold, kLinear };
inline constexpr std::array<std::string_view, 3> enum_names(Fill) {
  return {"nearest", "hold", "linear"};
}

inline constexpr std::array<std::string_view, 2> enum_names(Stamps) { return {"centred", "late"}; }

/// One source. Times are in ticks of the media clock (AlignerOptions::rate) where not said
/// otherwise.
struct SourceOptions {
  std::string name;
  SourceKind kind = SourceKind::kFrames;
  std::int64_t dim = 1;
  std::int64_t clock_rate = 16000;
  std::int64_t period = 160;
  Fill fill = Fill::kNearest;
  std::int64_t max_age = 0;
  std::int64_t lateness = 32000;
  std::int64_t capacity = 1024;
  Stamps stamps = Stamps::kCentred;
  std::int64_t latency = 0;
  std::string follows;
  std::int64_t observations = 8192;
  std::int64_t horizon = 4800000;
  std::int64_t step = 160;
  double max_drift_ppm = 1000.0;

  /// Throws std::invalid_argument.
  void validate() const;
  bool operator==(const SourceOptions&) const = default;
  /// Whether positions of a counter come with the capture times, so that drift can be seen.
  bool has_counter() const { return kind == SourceKind::kFrames && clock_rate > 0; }

  template <class Options, class Visit>
  static void fields(Options&& o, Visit&& visit) {
    visit("name", o.name, "unique name of the source");
    visit("kind", o.kind, "'frames': rows of `dim` floats; 'intervals': labelled spans (words)");
    visit("dim", o.dim, "floats in a row; 1..65536");
    visit("clock_rate", o.clock_rate,
          "ticks in a second of the source's own counter; 0: it has none, capture times are all "
          "there is");
    visit("period", o.period,
          "ticks of that counter (media ticks if it has none) between the rows of a push");
    visit("fill", o.fill,
          "'nearest' row, 'hold' the newest row that is not later, or 'linear' interpolation");
    visit("max_age", o.max_age,
          "media ticks that a row may be off ('linear': that its two rows may be apart); 0: just "
          "over half a period for 'nearest', two periods for 'hold', one and a half for 'linear'");
    visit("lateness", o.lateness,
          "media ticks behind the newest row within which order of arrival does not matter; what "
          "comes later is dropped and counted");
    visit("capacity", o.capacity, "rows or intervals kept; the oldest gives way");
    visit("stamps", o.stamps,
          "how capture times err: 'centred' on the truth, or never early but 'late'");
    visit("latency", o.latency, "media ticks by which every capture time is known to be late");
    visit("follows", o.follows,
          "intervals only: name of the source on whose counter their times lie; empty: capture "
          "times");
    visit("observations", o.observations,
          "capture times kept for the estimate of drift; 64..65536");
    visit("horizon", o.horizon, "media ticks after which a capture time no longer counts");
    visit("step", o.step, "media ticks: smallest lasting step that is taken for lost buffers");
    visit("max_drift_ppm", o.max_drift_ppm, "bound of the drift; estimates start from 0");
  }
};

struct AlignerOptions {
  std::int64_t rate = 16000;
  std::int64_t frame_period = 160;
  std::string reference;

  /// Throws std::invalid_argument.
  void validate() const;
  bool operator==(const AlignerOptions&) const = default;

  template <class Options, class Visit>
  static void fields(Options&& o, Visit&& visit) {
    visit("rate", o.rate, "ticks of the media clock, and of every capture time, in a second");
    visit("frame_period", o.frame_period, "media ticks between the frames of a window");
    visit("reference", o.reference,
          "name of the source whose own frames are the grid of every window, so that none of them "
          "is repeated or skipped however it drifts; empty: the grid is the media clock's");
  }
};

}  // namespace edge_ser
