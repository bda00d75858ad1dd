#include "pictures/square_view.h"

#include "bindings/module.h"
#include "bindings/pictures.h"

namespace py = pybind11;

void bind_square_view(py::module_& m) {
  py::options signatures;
  signatures.disable_function_signatures();
  m.def(
      "square_view",
      [](const py::object& image, double left, double top, double side) {
        const edge_ser::bindings::PictureArray picture(image);
        constexpr py::ssize_t kSide = edge_ser::kDetectorSide;
        py::array_t<float> view({py::ssize_t{1}, py::ssize_t{3}, kSide, kSide});
        const std::span<float> out(view.mutable_data(), static_cast<std::size_t>(view.size()));
        {
          py::gil_scoped_release release;
          edge_ser::square_view(picture.view(), left, top, side, out);
        }
        return view;
      },
      py::arg("image"), py::arg("left"), py::arg("top"), py::arg("side"),
      "square_view(image: numpy.typing.NDArray[numpy.uint8], left: float, top: float, side: float) "
      "-> numpy.typing.NDArray[numpy.float32]\n\n"
      "What a face detector sees: a square of a picture, scaled to float32 ``[1, 3, 128, 128]``, 0 "
      "to"
      "\n255; black where the square reaches beyond the picture.");
}
