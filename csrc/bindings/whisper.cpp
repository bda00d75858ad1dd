#include "features/whisper.h"

#include <algorithm>

#include "bindings/arrays.h"
#include "bindings/module.h"

namespace py = pybind11;
using edge_ser::bindings::writable;

void bind_whisper(py::module_& m) {
  py::options signatures;
  signatures.disable_function_signatures();
  m.def(
      "whisper_normalize",
      [](const py::array_t<float, py::array::c_style | py::array::forcecast>& log_mel) {
        const std::span<const float> values(log_mel.data(),
                                            static_cast<std::size_t>(log_mel.size()));
        py::array_t<float> result(
            std::vector<py::ssize_t>(log_mel.shape(), log_mel.shape() + log_mel.ndim()));
        std::copy(values.begin(), values.end(), result.mutable_data());
        edge_ser::whisper_normalize(writable(result));
        return result;
      },
      py::arg("log_mel"),
      "whisper_normalize(log_mel: numpy.typing.NDArray[numpy.float32]) -> "
      "numpy.typing.NDArray[numpy.float32]\n\n"
      "Whisper's clip normalisation: ``(max(x, max(all) - 8) + 4) / 4``.\n\n"
      "Takes log10-mel frames of any shape (`MelOptions.whisper`), returns a new array of the "
      "same\n"
      "shape. Apart from `LogMel` because it looks at the whole window: frames are streamed once,\n"
      "and every window cut from them is normalised by itself. ValueError if a value is not "
      "finite.\n\nSource: Radford et al., \"Robust Speech Recognition via Large-Scale Weak "
      "Supervision\", 2022.");
}
