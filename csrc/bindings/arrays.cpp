#include "bindings/arrays.h"

#include <string>

namespace edge_ser::bindings {

Samples::Samples(const py::object& samples) {
  if (!py::isinstance<py::array>(samples)) {
    throw py::type_error("samples must be a numpy array of float32, float64 or int16, not " +
                         std::string(py::str(py::type::of(samples).attr("__name__"))));
  }
  const auto array = py::reinterpret_borrow<py::array>(samples);
  if (array.ndim() != 1) {
    throw py::value_error("samples must have one dimension (mono), not " +
                          std::to_string(array.ndim()));
  }
  const py::dtype dtype = array.dtype();
  if (dtype.equal(py::dtype::of<float>())) {
    array_ = py::array_t<float, py::array::c_style>::ensure(array);
  } else if (dtype.equal(py::dtype::of<double>())) {
    array_ = py::array_t < float, py::array::c_style | py::array::forcecast > ::ensure(array);
  } else if (dtype.equal(py::dtype::of<std::int16_t>())) {
    array_ = py::array_t<float, py::array::c_style>(array.size());
    const auto source = py::reinterpret_borrow<py::array_t<std::int16_t>>(array).unchecked<1>();
    float* target = array_.mutable_data();
    for (py::ssize_t i = 0; i < array.size(); ++i) {
      target[i] = static_cast<float>(source(i)) * (1.0f / 32768.0f);
    }
  } else {
    throw py::type_error("samples must be float32, float64 or int16, not " +
                         std::string(py::str(dtype)));
  }
  if (!array_) throw py::error_already_set();
  view_ = {array_.data(), static_cast<std::size_t>(array_.size())};
}

}  // namespace edge_ser::bindings
