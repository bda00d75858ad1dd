// Binds a framed kernel: constructor from its options, accept, finish, reset, compute.
#pragma once

#include <pybind11/pybind11.h>

#include <atomic>
#include <stdexcept>
#include <string>

#include "bindings/arrays.h"
#include "bindings/options.h"
#include "simd/simd.h"

namespace edge_ser::bindings {

/// Marks a stream as busy; a second thread gets an error instead of a data race.
class Exclusive {
 public:
  explicit Exclusive(std::atomic<bool>& busy) : busy_(busy) {
    if (busy_.exchange(true, std::memory_order_acquire)) {
      throw std::runtime_error(
          "this stream is used by two threads at once; give each thread its own, or lock it");
    }
  }
  ~Exclusive() { busy_.store(false, std::memory_order_release); }
  Exclusive(const Exclusive&) = delete;
  Exclusive& operator=(const Exclusive&) = delete;

 private:
  std::atomic<bool>& busy_;
};

/// A kernel as Python sees it: one stream, and an untouched copy for whole clips, which therefore
/// may be computed in many threads whatever the stream does.
template <class Kernel>
struct Stream {
  Stream(const typename Kernel::Options& options, SimdLevel level)
      : pristine(options, level), live(pristine), simd(level) {}

  const Kernel pristine;
  Kernel live;
  SimdLevel simd;
  std::atomic<bool> busy{false};
};

template <class Kernel>
py::class_<Stream<Kernel>> bind_frame_kernel(py::module_& m, const char* name,
                                             const std::string& doc) {
  using Self = Stream<Kernel>;
  using Options = typename Kernel::Options;
  const std::string frames_type = "numpy.typing.NDArray[numpy.float32]";
  const std::string samples_type =
      "numpy.typing.NDArray[numpy.float32 | numpy.float64 | numpy.int16]";
  const std::string options_type = options_name<Options>;
  py::options signatures;
  signatures.disable_function_signatures();

  py::class_<Self> type(m, name, doc.c_str());
  type.def(py::init([](const py::object& options, const std::string& simd) {
             if (!options.is_none() && !py::isinstance<Options>(options)) {
               throw py::type_error("options must be a " + options_name<Options> + ", not " +
                                    std::string(py::repr(options)));
             }
             return std::make_unique<Self>(
                 options.is_none() ? Options{} : py::cast<const Options&>(options),
                 simd_level_named(simd));
           }),
           py::arg("options") = py::none(), py::kw_only(), py::arg("simd") = "best",
           ("__init__(self, options: " + options_type +
            " | None = None, *, simd: str = 'best') -> None\n\n``simd`` picks the instruction set "
            "(see `simd_levels`); results of two sets differ by rounding.")
               .c_str());
  bind_property(
      type, "options", [](const Self& self) { return self.pristine.options(); }, options_type,
      "What the kernel was made with.");
  bind_property(
      type, "dim", [](const Self& self) { return self.pristine.dim(); }, "int",
      "Features of a frame.");
  type.def(
      "accept",
      [](Self& self, const py::object& samples) {
        const Samples input(samples);
        const Exclusive guard(self.busy);
        auto frames = make_frames(self.live.frames_after(input.view().size()), self.live.dim());
        const std::span<float> out = writable(frames);
        {
          py::gil_scoped_release release;
          self.live.accept(input, out);
        }
        return frames;
      },
      py::arg("samples"),
      ("accept(self, samples: " + samples_type + ") -> " + frames_type +
       "\n\nThe frames ``[n, dim]`` that these samples complete; n may be 0.\n\nValueError if a "
       "sample is NaN or infinite (none is taken then), RuntimeError after `finish`.")
          .c_str());
  type.def(
      "finish",
      [](Self& self) {
        const Exclusive guard(self.busy);
        auto frames = make_frames(self.live.frames_at_finish(), self.live.dim());
        const std::span<float> out = writable(frames);
        {
          py::gil_scoped_release release;
          self.live.finish(out);
        }
        return frames;
      },
      ("finish(self) -> " + frames_type +
       "\n\nEnds the clip: the frames ``[n, dim]`` that reach over its end. Then call `reset`.")
          .c_str());
  type.def(
      "reset",
      [](Self& self) {
        const Exclusive guard(self.busy);
        self.live.reset();
      },
      "reset(self) -> None\n\nForgets all samples; the next one is the first of a new clip.");
  type.def(
      "compute",
      [](const Self& self, const py::object& samples) {
        const Samples input(samples);
        auto frames =
            make_frames(self.pristine.frames_in_clip(input.view().size()), self.pristine.dim());
        const std::span<float> out = writable(frames);
        {
          py::gil_scoped_release release;
          self.pristine.compute(input, out);
        }
        return frames;
      },
      py::arg("samples"),
      ("compute(self, samples: " + samples_type + ") -> " + frames_type +
       "\n\nThe frames ``[n, dim]`` of a whole clip, equal to the last bit to what `accept` and "
       "`finish` give. Leaves the stream alone; may run in many threads at once.")
          .c_str());
  return type;
}

}  // namespace edge_ser::bindings
