#include "alignment/aligner.h"

#include <pybind11/numpy.h>
#include <pybind11/stl.h>

#include <atomic>
#include <cstdint>
#include <memory>
#include <string>

#include "bindings/frame_kernel.h"
#include "bindings/module.h"

namespace py = pybind11;
using namespace edge_ser;

namespace {

using Rows = py::array_t<float, py::array::c_style | py::array::forcecast>;

struct Self {
  explicit Self(const AlignerOptions& options) : aligner(options) {}
  Aligner aligner;
  std::atomic<bool> busy{false};
};

/// Ticks as Python gives them: any integer (numpy's too), never a float, whose 53 bits would lose.
std::int64_t ticks(const char* what, const py::handle& value) {
  if (PyBool_Check(value.ptr()) || !PyIndex_Check(value.ptr())) {
    throw py::type_error(std::string(what) + " must be an integer number of ticks, not " +
                         std::string(py::repr(value)));
  }
  const auto number = py::reinterpret_steal<py::object>(PyNumber_Index(value.ptr()));
  if (!number) throw py::error_already_set();
  const std::int64_t result = PyLong_AsLongLong(number.ptr());
  if (result == -1 && PyErr_Occurred()) {
    PyErr_Clear();
    throw py::value_error(std::string(what) +
                          " does not fit into 64 bits: " + std::string(py::repr(value)));
  }
  return result;
}

/// Rows [n, dim], or one row [dim]; read in place if they are contiguous float32.
Rows rows_from(const py::object& object, std::int64_t dim) {
  if (!py::isinstance<py::array>(object)) {
    throw py::type_error("rows must be a numpy array, not " +
                         std::string(py::str(py::type::of(object).attr("__name__"))));
  }
  const auto array = py::reinterpret_borrow<py::array>(object);
  const py::dtype dtype = array.dtype();
  if (!dtype.equal(py::dtype::of<float>()) && !dtype.equal(py::dtype::of<double>())) {
    throw py::type_error("rows must be float32 or float64, not " + std::string(py::str(dtype)));
  }
  const bool shaped = (array.ndim() == 1 || array.ndim() == 2) &&
                      array.shape(array.ndim() - 1) == static_cast<py::ssize_t>(dim);
  if (!shaped) {
    throw py::value_error("rows must have shape [n, " + std::to_string(dim) + "], not " +
                          std::string(py::str(array.attr("shape"))));
  }
  Rows rows = Rows::ensure(array);
  if (!rows) throw py::error_already_set();
  return rows;
}

std::size_t push(Self& self, const py::object& given, const py::object& capture_time,
                 const py::object& position) {
  const Rows rows = rows_from(given, self.aligner.options().dim);
  const std::int64_t time = ticks("capture_time", capture_time);
  const std::int64_t place = ticks("position", position);
  const std::span<const float> view(rows.data(), static_cast<std::size_t>(rows.size()));
  const bindings::Exclusive guard(self.busy);
  py::gil_scoped_release release;
  return self.aligner.push(place, time, view);
}

py::tuple window(Self& self, const py::object& end, const py::object& frame_count) {
  const std::int64_t until = ticks("end", end), frames = ticks("frames", frame_count);
  constexpr std::int64_t kMost = std::int64_t{1} << 24;
  if (frames < 1 || frames > kMost) {
    throw py::value_error("frames is " + std::to_string(frames) + "; it must lie in 1.." +
                          std::to_string(kMost));
  }
  const auto length = static_cast<std::size_t>(frames);
  auto values = bindings::make_frames(length, static_cast<std::size_t>(self.aligner.options().dim));
  py::array_t<bool> mask(frames);
  static_assert(sizeof(bool) == 1);
  const std::span<float> out = bindings::writable(values);
  const std::span covered(reinterpret_cast<std::uint8_t*>(mask.mutable_data()), length);
  std::int64_t first = 0;
  {
    const bindings::Exclusive guard(self.busy);
    py::gil_scoped_release release;
    first = self.aligner.window(until, out, covered);
  }
  return py::make_tuple(first, values, mask);
}

py::dict counters(const AlignerCounters& of) {
  using namespace pybind11::literals;
  return py::dict("pushed"_a = of.pushed, "stored"_a = of.stored, "repeated"_a = of.repeated,
                  "non_finite"_a = of.non_finite, "missing"_a = of.missing, "steps"_a = of.steps,
                  "clock_jumps"_a = of.clock_jumps);
}

constexpr const char* kAlignerDoc =
    "Feature rows on the grid of a window, whatever their source's clock did.\n\n"
    "Keeps the recent past of a source and cuts windows from it. Times are integers in ticks of\n"
    "1/16000 s on the clock of the capture times; positions are integers in ticks of the source's\n"
    "own counter, whose drift and losses are found by comparing both. Integers may be as large as\n"
    "2^62.\n\n"
    "* Lost buffers are gaps: masked frames, never shifted data. A loss that the counter does not\n"
    "  show is found from the capture times after 6 to 24 pushes and dated back.\n"
    "* A row with NaN or infinity is left out, counted and masked; no window holds NaN.\n"
    "* If the clock of the capture times is set back, the media clock goes on; set forward, it\n"
    "  leaves a gap of that length.\n\n"
    "It belongs to one thread at a time (a second one gets a RuntimeError); the GIL is released\n"
    "while it works. Memory is fixed at construction. A value that makes no sense is a "
    "ValueError,\n"
    "a wrong type a TypeError; neither changes anything.";

}  // namespace

