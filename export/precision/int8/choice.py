"""Which int8 form a graph gets: what is near enough to the float graph, and then what is fastest.

For TensorRT there is one form. On a CPU there are four that can win: static Q/DQ (long sequences),
dynamic products (short sequences, activations with outliers), static convolutions beside dynamic
products, or none at all (small depthwise convolutions run slower in int8 on processors without
VNNI). So they are measured.
"""

from __future__ import annotations

import statistics
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Final

import onnx

from edge_ser.errors import ConfigError
from edge_ser.export.graphs.onnx_graph import load_model
from edge_ser.export.precision.difference import Sample, cpu_milliseconds, difference
from edge_ser.export.precision.int8 import onnxruntime_pass, tensorrt_pass
from edge_ser.export.precision.int8.embeddings import to_int8_embeddings
from edge_ser.export.precision.int8.ranges import Method, Range, measure_ranges
from edge_ser.export.precision.int8.sensitivity import (
    LayerSensitivity,
    QuantizePass,
    layers_to_leave,
)
from edge_ser.export.precision.lint.rules import Target
from edge_ser.export.precision.weight_storage import quantize_dynamic
from edge_ser.files import temporary_folder

_WORTHWHILE: Final = 1.05
"""An int8 form must be this much faster than float, or the graph stays float."""

_FEW: Final = 8

_PASSES: Final[Mapping[Target, QuantizePass]] = {
    "tensorrt": tensorrt_pass.to_int8_tensorrt,
    "onnxruntime": onnxruntime_pass.to_int8_onnxruntime,
}


def activations_of(model: onnx.ModelProto) -> list[str]:
    """Every tensor whose range a pass for any target may need.

    All are measured whatever the target is: a bundle carries them to where there are no clips.
    """
    both = (*tensorrt_pass.activations_of(model), *onnxruntime_pass.activations_of(model))
    return list(dict.fromkeys(both))


@dataclass(frozen=True)
class Int8Options:
    """How a graph is quantised.

    Attributes:
        method: how ranges are picked from real samples.
        exclude: layers to leave in float whatever is measured.
        limit: error of the whole graph above which its worst layers stay in float.
        sensitivity: whether to measure every layer also where none must be left.
        everything: on a CPU, whether to take the static form of every graph without asking what
            is faster here, for instance for processors that this one is not like.
    """

    method: Method
    exclude: tuple[str, ...]
    limit: float
    sensitivity: bool
    everything: bool = False


@dataclass(frozen=True)
class Int8Graph:
    """What became of a graph.

    Attributes:
        model: quantised, or float where that is better.
        left: quantisable layers that stay in float.
        table: of the layers' sensitivity, where it was measured.
        ranges: of the activations, as measured or carried.
    """

    model: onnx.ModelProto
    left: tuple[str, ...]
    table: tuple[LayerSensitivity, ...] = ()
    ranges: Mapping[str, Range] = field(default_factory=dict)


def to_int8(
    name: str,
    model: onnx.ModelProto,
    ranges: Mapping[str, Range],
    target: Target,
    samples: Sequence[Sample],
    calibrated: bool,
    options: Int8Options,
) -> Int8Graph:
    """Quantise a float graph in the form that suits it.

    Args:
        name: of the graph, for messages.
        model: a prepared float graph.
        ranges: that its source carried; used where `calibrated` is false.
        target: the kind of backend.
        samples: real ones, or probes.
        calibrated: whether they are real.
        options: see `Int8Options`.

    Raises:
        ConfigError: no ranges can be had, or an unknown layer.
        EngineError: a pass fails.
    """
    choice = _Choice(name, model, target, samples, calibrated, options, ranges)
    best = choice.for_cpu() if target == "onnxruntime" else choice.static(search=True)
    return replace(best, ranges=choice.ranges)


