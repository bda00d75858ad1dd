#include "pictures/luminance.h"

#include "bindings/module.h"
#include "bindings/pictures.h"

namespace py = pybind11;

void bind_luminance(py::module_& m) {
  py::options signatures;
  signatures.disable_function_signatures();
  m.def(
      "luminance",
      [](const py::object& image) {
        const edge_ser::bindings::PictureArray picture(image);
        py::gil_scoped_release release;
        return edge_ser::luminance(picture.view());
      },
      py::arg("image"),
      "luminance(image: numpy.typing.NDArray[numpy.uint8]) -> float\n\n"
      "Mean brightness of a picture, 0 to 255 (every eighth row and column is looked at).");
}
