// Pictures of Python: numpy arrays, uint8 [height, width, 3], RGB; without a copy where only rows
// lie apart.
#pragma once

#include <pybind11/numpy.h>
#include <pybind11/pybind11.h>

#include "pictures/picture.h"

namespace edge_ser::bindings {

namespace py = pybind11;

/// A picture that a kernel can read while the GIL is released; keeps the array alive. Anything but
/// uint8 is a TypeError, another shape a ValueError.
class PictureArray {
 public:
  explicit PictureArray(const py::object& image);
  const Picture& view() const { return view_; }

 private:
  py::array array_;
  Picture view_;
};

}  // namespace edge_ser::bindings