class _Choice:
    def __init__(
        self,
        name: str,
        model: onnx.ModelProto,
        target: Target,
        samples: Sequence[Sample],
        calibrated: bool,
        options: Int8Options,
        carried: Mapping[str, Range],
    ) -> None:
        self.name, self.model, self.options, self.calibrated = name, model, options, calibrated
        self.few = samples[:: max(1, len(samples) // _FEW)]
        self.layers = tensorrt_pass.quantisable_layers(model)
        self.quantize = _PASSES[target]
        needed = activations_of(model)
        self.ranges = dict(carried)
        if calibrated and needed:
            self.ranges |= measure_ranges(model, samples, needed, options.method)

    def for_cpu(self) -> Int8Graph:
        """The fastest here of the forms that are near enough; float if none is faster."""
        small = Int8Graph(to_int8_embeddings(self.model), tuple(n.name for n in self.layers))
        if self.options.everything:
            return self._with_small_tables(self.static(search=True))
        found = [form for form in (self._mixed(), self._dynamic(self.model)) if form is not None]
        if self.ranges and self.layers:
            # Layer by layer it is searched only where no other form will do: that takes minutes.
            alone = not any(self._is_near(form) for form in found)
            search = alone or self.options.sensitivity
            found.append(self._with_small_tables(self.static(search=search)))
        if not found and self.layers:
            raise _no_ranges(self.name)
        near = [form for form in found if self._is_near(form)]
        models = [small.model, *(form.model for form in near)]
        medians = [statistics.median(t) for t in cpu_milliseconds(models, self.few[-2:])]
        best = min(range(len(medians)), key=medians.__getitem__)
        if best == 0 or medians[0] < _WORTHWHILE * medians[best]:
            return small
        return near[best - 1]

    def static(self, *, search: bool, outside: Collection[str] = ()) -> Int8Graph:
        """Q/DQ around every layer but the excluded, those `outside`, and the too sensitive."""
        if not self.layers:
            return Int8Graph(self.model, ())
        if not self.ranges:
            raise _no_ranges(self.name)
        left = list(dict.fromkeys((*self.options.exclude, *outside)))
        if not self.calibrated:
            # Layers without a range were left in float in the source because they are sensitive.
            left += [n.name for n in self.layers if n.input[0] not in self.ranges]
            left = list(dict.fromkeys(left))
        # Without clips, probes tell which layers are too sensitive: the source may have carried
        # ranges of layers that its own form of int8 did not use them for.
        table: Sequence[LayerSensitivity] = ()
        if search:

            def leaving(
                graph: onnx.ModelProto, ranges: Mapping[str, Range], more: Collection[str]
            ) -> onnx.ModelProto:
                return self.quantize(graph, ranges, sorted({*left, *more}))

            always, limit = self.options.sensitivity, self.options.limit
            worst, table = layers_to_leave(
                self.model, self.ranges, self.few, leaving, limit, always=always
            )
            left += [layer for layer in worst if layer not in left]
        return Int8Graph(self.quantize(self.model, self.ranges, left), tuple(left), tuple(table))

    def _mixed(self) -> Int8Graph | None:
        """Static convolutions beside dynamic products, where there are both."""
        products = [n.name for n in self.layers if n.op_type != "Conv"]
        if not self.ranges or len(products) in (0, len(self.layers)):
            return None
        static = self.static(search=False, outside=products)
        return self._dynamic(static.model, [n for n in static.left if n not in products])

    def _dynamic(
        self, model: onnx.ModelProto, left: Sequence[str] | None = None
    ) -> Int8Graph | None:
        """Products whose activations are quantised while the graph runs."""
        exclude = self.options.exclude
        kinds = {n.name: n.op_type for n in self.layers}
        products = [n for n, kind in kinds.items() if kind == "MatMul" and n not in exclude]
        if not products:
            return None
        if left is None:
            left = [n for n, kind in kinds.items() if kind == "Conv"]
        with temporary_folder() as folder:
            source, result = folder / "float.onnx", folder / "int8.onnx"
            onnx.save(model, str(source))
            matmuls = {n.name for n in model.graph.node if n.op_type == "MatMul"}
            quantize_dynamic(source, result, exclude=sorted(matmuls - set(products)))
            others = [n for n, kind in kinds.items() if kind != "Conv" and n not in products]
            return Int8Graph(load_model(result), tuple(dict.fromkeys((*left, *others))))

    def _is_near(self, form: Int8Graph) -> bool:
        return difference(self.model, form.model, self.few).relative <= self.options.limit

    @staticmethod
    def _with_small_tables(form: Int8Graph) -> Int8Graph:
        return replace(form, model=to_int8_embeddings(form.model))


def _no_ranges(name: str) -> ConfigError:
    return ConfigError(
        f"graph {name!r}: int8 needs the ranges of its activations, and the bundle's graph "
        "carries none; give a folder of calibration clips with --calibration"
    )
