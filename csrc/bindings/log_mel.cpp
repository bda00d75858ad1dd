#include "features/log_mel.h"

#include "bindings/frame_kernel.h"
#include "bindings/module.h"

namespace bindings = edge_ser::bindings;
using edge_ser::MelOptions;

void bind_log_mel(pybind11::module_& m) {
  auto options = bindings::bind_options<MelOptions>(
      m, "MelOptions", "What a log-mel spectrogram is made of (frame lengths in samples).");
  bindings::bind_preset<MelOptions>(
      options, "kaldi", &MelOptions::kaldi,
      "Kaldi's compute-fbank-feats by default, without dither: samples on the scale of 16-bit "
      "integers, povey window, 23 bands.");
  bindings::bind_preset<MelOptions>(
      options, "librosa", &MelOptions::librosa,
      "librosa.feature.melspectrogram(center=True) and power_to_db(top_db=None) for 25/10 ms at "
      "16 kHz, 40 bands. librosa's default top_db=80 depends on the whole clip: clip to its "
      "maximum minus 80 yourself where you need it.");
  bindings::bind_preset<MelOptions>(
      options, "whisper", &MelOptions::whisper,
      "The log10-mel of OpenAI Whisper, 80 bands (128 for large-v3), before the clip normalisation "
      "that `whisper_normalize` does.");
  bindings::bind_frame_kernel<edge_ser::LogMel>(
      m, "LogMel",
      "Log-mel spectrogram, streaming or of a whole clip.\n\n"
      "Frames are float32 ``[n, num_mels]``, within a relative error of 1e-4 of float64 for bands "
      "at "
      "most 80 dB below the strongest of their frame. Window, Fourier "
      "transform, power or magnitude, triangular bands, floor, logarithm; magnitudes of samples "
      "above 1e12 (after sample_scale) saturate.");
}
