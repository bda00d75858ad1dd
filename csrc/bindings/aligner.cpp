#include "alignment/aligner.h"

#include <pybind11/numpy.h>
#include <pybind11/stl.h>

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "bindings/module.h"
#include "bindings/options.h"

namespace py = pybind11;
using namespace edge_ser;
using edge_ser::bindings::bind_property;

namespace {

using Rows = py::array_t<float, py::array::c_style | py::array::forcecast>;

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
Rows rows_from(const py::object& object, const SourceOptions& source) {
  if (source.kind != SourceKind::kFrames) {
    throw py::value_error("source '" + source.name + "' holds intervals, not frames");
  }
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
                      array.shape(array.ndim() - 1) == static_cast<py::ssize_t>(source.dim);
  if (!shaped) {
    throw py::value_error("rows of '" + source.name + "' must have shape [n, " +
                          std::to_string(source.dim) + "], not " +
                          std::string(py::str(array.attr("shape"))));
  }
  Rows rows = Rows::ensure(array);
  if (!rows) throw py::error_already_set();
  return rows;
}

/// One source's part of a window.
struct AlignedSource {
  py::array values;
  py::array_t<bool> mask;
  WindowSummary summary;
};

struct AlignedWindow {
  py::array_t<std::int64_t> times;
  py::dict sources;  // in the order of the aligner's
};

py::object used(const WindowSummary& summary, std::int64_t time) {
  return summary.covered > 0 ? py::object(py::int_(time)) : py::object(py::none());
}

AlignedWindow window_of(Aligner& aligner, const py::object& end, const py::object& frame_count) {
  const std::int64_t until = ticks("end", end), frames = ticks("frames", frame_count);
  constexpr std::int64_t kMost = std::int64_t{1} << 24;
  if (frames < 1 || frames > kMost) {
    throw py::value_error("frames is " + std::to_string(frames) + "; it must lie in 1.." +
                          std::to_string(kMost));
  }
  const auto length = static_cast<std::size_t>(frames);
  const std::vector<SourceOptions>& sources = aligner.sources();
  AlignedWindow window{py::array_t<std::int64_t>(frames), py::dict()};
  std::vector<AlignedSource> parts(sources.size());
  std::vector<WindowSlot> slots(sources.size());
  std::vector<WindowSummary> summaries(sources.size());
  for (std::size_t i = 0; i < sources.size(); ++i) {
    parts[i].mask = py::array_t<bool>(frames);
    static_assert(sizeof(bool) == 1);
    slots[i].mask = {reinterpret_cast<std::uint8_t*>(parts[i].mask.mutable_data()), length};
    if (sources[i].kind == SourceKind::kFrames) {
      py::array_t<float> values({frames, sources[i].dim});
      slots[i].values = {values.mutable_data(), static_cast<std::size_t>(values.size())};
      parts[i].values = values;
    } else {
      py::array_t<std::int64_t> labels(frames);
      slots[i].labels = {labels.mutable_data(), length};
      parts[i].values = labels;
    }
  }
  const std::span<std::int64_t> times{window.times.mutable_data(), length};
  {
    py::gil_scoped_release release;
    aligner.window(until, length, slots, summaries, times);
  }
  for (std::size_t i = 0; i < sources.size(); ++i) {
    parts[i].summary = summaries[i];
    window.sources[py::str(sources[i].name)] = py::cast(std::move(parts[i]));
  }
  return window;
}

void bind_counters(py::module_& m) {
  py::class_<SourceCounters> type(m, "SourceCounters",
                                  "What became of everything a source pushed, since construction "
                                  "or `reset`. Rows (intervals),\n"
                                  "if not said otherwise. Read-only.");
  const auto field = [&type](const char* name, std::uint64_t SourceCounters::* member,
                             const char* meaning) {
    bind_property(
        type, name, [member](const SourceCounters& self) { return self.*member; }, "int", meaning);
  };
  field("pushed", &SourceCounters::pushed, "All that came.");
  field("stored", &SourceCounters::stored, "All that was kept.");
  field("late", &SourceCounters::late, "Came later than the lateness, or than is kept.");
  field("early", &SourceCounters::early, "Stamped implausibly far ahead of the other sources.");
  field("duplicate", &SourceCounters::duplicate, "Their place was taken; the first is kept.");
  field("non_finite", &SourceCounters::non_finite, "Held NaN or infinity; masked in windows.");
  field("missing", &SourceCounters::missing,
        "Places that stayed empty, as counter and capture times tell.");
  field("steps", &SourceCounters::steps,
        "Lasting steps of capture time against counter: lost buffers, pauses.");
  field("restarts", &SourceCounters::restarts, "Times the counter began anew.");
  field("clock_jumps", &SourceCounters::clock_jumps,
        "Times the clock of the capture times was set back.");
  type.def(
      "__eq__",
      [](const SourceCounters& self, const py::object& other) {
        return py::isinstance<SourceCounters>(other) && self == py::cast<SourceCounters>(other);
      },
      py::arg("other"), "__eq__(self, other: object) -> bool");
  type.attr("__hash__") = py::none();
  type.def(
      "as_dict",
      [](const SourceCounters& self) {
        py::dict dict;
        const py::object object = py::cast(self);
        for (const char* name : {"pushed", "stored", "late", "early", "duplicate", "non_finite",
                                 "missing", "steps", "restarts", "clock_jumps"}) {
          dict[name] = object.attr(name);
        }
        return dict;
      },
      "as_dict(self) -> dict[str, int]\n\nEvery counter, ready for JSON.");
  type.def(
      "__repr__",
      [](const py::object& self) {
        std::string text;
        for (const auto& [name, count] : py::cast<py::dict>(self.attr("as_dict")())) {
          text.append(text.empty() ? "" : ", ").append(py::cast<std::string>(name));
          text.append("=").append(py::cast<std::string>(py::str(count)));
        }
        return "SourceCounters(" + text + ")";
      },
      "__repr__(self) -> str");
}

void bind_estimate(py::module_& m) {
  py::class_<ClockEstimate> type(m, "ClockEstimate",
                                 "A source's clock against the media clock. Read-only.");
  const auto field = [&type](const char* name, const char* kind, auto member, const char* meaning) {
    bind_property(
        type, name, [member](const ClockEstimate& self) { return self.*member; }, kind, meaning);
  };
  field("drift_ppm", "float", &ClockEstimate::drift_ppm,
        "How much longer a second by its counter lasts than a media second.");
  field("drift_sd_ppm", "float", &ClockEstimate::drift_sd_ppm,
        "One standard deviation of the drift, as far as jitter is independent.");
  field("jitter", "float", &ClockEstimate::jitter,
        "Scale of the capture times' noise, in media ticks.");
  field("position", "int", &ClockEstimate::position, "The newest position on its counter.");
  field("time", "int", &ClockEstimate::time, "The media time of that position: the offset.");
  field("observations", "int", &ClockEstimate::observations,
        "Capture times that the estimate rests on.");
  type.def(
      "__repr__",
      [](const ClockEstimate& self) {
        return "ClockEstimate(drift_ppm=" + std::to_string(self.drift_ppm) +
               ", drift_sd_ppm=" + std::to_string(self.drift_sd_ppm) +
               ", jitter=" + std::to_string(self.jitter) +
               ", position=" + std::to_string(self.position) +
               ", time=" + std::to_string(self.time) +
               ", observations=" + std::to_string(self.observations) + ")";
      },
      "__repr__(self) -> str");
}

void bind_window(py::module_& m) {
  py::class_<AlignedSource> source(m, "AlignedSource", "One source's part of an `AlignedWindow`.");
  bind_property(
      source, "values", [](const AlignedSource& self) { return self.values; },
      "numpy.typing.NDArray[typing.Any]",
      "Frames: float32 [frames, dim], 0 where masked. Intervals: the labels, int64 [frames], -1 "
      "where there is none.");
  bind_property(
      source, "mask", [](const AlignedSource& self) { return self.mask; },
      "numpy.typing.NDArray[numpy.bool_]", "[frames]: True where there is data.");
  bind_property(
      source, "largest_gap", [](const AlignedSource& self) { return self.summary.largest_gap; },
      "int", "The longest run of masked frames, in media ticks.");
  bind_property(
      source, "covered", [](const AlignedSource& self) { return self.summary.covered; }, "int",
      "How many frames are not masked.");
  bind_property(
      source, "oldest",
      [](const AlignedSource& self) { return used(self.summary, self.summary.oldest); },
      "int | None",
      "Media time of the oldest row (start of the first interval) used; None if there is none.");
  bind_property(
      source, "newest",
      [](const AlignedSource& self) { return used(self.summary, self.summary.newest); },
      "int | None",
      "Media time of the newest row (end of the last interval) used; None if there is none.");
  py::class_<AlignedWindow> window(
      m, "AlignedWindow", "All sources on one grid of frames, as they were at one moment.");
  bind_property(
      window, "times", [](const AlignedWindow& self) { return self.times; },
      "numpy.typing.NDArray[numpy.int64]", "[frames]: media times in ticks.");
  bind_property(
      window, "names", [](const AlignedWindow& self) { return py::tuple(self.sources); },
      "tuple[str, ...]", "The sources, in the aligner's order.");
  window.def(
      "__getitem__",
      [](const AlignedWindow& self, const std::string& name) -> py::object {
        if (!self.sources.contains(name)) throw py::key_error("no source '" + name + "'");
        return self.sources[py::str(name)];
      },
      py::arg("name"), "__getitem__(self, name: str) -> AlignedSource");
}

constexpr const char* kAlignerDoc =
    "Sound, picture and word features on one grid of frames, whatever their clocks did.\n\n"
    "Keeps the recent past of several sources and cuts windows of equal length from it. Times are\n"
    "integers in ticks of the media clock (`AlignerOptions.rate` a second, on the clock of the\n"
    "capture times); positions are integers in ticks of a source's own counter, whose drift, "
    "losses,\n"
    "pauses and restarts are found by comparing both. Integers may be as large as 2^62.\n\n"
    "* Order of arrival within a source's lateness changes nothing.\n"
    "* Lost buffers are gaps: masked frames, never shifted data. A loss that the counter does not\n"
    "  show is found from the capture times after 6 to 24 pushes and dated back.\n"
    "* A row with NaN or infinity is left out, counted and masked; no window holds NaN.\n"
    "* If the clock of the capture times is set back, the media clock goes on; set forward, it\n"
    "  leaves a gap of that length in every source.\n\n"
    "Every method may be called from any thread at any time; the GIL is released while it works.\n"
    "Memory is fixed at construction. A value that makes no sense is a ValueError, a wrong type a\n"
    "TypeError; neither changes anything.";

}  // namespace

