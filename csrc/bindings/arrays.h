// Samples in, frames out: numpy arrays without copies where numpy's layout allows.
#pragma once

#include <pybind11/numpy.h>
#include <pybind11/pybind11.h>

#include <cstddef>
#include <span>

namespace edge_ser::bindings {

namespace py = pybind11;

/// One-dimensional samples that a kernel can read while the GIL is released.
///
/// float32 that is contiguous is read in place. float64 is rounded to float32; int16 is divided by
/// 32768, so that full scale is 1. A strided array is copied. Anything else is a TypeError (dtype)
/// or a ValueError (shape). The object keeps the array alive.
class Samples {
 public:
  explicit Samples(const py::object& samples);
  operator std::span<const float>() const { return view_; }
  std::span<const float> view() const { return view_; }

 private:
  py::array_t<float, py::array::c_style> array_;
  std::span<const float> view_;
};

/// An uninitialised float32 array of shape [count, dim].
inline py::array_t<float> make_frames(std::size_t count, std::size_t dim) {
  return py::array_t<float>({static_cast<py::ssize_t>(count), static_cast<py::ssize_t>(dim)});
}

inline std::span<float> writable(py::array_t<float>& array) {
  return {array.mutable_data(), static_cast<std::size_t>(array.size())};
}

}  // namespace edge_ser::bindings
