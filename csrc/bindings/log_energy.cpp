#include "features/log_energy.h"

#include "bindings/frame_kernel.h"
#include "bindings/module.h"

namespace bindings = edge_ser::bindings;

void bind_log_energy(pybind11::module_& m) {
  bindings::bind_options<edge_ser::LogEnergyOptions>(m, "LogEnergyOptions",
                                                     "What the energy of a frame is taken of.");
  bindings::bind_frame_kernel<edge_ser::LogEnergy>(
      m, "LogEnergy",
      "log(max(sum of x^2, floor)) of every frame, streaming or of a whole clip.\n\n"
      "Frames are float32 ``[n, 1]``; silence gives the logarithm of the floor.");
}
