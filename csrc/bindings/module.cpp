#include "bindings/module.h"

PYBIND11_MODULE(_kernels, m) {
  m.doc() = "The compiled kernels of edge-ser; import them from edge_ser.kernels.";
  m.attr("__version__") = EDGE_SER_KERNELS_VERSION;
  bind_aligner(m);
  bind_face_crop(m);
  bind_log_energy(m);
  bind_log_mel(m);
  bind_luminance(m);
  bind_mfcc(m);
  bind_pitch(m);
  bind_resampler(m);
  bind_simd(m);
  bind_square_view(m);
  bind_whisper(m);
  bind_word_piece(m);
}
