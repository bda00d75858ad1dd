#include "features/prosody.h"

#include "bindings/frame_kernel.h"
#include "bindings/module.h"

namespace bindings = edge_ser::bindings;

void bind_prosody(pybind11::module_& m) {
  bindings::bind_options<edge_ser::ProsodyOptions>(m, "ProsodyOptions",
                                                   "What `Prosody` is taken of.");
  bindings::bind_frame_kernel<edge_ser::Prosody>(
      m, "Prosody",
      "Loudness and spectral movement of every frame; `Pitch` gives the rest of prosody.\n\n"
      "Frames are float32 ``[n, 4]``:\n\n"
      "* 0: natural logarithm of the sum of squares, at least log(floor)\n"
      "* 1: zero crossings, as a part of all pairs of neighbouring samples, 0 to 1\n"
      "* 2: spectral centroid in Hz, 0 below the floor\n"
      "* 3: spectral flux, the rise of the magnitude since the frame before over the magnitude, 0 "
      "to 1;\n  0 for the first frame and below the floor");
}