void bind_aligner(py::module_& m) {
  bindings::bind_options<AlignerOptions>(m, "AlignerOptions",
                                         "What an `Aligner` is built from. Ticks are 1/16000 s.");
  py::options signatures;
  signatures.disable_function_signatures();
  py::class_<Self> type(m, "Aligner", kAlignerDoc);
  bindings::bind_property(
      type, "options", [](const Self& self) { return self.aligner.options(); }, "AlignerOptions",
      "What it was built with.");
  type.def(py::init<const AlignerOptions&>(), py::arg("options"),
           "__init__(self, options: AlignerOptions) -> None")
      .def("push", &push, py::arg("rows"), py::arg("capture_time"), py::arg("position"),
           "push(self, rows: numpy.typing.NDArray[typing.Any], capture_time: int, position: int) "
           "-> int\n\n"
           "Adds rows, float32 or float64 [n, dim] (or one row, [dim]); returns how many were "
           "stored.\n\n`capture_time`: when the first row was captured, in ticks. `position`: the "
           "first row on the\nsource's counter; rows that are not beyond the newest are left out.")
      .def("window", &window, py::arg("end"), py::arg("frames"),
           "window(self, end: int, frames: int) -> tuple[int, numpy.typing.NDArray[numpy.float32], "
           "numpy.typing.NDArray[numpy.bool_]]\n\n"
           "The frames before media time `end`: the time of the first, the values [frames, dim] (0 "
           "where\nmasked) and the mask [frames] (True where there is data). Frame k stands for "
           "end - (frames - k) *\nperiod, moved by at most half a period onto the source's rows.")
      .def(
          "media_time",
          [](Self& self, const py::object& position) {
            const std::int64_t place = ticks("position", position);
            const bindings::Exclusive guard(self.busy);
            return self.aligner.media_time(place);
          },
          py::arg("position"),
          "media_time(self, position: int) -> int | None\n\n"
          "Media time of a position on the source's counter; None before the first push.")
      .def(
          "drift",
          [](Self& self) -> py::object {
            const bindings::Exclusive guard(self.busy);
            const auto drift = self.aligner.drift();
            return drift ? py::object(py::make_tuple(drift->ppm, drift->sd_ppm)) : py::none();
          },
          "drift(self) -> tuple[float, float] | None\n\n"
          "By how much, in ppm, a second of the counter is longer than one of the media clock, and "
          "the\nstandard deviation; None before the first push.")
      .def(
          "counters",
          [](Self& self) {
            const bindings::Exclusive guard(self.busy);
            return counters(self.aligner.counters());
          },
          "counters(self) -> dict[str, int]\n\n"
          "Rows `pushed`, `stored`, `repeated` (not beyond the newest), `non_finite`, `missing` "
          "(places\nthat stayed empty); `steps` of capture time against counter (lost buffers) and "
          "`clock_jumps`\n(times the clock of the capture times was set back).");
}
