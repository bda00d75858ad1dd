#include "features/deltas.h"

#include <memory>

#include "bindings/arrays.h"
#include "bindings/frame_kernel.h"
#include "bindings/module.h"
#include "bindings/options.h"

namespace py = pybind11;
namespace bindings = edge_ser::bindings;
using edge_ser::DeltaOptions;
using edge_ser::Deltas;

namespace {

struct Stream {
  explicit Stream(const DeltaOptions& options) : pristine(options), live(pristine) {}
  const Deltas pristine;
  Deltas live;
  std::atomic<bool> busy{false};
};

template <class Work>
py::array_t<float> outputs(std::size_t count, std::size_t dim, Work work) {
  auto result = bindings::make_frames(count, dim);
  const std::span<float> out = bindings::writable(result);
  py::gil_scoped_release release;
  work(out);
  return result;
}

}  // namespace

void bind_deltas(py::module_& m) {
  bindings::bind_options<DeltaOptions>(m, "DeltaOptions", "What `Deltas` appends.");
  py::options signatures;
  signatures.disable_function_signatures();
  py::class_<Stream> type(
      m, "Deltas",
      "Appends regression coefficients over time to frames: ``[x, d x, d d x]``.\n\n"
      "``d[t] = sum n (x[t + n] - x[t - n]) / (2 sum n^2)`` for n = 1..window (Young et al., The "
      "HTK Book);\ncopies of the first and the last frame stand outside the clip. A frame comes "
      "out "
      "once\n``look_ahead`` more have come in, or at `finish`.");
  type.def(py::init([](const DeltaOptions& options) { return std::make_unique<Stream>(options); }),
           py::arg("options"), "__init__(self, options: DeltaOptions) -> None");
  const char* returns = " -> numpy.typing.NDArray[numpy.float32]\n\n";
  const std::string frames = "frames: numpy.typing.NDArray[numpy.float32 | numpy.float64]";
  bindings::bind_property(
      type, "options", [](const Stream& self) { return self.pristine.options(); }, "DeltaOptions",
      "What the stream was made with.");
  bindings::bind_property(
      type, "dim", [](const Stream& self) { return self.pristine.dim(); }, "int",
      "Features of a frame that goes out.");
  bindings::bind_property(
      type, "look_ahead", [](const Stream& self) { return self.pristine.look_ahead(); }, "int",
      "Frames that a frame waits for.");
  type.def(
          "accept",
          [](Stream& self, const py::object& given) {
            const bindings::Frames input(given,
                                         static_cast<std::size_t>(self.pristine.options().dim));
            const bindings::Exclusive guard(self.busy);
            return outputs(self.live.frames_after(input.count()), self.live.dim(),
                           [&](std::span<float> out) { self.live.accept(input, out); });
          },
          py::arg("frames"),
          ("accept(self, " + frames + ")" + returns +
           "The frames ``[n, dim]`` that these complete. ValueError if a value is not finite (none "
           "is taken then), RuntimeError after `finish`.")
              .c_str())
      .def(
          "finish",
          [](Stream& self) {
            const bindings::Exclusive guard(self.busy);
            return outputs(self.live.frames_at_finish(), self.live.dim(),
                           [&](std::span<float> out) { self.live.finish(out); });
          },
          (std::string("finish(self)") + returns + "The last frames. Then call `reset`.").c_str())
      .def(
          "reset",
          [](Stream& self) {
            const bindings::Exclusive guard(self.busy);
            self.live.reset();
          },
          "reset(self) -> None\n\nStarts a new clip.")
      .def(
          "compute",
          [](const Stream& self, const py::object& given) {
            const bindings::Frames input(given,
                                         static_cast<std::size_t>(self.pristine.options().dim));
            return outputs(input.count(), self.pristine.dim(),
                           [&](std::span<float> out) { self.pristine.compute(input, out); });
          },
          py::arg("frames"),
          ("compute(self, " + frames + ")" + returns +
           "A whole clip, equal to the last bit to the stream; leaves the stream alone.")
              .c_str());
}
