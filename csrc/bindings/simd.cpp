#include "simd/simd.h"

#include <string>

#include "bindings/module.h"

namespace py = pybind11;

void bind_simd(py::module_& m) {
  py::options signatures;
  signatures.disable_function_signatures();
  m.def(
      "simd_levels",
      [] {
        const auto levels = edge_ser::simd_levels();
        py::tuple names(levels.size());
        for (std::size_t i = 0; i < levels.size(); ++i) {
          names[i] = py::str(std::string(edge_ser::simd_name(levels[i])));
        }
        return names;
      },
      "simd_levels() -> tuple[str, ...]\n\n"
      "The instruction sets that this processor runs, from 'scalar' to the best, which kernels use "
      "unless told otherwise.");
}