void bind_aligner(py::module_& m) {
  bindings::bind_options<SourceOptions>(
      m, "SourceOptions",
      "One source of an `Aligner`. Times are in media ticks where not said "
      "otherwise.");
  bindings::bind_options<AlignerOptions>(m, "AlignerOptions",
                                         "The media clock and the grid of an `Aligner`.");
  py::options signatures;
  signatures.disable_function_signatures();
  bind_counters(m);
  bind_estimate(m);
  bind_window(m);
  using Release = py::call_guard<py::gil_scoped_release>;
  py::class_<Aligner> type(m, "Aligner", kAlignerDoc);
  bind_property(
      type, "options", [](const Aligner& self) { return self.options(); }, "AlignerOptions",
      "What it was built with.");
  bind_property(
      type, "sources", [](const Aligner& self) { return self.sources(); }, "list[SourceOptions]",
      "What it was built with.");
  type.def(py::init<const AlignerOptions&, const std::vector<SourceOptions>&>(), py::arg("options"),
           py::arg("sources"),
           "__init__(self, options: AlignerOptions, sources: "
           "collections.abc.Sequence[SourceOptions])"
           " -> None")
      .def(
          "push_frames",
          [](Aligner& self, const std::string& source, const py::object& rows,
             const py::object& capture_time, const py::object& position) {
            const std::size_t index = self.source(source);
            const Rows array = rows_from(rows, self.sources()[index]);
            const std::int64_t time = ticks("capture_time", capture_time);
            std::optional<std::int64_t> place;
            if (!position.is_none()) place = ticks("position", position);
            const std::span<const float> view(array.data(), static_cast<std::size_t>(array.size()));
            py::gil_scoped_release release;
            return self.push_frames(index, place, time, view);
          },
          py::arg("source"), py::arg("rows"), py::arg("capture_time"),
          py::arg("position") = py::none(),
          "push_frames(self, source: str, rows: numpy.typing.NDArray[typing.Any], capture_time: "
          "int,"
          " position: int | None = None) -> int\n\n"
          "Adds rows, float32 or float64 [n, dim] (or one row, [dim]); returns how many were "
          "stored.\n\n`capture_time`: when the first row was captured, in media ticks. `position`: "
          "the first row on the\nsource's counter; None: it follows on from the push before. A "
          "source without a counter takes\nnone.")
      .def(
          "push_interval",
          [](Aligner& self, const std::string& source, const py::object& start,
             const py::object& end, const py::object& label) {
            const std::size_t index = self.source(source);
            const std::int64_t from = ticks("start", start), to = ticks("end", end);
            const std::int64_t number = ticks("label", label);
            py::gil_scoped_release release;
            return self.push_interval(index, from, to, number);
          },
          py::arg("source"), py::arg("start"), py::arg("end"), py::arg("label"),
          "push_interval(self, source: str, start: int, end: int, label: int) -> bool\n\n"
          "Adds a label (0 or greater) for [start, end) on the clock the source follows; returns "
          "whether\nit was stored. Where intervals overlap, the one that started later shows.")
      .def(
          "erase_intervals",
          [](Aligner& self, const std::string& source, const py::object& start) {
            const std::size_t index = self.source(source);
            const std::int64_t from = ticks("start", start);
            py::gil_scoped_release release;
            self.erase_intervals(index, from);
          },
          py::arg("source"), py::arg("start"),
          "erase_intervals(self, source: str, start: int) -> None\n\n"
          "Removes the intervals that start at or after `start`: a transcript is being revised.")
      .def(
          "restart",
          [](Aligner& self, const std::string& source) { self.restart(self.source(source)); },
          py::arg("source"), Release(),
          "restart(self, source: str) -> None\n\n"
          "The device was opened anew: the next push begins a new count. Needed only if the "
          "counter\n"
          "goes on as if nothing had happened; one that falls back to 0 is noticed.")
      .def("window", &window_of, py::arg("end"), py::arg("frames"),
           "window(self, end: int, frames: int) -> AlignedWindow\n\n"
           "The frames before media time `end`: frame k stands for end - (frames - k) * "
           "frame_period.\nWith a reference source the grid is moved, by at most half a period, "
           "onto "
           "its frames.")
      .def(
          "newest",
          [](Aligner& self, const std::string& source) { return self.newest(self.source(source)); },
          py::arg("source"), Release(),
          "newest(self, source: str) -> int | None\n\n"
          "Media time of the newest row or interval end; None before the first.")
      .def(
          "media_time",
          [](Aligner& self, const std::string& source, const py::object& position) {
            const std::size_t index = self.source(source);
            const std::int64_t place = ticks("position", position);
            py::gil_scoped_release release;
            return self.media_time(index, place);
          },
          py::arg("source"), py::arg("position"),
          "media_time(self, source: str, position: int) -> int | None\n\n"
          "Media time of a position on the source's present counter; None before its first push.")
      .def(
          "clock",
          [](Aligner& self, const std::string& source) { return self.clock(self.source(source)); },
          py::arg("source"), Release(),
          "clock(self, source: str) -> ClockEstimate | None\n\n"
          "Drift and offset; None for a source without a counter and before the first push.")
      .def(
          "counters",
          [](const Aligner& self, const std::string& source) {
            return self.counters(self.source(source));
          },
          py::arg("source"), Release(), "counters(self, source: str) -> SourceCounters")
      .def("reset", &Aligner::reset, Release(),
           "reset(self) -> None\n\nForgets everything but the options.");
}
