#include "features/mfcc.h"

#include "bindings/frame_kernel.h"
#include "bindings/module.h"

namespace bindings = edge_ser::bindings;
using edge_ser::MfccOptions;

void bind_mfcc(pybind11::module_& m) {
  auto options = bindings::bind_options<MfccOptions>(
      m, "MfccOptions", "What mel-frequency cepstral coefficients are made of.");
  bindings::bind_preset<MfccOptions>(
      options, "kaldi", &MfccOptions::kaldi,
      "Kaldi's compute-mfcc-feats by default, without dither: 23 bands, lifter 22, log-energy in "
      "place of coefficient 0.");
  bindings::bind_preset<MfccOptions>(options, "librosa", &MfccOptions::librosa,
                                     "librosa.feature.mfcc over `MelOptions.librosa`.");
  bindings::bind_frame_kernel<edge_ser::Mfcc>(
      m, "Mfcc",
      "Mel-frequency cepstral coefficients, streaming or of a whole clip.\n\n"
      "The orthonormal DCT-II of log-mel bands (Davis and Mermelstein, 1980), with HTK's lifter. "
      "Frames are float32 ``[n, num_ceps]``.");
}
