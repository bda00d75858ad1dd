#include "pitch/pitch.h"

#include <algorithm>
#include <array>
#include <cstring>

#include "base/samples.h"
#include "bindings/arrays.h"
#include "bindings/module.h"
#include "bindings/options.h"
#include "pitch/evidence.h"

namespace py = pybind11;

namespace {

using edge_ser::Pitch;
using edge_ser::PitchOptions;
using edge_ser::bindings::make_frames;
using edge_ser::bindings::Samples;

// The first `count` rows; without a copy when the guess was right.
py::array_t<float> first_rows(const py::array_t<float>& rows, std::size_t count) {
  if (static_cast<std::size_t>(rows.shape(0)) == count) return rows;
  py::array_t<float> exact = make_frames(count, Pitch::kColumns);
  std::memcpy(exact.mutable_data(), rows.data(), count * Pitch::kColumns * sizeof(float));
  return exact;
}

py::array_t<float> accept(Pitch& self, const py::object& samples) {
  const Samples view(samples);
  py::array_t<float> rows = make_frames(Pitch::max_rows(view.view().size()), Pitch::kColumns);
  float* to = rows.mutable_data();
  std::size_t count = 0;
  {
    py::gil_scoped_release release;
    count = self.accept(view, to);
  }
  return first_rows(rows, count);
}

py::array_t<float> finish(Pitch& self) {
  py::array_t<float> rows = make_frames(Pitch::kMaxRowsAtFinish, Pitch::kColumns);
  float* to = rows.mutable_data();
  std::size_t count = 0;
  {
    py::gil_scoped_release release;
    count = self.finish(to);
  }
  return first_rows(rows, count);
}

py::array_t<float> compute(const Pitch& self, const py::object& samples) {
  const Samples view(samples);
  py::array_t<float> rows =
      make_frames(self.rows_in_clip(view.view().size()) + Pitch::kMaxRowsAtFinish, Pitch::kColumns);
  float* to = rows.mutable_data();
  std::size_t count = 0;
  {
    py::gil_scoped_release release;
    Pitch clip(self.options());
    count = clip.accept(view, to);
    count += clip.finish(to + count * Pitch::kColumns);
  }
  return first_rows(rows, count);
}

using Geometry = edge_ser::PitchGeometry;

// Features of every hop of a clip whose frame 0 is centred on its hop's evidence.
py::tuple pitch_evidence(const py::object& samples, int first_center) {
  const Samples view(samples);
  PitchOptions options;
  options.first_center = first_center;
  options.validate();
  edge_ser::check_finite(view.view());
  const std::span<const float> clip = view.view();
  const int first_end = (first_center + Geometry::kEvidenceDelay - 1) % Geometry::kHop + 1;
  const std::size_t hops = (clip.size() + 1600) / Geometry::kHop;
  py::array_t<float> rows = make_frames(hops, Geometry::kFeatures);
  float* to = rows.mutable_data();
  {
    py::gil_scoped_release release;
    edge_ser::PitchEvidence evidence;
    edge_ser::PitchEvidence::Features features;
    std::array<float, Geometry::kHop> hop;
    for (std::size_t h = 0; h < hops; ++h) {
      const std::int64_t begin = first_end + (static_cast<std::int64_t>(h) - 1) * Geometry::kHop;
      for (std::int64_t i = 0; i < Geometry::kHop; ++i) {
        const std::int64_t at = begin + i;
        hop[static_cast<std::size_t>(i)] =
            at >= 0 && at < static_cast<std::int64_t>(clip.size())
                ? std::clamp(clip[static_cast<std::size_t>(at)], -1e6f, 1e6f)
                : 0.0f;
      }
      evidence.process(hop.data(), features);
      std::copy(features.begin(), features.end(), to + h * Geometry::kFeatures);
    }
  }
  return py::make_tuple(rows,
                        (first_end - Geometry::kEvidenceDelay - first_center) / Geometry::kHop);
}

}  // namespace

void bind_pitch(py::module_& m) {
  edge_ser::bindings::bind_options<PitchOptions>(
      m, "PitchOptions", "Options of `Pitch`; its frames are 10 ms apart at 16 kHz.");

  py::options signatures;
  signatures.disable_function_signatures();
  const char* frames = " -> numpy.typing.NDArray[numpy.float32]\n\n";
  py::class_<Pitch>(
      m, "Pitch",
      "Pitch, voicing and harmonicity of 16 kHz speech, every 10 ms.\n\n"
      "Frames are float32 ``[n, 4]``:\n\n"
      "* 0: f0 in Hz where the voicing probability reaches ``voicing_threshold``, else 0\n"
      "* 1: f0 in Hz of the most likely path, voiced or not, within the limits of the options\n"
      "* 2: probability that the frame is voiced, 0 to 1, calibrated\n"
      "* 3: harmonics-to-noise ratio in dB, -20 to 40 (Boersma 1993), at the period of column 1\n\n"
      "Frame ``i`` is centred on sample ``first_center + 160 i`` and exists when at least\n"
      "``first_center`` samples follow its centre: the default 200 gives the frames of a 25 ms\n"
      "window. A frame's own analysis reads 30 ms either side of its centre, its path and voicing\n"
      "three more frames: it comes out 60 ms after its centre, or at `finish`.\n\n"
      "Samples are nominally within -1 to 1; beyond 1e6 they are clipped. No finite input gives\n"
      "NaN. One thread at a time; the GIL is released.")
      .def(py::init<const PitchOptions&>(), py::arg("options") = PitchOptions{},
           "__init__(self, options: PitchOptions = PitchOptions()) -> None")
      .def_property_readonly("options", &Pitch::options, "options(self) -> PitchOptions")
      .def_property_readonly_static(
          "dim", [](const py::object&) { return Pitch::kColumns; },
          "dim(self) -> int\n\nColumns of a frame: 4.")
      .def("accept", &accept, py::arg("samples"),
           (std::string("accept(self, samples: numpy.typing.NDArray[typing.Any])") + frames +
            "Frames that became complete. ValueError for NaN or infinity, RuntimeError after "
            "`finish`; the stream is unchanged by either.")
               .c_str())
      .def("finish", &finish,
           (std::string("finish(self)") + frames +
            "The last frames, with silence taken for what follows the end.")
               .c_str())
      .def("reset", &Pitch::reset, "reset(self) -> None\n\nStarts a new stream.")
      .def("compute", &compute, py::arg("samples"),
           (std::string("compute(self, samples: numpy.typing.NDArray[typing.Any])") + frames +
            "Frames of a whole clip; does not touch the stream.")
               .c_str());
  m.def(
      "pitch_evidence", &pitch_evidence, py::arg("samples"), py::arg("first_center") = 200,
      "pitch_evidence(samples: numpy.typing.NDArray[typing.Any], first_center: int = 200) -> "
      "tuple[numpy.typing.NDArray[numpy.float32], int]\n\n"
      "What the tracker's scorer sees, for fitting it: the features ``[hops, dim]`` of every hop\n"
      "of a clip, with silence around it, and the (negative) frame number of the first row.");
}
