"""Which int8 form a graph gets: what is near enough to the float graph, and then what is fastest.

For TensorRT there is one form. On a CPU there are four that can win: static Q/DQ (long sequences),
dynamic products (short sequences, activations with outliers), static convolutions beside dynamic
products, or none at all (small depthwise convolutions run slower in int8 on processors without
VNNI). So they are measured.
"""

from __future__ import annotations

import statistics
import tempfile
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

import onnx

from edge_ser.errors import ConfigError
from edge_ser.export.precision import int8_onnxruntime, int8_tensorrt
from edge_ser.export.precision.accuracy import Sample, cpu_milliseconds, difference
from edge_ser.export.precision.int8_embeddings import to_int8_embeddings
from edge_ser.export.precision.lint import Target
from edge_ser.export.precision.onnx_graph import load_model
from edge_ser.export.precision.ranges import Method, Range, measure_ranges
from edge_ser.export.precision.sensitivity import LayerSensitivity, QuantizePass, layers_to_leave
from edge_ser.export.weight_storage import quantize_dynamic

_WORTHWHILE: Final = 1.05
"""An int8 form must be this much faster than float, or the graph stays float."""

_FEW: Final = 8

_PASSES: Final[Mapping[Target, tuple[Callable[[onnx.ModelProto], list[str]], QuantizePass]]] = {
    "tensorrt": (int8_tensorrt.activations_of, int8_tensorrt.to_int8_tensorrt),
    "onnxruntime": (int8_onnxruntime.activations_of, int8_onnxruntime.to_int8_onnxruntime),
}


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
    """

    model: onnx.ModelProto
    left: tuple[str, ...]
    table: tuple[LayerSensitivity, ...] = ()


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
    few = samples[:: max(1, len(samples) // _FEW)]
    if target == "tensorrt":
        return _static(name, model, ranges, target, samples, few, calibrated, options)
    small = to_int8_embeddings(model)
    found = [Int8Graph(small, tuple(n.name for n in int8_tensorrt.quantisable_layers(model)))]
    if calibrated or ranges:
        static = _static(name, model, ranges, target, samples, few, calibrated, options)
        found.append(Int8Graph(to_int8_embeddings(static.model), static.left, static.table))
        if options.everything:
            return found[-1]
        found += _static_convolutions(name, model, ranges, samples, few, calibrated, options)
    dynamic = _dynamic(model, options.exclude)
    if dynamic is not None:
        found.append(dynamic)
    if len(found) == 1 and int8_tensorrt.quantisable_layers(model):
        raise _no_ranges(name)
    near = [
        graph
        for graph in found[1:]
        if difference(model, graph.model, few).relative <= options.limit
    ]
    times = cpu_milliseconds([found[0].model, *(graph.model for graph in near)], few[-2:])
    medians = [statistics.median(of_graph) for of_graph in times]
    best = min(range(len(medians)), key=medians.__getitem__)
    if best == 0 or medians[0] < _WORTHWHILE * medians[best]:
        return found[0]
    return near[best - 1]


def _static(
    name: str,
    model: onnx.ModelProto,
    carried: Mapping[str, Range],
    target: Target,
    samples: Sequence[Sample],
    few: Sequence[Sample],
    calibrated: bool,
    options: Int8Options,
) -> Int8Graph:
    activations_of, quantize = _PASSES[target]
    needed = activations_of(model)
    if not needed:
        return Int8Graph(model, ())
    left = list(options.exclude)
    if not calibrated:
        if not carried:
            raise _no_ranges(name)
        # Layers without a range were left in float in the source because they are sensitive.
        layers = int8_tensorrt.quantisable_layers(model)
        left += [n.name for n in layers if n.input[0] not in carried and n.name not in left]
        return Int8Graph(quantize(model, carried, left), tuple(left))
    ranges = measure_ranges(model, samples, needed, options.method)

    def leaving(
        graph: onnx.ModelProto, found: Mapping[str, Range], more: Collection[str]
    ) -> onnx.ModelProto:
        return quantize(graph, found, sorted({*options.exclude, *more}))

    worst, table = layers_to_leave(
        model, ranges, few, leaving, options.limit, always=options.sensitivity
    )
    left += [layer for layer in worst if layer not in left]
    return Int8Graph(quantize(model, ranges, left), tuple(left), tuple(table))


def _static_convolutions(
    name: str,
    model: onnx.ModelProto,
    ranges: Mapping[str, Range],
    samples: Sequence[Sample],
    few: Sequence[Sample],
    calibrated: bool,
    options: Int8Options,
) -> list[Int8Graph]:
    """Static Q/DQ around convolutions alone, with dynamic products; none where one is missing."""
    layers = int8_tensorrt.quantisable_layers(model)
    products = [n.name for n in layers if n.op_type != "Conv"]
    if len(products) in (0, len(layers)):
        return []
    outside = tuple(dict.fromkeys((*options.exclude, *products)))
    without = replace(options, exclude=outside, sensitivity=False)
    static = _static(name, model, ranges, "onnxruntime", samples, few, calibrated, without)
    both = _dynamic(static.model, options.exclude)
    if both is None or len(static.left) == len(layers):
        return []
    left = tuple(n for n in static.left if n not in products or n in both.left)
    return [Int8Graph(both.model, left)]


def _dynamic(model: onnx.ModelProto, exclude: Sequence[str]) -> Int8Graph | None:
    layers = int8_tensorrt.quantisable_layers(model)
    products = [n.name for n in layers if n.op_type == "MatMul" and n.name not in exclude]
    if not products:
        return None
    with tempfile.TemporaryDirectory(prefix="edge-ser-") as folder:
        source, result = Path(folder) / "float.onnx", Path(folder) / "int8.onnx"
        onnx.save(model, str(source))
        matmuls = {n.name for n in model.graph.node if n.op_type == "MatMul"}
        quantize_dynamic(source, result, exclude=sorted(matmuls - set(products)))
        left = tuple(n.name for n in layers if n.name not in products)
        return Int8Graph(load_model(result), left)


def _no_ranges(name: str) -> ConfigError:
    return ConfigError(
        f"graph {name!r}: int8 needs the ranges of its activations, and the bundle's graph "
        "carries none; give a folder of calibration clips with --calibration"
    )
