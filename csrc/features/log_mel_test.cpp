#include "features/log_mel.h"

#include <algorithm>
#include <cmath>
#include <complex>
#include <numbers>

#include "features/frame_kernel_test.h"
#include "features/window.h"

using edge_ser::LogMel;
using edge_ser::MelOptions;

namespace {

/// The same spectrogram in float64, by the definition of the Fourier transform.
std::vector<double> reference(const MelOptions& o, const std::vector<float>& x) {
  const std::size_t length = static_cast<std::size_t>(o.frame_length);
  const std::size_t fft_length = static_cast<std::size_t>(o.fft_length);
  const auto window = edge_ser::make_window(o.window, length, o.periodic_window);
  const edge_ser::MelFilterbank bank(static_cast<std::size_t>(o.num_mels), fft_length,
                                     o.sample_rate, o.low_hz, o.high_hz, o.mel_scale, o.mel_norm);
  std::vector<std::complex<double>> roots(fft_length);
  for (std::size_t k = 0; k < fft_length; ++k) {
    roots[k] = std::polar(
        1.0, -2.0 * std::numbers::pi * static_cast<double>(k) / static_cast<double>(fft_length));
  }
  const LogMel kernel(o);
  std::vector<double> result;
  const std::int64_t count = static_cast<std::int64_t>(x.size());
  for (std::size_t i = 0; i < kernel.frames_in_clip(x.size()); ++i) {
    std::vector<double> frame(length);
    double mean = 0;
    for (std::size_t j = 0; j < length; ++j) {
      std::int64_t at = static_cast<std::int64_t>(i * kernel.layout().hop_length + j) -
                        static_cast<std::int64_t>(kernel.layout().lead);
      if (o.framing == edge_ser::Framing::centred_reflect) {
        while (at < 0 || at >= count) at = at < 0 ? -at : 2 * (count - 1) - at;
      }
      if (at >= 0 && at < count) {
        frame[j] = static_cast<double>(x[static_cast<std::size_t>(at)]) * o.sample_scale;
      }
      mean += frame[j] / static_cast<double>(length);
    }
    for (double& value : frame) value -= o.remove_dc ? mean : 0.0;
    for (std::size_t j = length; j-- > 0;) frame[j] -= o.preemphasis * frame[j > 0 ? j - 1 : 0];
    std::vector<double> spectrum(fft_length / 2 + 1);
    for (std::size_t k = 0; k < spectrum.size(); ++k) {
      std::complex<double> sum = 0;
      for (std::size_t j = 0; j < length; ++j) {
        sum += frame[j] * window[j] * roots[k * j % fft_length];
      }
      spectrum[k] = o.spectrum == edge_ser::SpectrumKind::power ? std::norm(sum) : std::abs(sum);
    }
    for (std::size_t band = 0; band < bank.bands(); ++band) {
      double sum = 0;
      for (std::size_t k = 0; k < spectrum.size(); ++k) {
        sum += static_cast<double>(bank.weight(band, k)) * spectrum[k];
      }
      if (o.log != edge_ser::LogKind::none) {
        sum = std::log(std::max(sum, o.floor)) * edge_ser::log_scale(o.log);
      }
      result.push_back(sum);
    }
  }
  return result;
}

std::vector<std::pair<std::string, MelOptions>> variants() {
  MelOptions plain, kaldi40 = MelOptions::kaldi(), long_frames, magnitude, odd;
  kaldi40.num_mels = 40;
  long_frames.frame_length = 800;
  long_frames.fft_length = 1024;
  magnitude.spectrum = edge_ser::SpectrumKind::magnitude;
  odd.frame_length = 401;
  odd.hop_length = 163;
  odd.fft_length = 480;
  odd.framing = edge_ser::Framing::centred_zero;
  odd.remove_dc = true;
  odd.preemphasis = 0.9;
  odd.window = edge_ser::WindowKind::hamming;
  return {{"plain", plain},
          {"kaldi", MelOptions::kaldi()},
          {"kaldi, 40 bands", kaldi40},
          {"librosa", MelOptions::librosa()},
          {"whisper", MelOptions::whisper()},
          {"1024 points", long_frames},
          {"magnitude", magnitude},
          {"odd lengths", odd}};
}

/// Largest relative errors of bands that are, and of bands that are not, within 80 dB of the
/// strongest band of their frame. Rounding the samples to float32 alone moves the latter: a tone
/// leaves noise 140 dB below itself in every bin.
struct Errors {
  double loud = 0;
  double faint = 0;
};

Errors errors(const std::vector<float>& actual, const std::vector<double>& expected,
              const MelOptions& options) {
  REQUIRE(actual.size() == expected.size());
  const std::size_t bands = static_cast<std::size_t>(options.num_mels);
  const double to_db = 10.0 / std::log(10.0) / edge_ser::log_scale(options.log) *
                       (options.spectrum == edge_ser::SpectrumKind::power ? 1.0 : 2.0);
  Errors worst;
  for (std::size_t i = 0; i < actual.size(); i += bands) {
    const double strongest =
        *std::max_element(expected.begin() + static_cast<std::ptrdiff_t>(i),
                          expected.begin() + static_cast<std::ptrdiff_t>(i + bands));
    for (std::size_t j = i; j < i + bands; ++j) {
      const double error = std::abs(static_cast<double>(actual[j]) - expected[j]) /
                           std::max(1.0, std::abs(expected[j]));
      double& kind = (strongest - expected[j]) * to_db <= 80.0 ? worst.loud : worst.faint;
      kind = std::max(kind, error);
    }
  }
  return worst;
}

}  // namespace

