#include "features/resampler.h"

#include <memory>
#include <string>

#include "bindings/frame_kernel.h"
#include "bindings/module.h"

namespace py = pybind11;
namespace bindings = edge_ser::bindings;
using bindings::Samples;
using edge_ser::Resampler;
using edge_ser::ResamplerOptions;
using Self = bindings::Stream<Resampler>;

namespace {

template <class Work>
py::array_t<float> outputs(std::size_t count, Work work) {
  py::array_t<float> result(static_cast<py::ssize_t>(count));
  const std::span<float> out = bindings::writable(result);
  py::gil_scoped_release release;
  work(out);
  return result;
}

}  // namespace

void bind_resampler(py::module_& m) {
  bindings::bind_options<ResamplerOptions>(m, "ResamplerOptions",
                                           "Rates and quality of a resampler.");
  py::options signatures;
  signatures.disable_function_signatures();
  const std::string array = "numpy.typing.NDArray[numpy.float32]";
  const std::string samples = "numpy.typing.NDArray[numpy.float32 | numpy.float64 | numpy.int16]";
  py::class_<Self> type(
      m, "Resampler",
      "Changes the sample rate of a stream or a clip by any rational factor.\n\n"
      "Polyphase windowed sinc (Kaiser, 1974) of linear phase and without delay: output ``n`` is "
      "the\nband-limited input at time ``n / target_rate``; a clip of n samples gives "
      "``ceil(n * target / source)``.\nWhat lies above the lower of the two Nyquist frequencies is "
      "at least 80 dB down with the default\noptions. Equal rates pass the samples through.");
  type.def(py::init([](const py::object& options, const std::string& simd) {
             if (!options.is_none() && !py::isinstance<ResamplerOptions>(options)) {
               throw py::type_error("options must be ResamplerOptions, not " +
                                    std::string(py::repr(options)));
             }
             return std::make_unique<Self>(options.is_none()
                                               ? ResamplerOptions{}
                                               : py::cast<const ResamplerOptions&>(options),
                                           edge_ser::simd_level_named(simd));
           }),
           py::arg("options") = py::none(), py::kw_only(), py::arg("simd") = "best",
           "__init__(self, options: ResamplerOptions | None = None, *, simd: str = 'best') -> None")
      .def(
          "accept",
          [](Self& self, const py::object& given) {
            const Samples input(given);
            const bindings::Exclusive guard(self.busy);
            return outputs(self.live.outputs_after(input.view().size()),
                           [&](std::span<float> out) { self.live.accept(input, out); });
          },
          py::arg("samples"),
          ("accept(self, samples: " + samples + ") -> " + array +
           "\n\nThe outputs ``[n]`` that these samples make computable; n may be 0.\n\nValueError "
           "if a sample is NaN or infinite (none is taken then), RuntimeError after `finish`.")
              .c_str())
      .def(
          "finish",
          [](Self& self) {
            const bindings::Exclusive guard(self.busy);
            return outputs(self.live.outputs_at_finish(),
                           [&](std::span<float> out) { self.live.finish(out); });
          },
          ("finish(self) -> " + array + "\n\nEnds the clip: the last outputs. Then call `reset`.")
              .c_str())
      .def(
          "reset",
          [](Self& self) {
            const bindings::Exclusive guard(self.busy);
            self.live.reset();
          },
          "reset(self) -> None\n\nForgets all samples; the next one is the first of a new clip.")
      .def(
          "compute",
          [](const Self& self, const py::object& given) {
            const Samples input(given);
            return outputs(self.pristine.outputs_in_clip(input.view().size()),
                           [&](std::span<float> out) { self.pristine.compute(input, out); });
          },
          py::arg("samples"),
          ("compute(self, samples: " + samples + ") -> " + array +
           "\n\nA whole clip, equal to the last bit to the stream. Leaves the stream alone; may "
           "run "
           "in many threads at once.")
              .c_str());
  bindings::bind_property(
      type, "options", [](const Self& self) { return self.pristine.options(); }, "ResamplerOptions",
      "What the resampler was made with.");
}
