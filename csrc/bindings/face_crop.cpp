#include "pictures/face_crop.h"

#include <pybind11/stl.h>

#include <array>

#include "bindings/module.h"
#include "bindings/pictures.h"

namespace py = pybind11;
using edge_ser::Face;

namespace {

using Keypoints = py::array_t<float, py::array::c_style | py::array::forcecast>;

Face make_face(const std::array<double, 4>& box, const Keypoints& keypoints) {
  if (keypoints.ndim() != 2 || keypoints.shape(0) != 6 || keypoints.shape(1) != 2) {
    throw py::value_error("keypoints must have the shape (6, 2)");
  }
  Face face;
  face.left = box[0];
  face.top = box[1];
  face.width = box[2];
  face.height = box[3];
  const float* from = keypoints.data();
  for (Face::Point& point : face.keypoints) {
    point = {from[0], from[1]};
    from += 2;
  }
  return face;
}

}  // namespace

void bind_face_crop(py::module_& m) {
  py::options signatures;
  signatures.disable_function_signatures();
  m.def(
      "crop_face",
      [](const py::object& image, const std::array<double, 4>& box, const Keypoints& keypoints,
         int size, double margin, bool grey) {
        const edge_ser::bindings::PictureArray picture(image);
        const Face face = make_face(box, keypoints);
        // The kernel says what is wrong with a size that makes no array.
        const py::ssize_t side = size >= 1 && size <= 4096 ? size : 0;
        py::array_t<float> crop({py::ssize_t{3}, side, side});
        const std::span<float> out(crop.mutable_data(), static_cast<std::size_t>(crop.size()));
        {
          py::gil_scoped_release release;
          edge_ser::crop_face(picture.view(), face, {size, margin, grey}, out);
        }
        return crop;
      },
      py::arg("image"), py::arg("box"), py::arg("keypoints"), py::arg("size"), py::arg("margin"),
      py::kw_only(), py::arg("grey") = false,
      "crop_face(image: numpy.typing.NDArray[numpy.uint8], box: tuple[float, float, float, float], "
      "keypoints: numpy.typing.NDArray[numpy.float32], size: int, margin: float, *, grey: bool = "
      "False) -> numpy.typing.NDArray[numpy.float32]\n\n"
      "Cuts a face out of a picture, turned so that its eyes are level: float32 ``[3, size, "
      "size]``,"
      "\nRGB, 0 to 255. `box` is left, top, width, height; `keypoints` float32 ``[6, 2]`` begin "
      "with "
      "the\nperson's right and left eye; `margin` is the border on each side as a share of the "
      "face's size;\nwith `grey` all three channels hold the luminance. Beyond the picture its "
      "border goes on.");
}
