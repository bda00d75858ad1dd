// Streaming pitch: f0, a voicing probability and the harmonics-to-noise ratio, every 10 ms.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>

namespace edge_ser {

struct PitchOptions {
  double min_f0_hz = 50.0;
  double max_f0_hz = 550.0;
  double voicing_threshold = 0.5;
  int first_center = 200;

  /// Throws std::invalid_argument that names the field.
  void validate() const;
  bool operator==(const PitchOptions&) const = default;

  template <class Options, class Visit>
  static void fields(Options&& o, Visit&& visit) {
    visit("min_f0_hz", o.min_f0_hz, "lowest pitch looked for, in Hz, 50 or more");
    visit("max_f0_hz", o.max_f0_hz,
          "highest pitch looked for, in Hz, 550 or less and at least 1.2 times the lowest");
    visit("voicing_threshold", o.voicing_threshold,
          "a frame is voiced if its voicing probability is at least this, 0 to 1");
    visit("first_center", o.first_center,
          "centre of frame 0, in samples, 0 to 800; 200 is the centre of a 25 ms window that "
          "starts with the clip, 0 that of a window centred on its first sample");
  }
};

/// Tracks the pitch of one 16 kHz stream.
///
/// Frame i is centred on sample first_center + 160 i. It exists when at least first_center samples
/// follow its centre, so first_center = 200 gives exactly the frames of a 25 ms window every 10 ms.
/// A frame's own analysis reads 30 ms either side of its centre; its path and voicing use three
/// more frames, 30 ms. A frame therefore comes out once 60 ms after its centre have come in, or at
/// finish(), which takes silence for what follows the end.
///
/// Each row holds kColumns values:
///   0  f0 in Hz where the voicing probability reaches the threshold, else 0
///   1  f0 in Hz of the path, voiced or not: always within min_f0_hz..max_f0_hz
///   2  probability that the frame is voiced, 0..1
///   3  harmonics-to-noise ratio in dB, -20..40: 10 log10(r / (1 - r)), r the normalised
///      correlation at the path's period (P. Boersma, "Accurate short-term analysis of the
///      fundamental frequency and the harmonics-to-noise ratio of a sampled sound", 1993)
///
/// Samples are nominally within -1..1; beyond +-1e6 they are clipped, below 1e-15 taken as 0.
/// Nothing is allocated after construction; counters have 64 bits. One thread at a time.
class Pitch {
 public:
  static constexpr int kSampleRate = 16000;
  static constexpr int kHop = 160;
  static constexpr std::size_t kColumns = 4;

  explicit Pitch(const PitchOptions& options = {});
  ~Pitch();
  Pitch(Pitch&&) noexcept;
  Pitch& operator=(Pitch&&) noexcept;

  const PitchOptions& options() const;

  /// The most rows that accept() of `samples` samples, or finish(), can write.
  static std::size_t max_rows(std::size_t samples) { return samples / kHop + 1; }
  static constexpr std::size_t kMaxRowsAtFinish = 8;

  /// Writes the rows that became complete to `rows` (room for max_rows(samples.size()) rows of
  /// kColumns) and returns their number. Throws SampleError for NaN or infinity and
  /// std::logic_error after finish(), both before anything changes.
  std::size_t accept(std::span<const float> samples, float* rows);

  /// Ends the stream: writes the remaining rows (room for kMaxRowsAtFinish) and returns their
  /// number; 0 when called again.
  std::size_t finish(float* rows);

  /// Starts a new stream.
  void reset();

  /// Rows of a whole clip of that many samples.
  std::size_t rows_in_clip(std::size_t samples) const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace edge_ser