TEST_CASE("the relative error of log-mel against float64 is below 1e-4 at every SIMD level") {
  for (const auto& [name, options] : variants()) {
    CAPTURE(name);
    for (const auto& [signal, x] : edge_ser::testing::ordinary_signals(12500)) {
      CAPTURE(signal);
      const std::vector<double> expected = reference(options, x);
      for (const edge_ser::SimdLevel level : edge_ser::simd_levels()) {
        CAPTURE(edge_ser::simd_name(level));
        const LogMel kernel(options, level);
        const Errors worst = errors(edge_ser::testing::clip_frames(kernel, x), expected, options);
        CHECK(worst.loud < 1e-4);
        CHECK(worst.faint < 2e-3);
      }
    }
  }
}

TEST_CASE("log-mel keeps the contract of framed kernels") {
  for (const auto& [name, options] : variants()) {
    CAPTURE(name);
    edge_ser::testing::check_contract<LogMel>(options);
  }
}

TEST_CASE("silence gives the logarithm of the floor") {
  MelOptions options;
  options.floor = 1e-6;
  for (const float value :
       edge_ser::testing::clip_frames(LogMel(options), std::vector<float>(400, 0.0f))) {
    CHECK(value == doctest::Approx(std::log(1e-6)));
  }
}

TEST_CASE("options that make no sense are refused with the field's name") {
  const auto refused = [](auto change, const char* field) {
    MelOptions options;
    change(options);
    try {
      options.validate();
      FAIL("accepted a bad " << field);
    } catch (const std::invalid_argument& error) {
      CHECK(std::string(error.what()).find(field) == 0);
    }
  };
  refused([](MelOptions& o) { o.sample_rate = 10; }, "sample_rate");
  refused([](MelOptions& o) { o.frame_length = 513; }, "frame_length");
  refused([](MelOptions& o) { o.hop_length = 0; }, "hop_length");
  refused([](MelOptions& o) { o.fft_length = 514; }, "fft_length");
  refused([](MelOptions& o) { o.sample_scale = 0; }, "sample_scale");
  refused([](MelOptions& o) { o.preemphasis = 1.5; }, "preemphasis");
  refused([](MelOptions& o) { o.num_mels = 0; }, "num_mels");
  refused([](MelOptions& o) { o.low_hz = -1; }, "low_hz");
  refused([](MelOptions& o) { o.high_hz = 8001; }, "high_hz");
  refused([](MelOptions& o) { o.high_hz = std::nan(""); }, "low_hz");
  refused([](MelOptions& o) { o.floor = 0; }, "floor");
}
