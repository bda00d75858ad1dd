// Changes the sample rate of a stream by any rational factor.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "base/options.h"
#include "base/samples.h"
#include "features/polyphase.h"
#include "simd/simd.h"

namespace edge_ser {

struct ResamplerOptions {
  int source_rate = 48000;
  int target_rate = 16000;
  double pass_band = 0.9;
  double stop_band_db = 90.0;

  void validate() const;
  bool operator==(const ResamplerOptions&) const = default;

  template <class Options, class Visit>
  static void fields(Options&& o, Visit&& visit) {
    visit("source_rate", o.source_rate, "Hz of what comes in, 1000 to 384000");
    visit("target_rate", o.target_rate, "Hz of what goes out, 1000 to 384000");
    visit("pass_band", o.pass_band,
          "frequencies up to this part of the lower of the two Nyquist frequencies pass unchanged; "
          "those above that Nyquist frequency are stopped. 0.5 to 0.98; more costs time and delay");
    visit("stop_band_db", o.stop_band_db, "attenuation that is designed for, 40 to 140 dB");
  }
};

/// Windowed-sinc polyphase resampler of linear phase, without delay: output n is the band-limited
/// input at time n / target_rate, and a clip of n samples gives ceil(n target / source). The input
/// is zero before it begins and after it ends. Equal rates pass the samples through.
///
/// Two stages meet at one and a half times the lower rate: a sharp one between that and the lower
/// rate, of two or three phases, and one between that and the higher rate, which has an octave to
/// fall in and so is short. Sharpness then costs taps at a low rate, and no bank of taps is larger
/// than the first cache. Kaiser's window (J. Kaiser, "Nonrecursive digital filter design using the
/// I0-sinh window function", 1974). Nothing is allocated after construction; counters have 64 bits.
/// One thread at a time.
class Resampler {
 public:
  using Options = ResamplerOptions;

  explicit Resampler(const Options& options = {}, SimdLevel level = best_simd_level());

  const Options& options() const { return options_; }

  std::size_t outputs_in_clip(std::uint64_t samples) const;
  /// Outputs that `accept` would give for so many more samples, and those that `finish` would.
  std::size_t outputs_after(std::size_t more) const;
  std::size_t outputs_at_finish() const;
  std::uint64_t samples_accepted() const { return received_; }

  /// Writes the outputs that become computable and returns their number. Throws
  /// std::invalid_argument if `out` is too small, SampleError if a sample is not finite (and takes
  /// none), std::logic_error after `finish`. Samples saturate at +-1e12.
  std::size_t accept(std::span<const float> samples, std::span<float> out);
  /// Ends the clip; `reset` starts another.
  std::size_t finish(std::span<float> out);
  void reset();
  /// A whole clip, bit-equal to the stream.
  std::size_t compute(std::span<const float> samples, std::span<float> out) const;

 private:
  void check(std::size_t outputs, std::span<float> out) const;
  /// Index behind the last output that samples before `end` make computable.
  std::uint64_t outputs_until(std::uint64_t end) const;
  std::size_t take(const float* samples, std::size_t count);
  std::size_t emit(std::span<float> out);

  Options options_;
  const SimdOps* ops_;
  std::vector<PolyphaseStage> stages_;  ///< none for equal rates, otherwise one or two
  std::uint64_t received_ = 0;
  std::uint64_t emitted_ = 0;
  bool finished_ = false;
};

}  // namespace edge_ser
