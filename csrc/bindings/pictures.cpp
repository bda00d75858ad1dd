#include "bindings/pictures.h"

#include <limits>
#include <string>

namespace edge_ser::bindings {

PictureArray::PictureArray(const py::object& image) {
  if (!py::isinstance<py::array_t<std::uint8_t>>(image)) {
    throw py::type_error("a picture must be a numpy array of uint8");
  }
  array_ = py::reinterpret_borrow<py::array>(image);
  constexpr py::ssize_t kLargest = std::numeric_limits<int>::max() / 4;
  if (array_.ndim() != 3 || array_.shape(2) != 3 || array_.size() == 0 ||
      array_.shape(0) > kLargest || array_.shape(1) > kLargest) {
    throw py::value_error("a picture must have the shape (height, width, 3), not " +
                          std::string(py::str(image.attr("shape"))));
  }
  if (array_.strides(2) != 1 || array_.strides(1) != 3) {
    array_ = py::array_t<std::uint8_t, py::array::c_style>::ensure(array_);
    if (!array_) throw py::error_already_set();
  }
  view_ = {static_cast<const std::uint8_t*>(array_.data()), static_cast<int>(array_.shape(1)),
           static_cast<int>(array_.shape(0)), array_.strides(0)};
}

}  // namespace edge_ser::bindings
