#include "features/normalizer.h"

#include <atomic>
#include <memory>

#include "bindings/arrays.h"
#include "bindings/frame_kernel.h"
#include "bindings/module.h"
#include "bindings/options.h"

namespace py = pybind11;
namespace bindings = edge_ser::bindings;
using edge_ser::NormalizerOptions;
using edge_ser::RunningNormalizer;

namespace {

struct Normalizer {
  explicit Normalizer(const NormalizerOptions& options) : live(options) {}
  RunningNormalizer live;
  std::atomic<bool> busy{false};
};

using Statistics = py::array_t<double, py::array::c_style | py::array::forcecast>;

std::span<const double> view(const Statistics& values) {
  return {values.data(), static_cast<std::size_t>(values.size())};
}

py::array_t<double> to_array(std::span<const double> values) {
  return py::array_t<double>(static_cast<py::ssize_t>(values.size()), values.data());
}

}  // namespace

void bind_normalizer(py::module_& m) {
  bindings::bind_options<NormalizerOptions>(m, "NormalizerOptions",
                                            "How `RunningNormalizer` follows its frames.");
  py::options signatures;
  signatures.disable_function_signatures();
  py::class_<Normalizer> type(
      m, "RunningNormalizer",
      "Normalises mean and variance of every feature with the frames so far, or with frozen "
      "statistics.\n\n``(x - mean) / deviation``; causal, a frame comes out at once. State is "
      "float64.");
  type.def(py::init([](const NormalizerOptions& options) {
             return std::make_unique<Normalizer>(options);
           }),
           py::arg("options"), "__init__(self, options: NormalizerOptions) -> None");
  bindings::bind_property(
      type, "options", [](const Normalizer& self) { return self.live.options(); },
      "NormalizerOptions", "What the normaliser was made with.");
  bindings::bind_property(
      type, "mean", [](const Normalizer& self) { return to_array(self.live.mean()); },
      "numpy.typing.NDArray[numpy.float64]", "Mean of every feature, ``[dim]``.");
  bindings::bind_property(
      type, "deviation", [](const Normalizer& self) { return to_array(self.live.deviation()); },
      "numpy.typing.NDArray[numpy.float64]",
      "Standard deviation of every feature as measured, ``[dim]``.");
  bindings::bind_property(
      type, "frames_seen", [](const Normalizer& self) { return self.live.frames_seen(); }, "int",
      "Frames in the statistics.");
  bindings::bind_property(
      type, "frozen", [](const Normalizer& self) { return self.live.frozen(); }, "bool",
      "Whether the statistics stay as they are.");
  type.def(
          "accept",
          [](Normalizer& self, const py::object& given) {
            const bindings::Frames input(given, self.live.dim());
            const bindings::Exclusive guard(self.busy);
            auto result = bindings::make_frames(input.count(), self.live.dim());
            const std::span<float> out = bindings::writable(result);
            py::gil_scoped_release release;
            self.live.accept(input, out);
            return result;
          },
          py::arg("frames"),
          "accept(self, frames: numpy.typing.NDArray[numpy.float32 | numpy.float64]) -> "
          "numpy.typing.NDArray[numpy.float32]\n\nThe same frames ``[n, dim]``, normalised. "
          "ValueError if a value is not finite (none is taken then).")
      .def(
          "freeze", [](Normalizer& self, bool frozen) { self.live.freeze(frozen); },
          py::arg("frozen") = true,
          "freeze(self, frozen: bool = True) -> None\n\nKeeps the statistics as they are, or lets "
          "them follow the frames again.")
      .def(
          "set_statistics",
          [](Normalizer& self, const Statistics& mean, const Statistics& deviation,
             std::uint64_t frames_seen) {
            const bindings::Exclusive guard(self.busy);
            self.live.set_statistics(view(mean), view(deviation), frames_seen);
          },
          py::arg("mean"), py::arg("deviation"), py::arg("frames_seen") = 0,
          "set_statistics(self, mean: numpy.typing.ArrayLike, deviation: numpy.typing.ArrayLike, "
          "frames_seen: int = 0) -> None\n\nPuts statistics ``[dim]`` in and freezes them. "
          "ValueError for a wrong size, a value that is not finite, a negative deviation.")
      .def(
          "reset",
          [](Normalizer& self) {
            const bindings::Exclusive guard(self.busy);
            self.live.reset();
          },
          "reset(self) -> None\n\nForgets the statistics and lets them follow the frames.");
}
