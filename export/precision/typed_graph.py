"""From a bundle's graph to the graph that a backend gets: precision written in, linted."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal

import onnx

from edge_ser.errors import ConfigError
from edge_ser.export.precision import int8_onnxruntime, int8_tensorrt
from edge_ser.export.precision.accuracy import Difference, Sample, difference
from edge_ser.export.precision.dequantize import dequantized, is_quantised
from edge_ser.export.precision.fp16 import to_fp16
from edge_ser.export.precision.int8_embeddings import to_int8_embeddings
from edge_ser.export.precision.lint import Finding, Target, require_clean
from edge_ser.export.precision.onnx_graph import load_model, prepared
from edge_ser.export.precision.ranges import Method, Range, measure_ranges
from edge_ser.export.precision.sensitivity import LayerSensitivity, QuantizePass, layers_to_leave

Precision = Literal["fp32", "fp16", "int8", "mixed"]

SENSITIVITY_LIMIT: Final = 0.1
"""Root mean square error of an int8 graph's outputs, over their own, above which its worst layers
stay in float."""

_SENSITIVITY_SAMPLES: Final = 8

_PASSES: Final[Mapping[Target, tuple[Callable[[onnx.ModelProto], list[str]], QuantizePass]]] = {
    "tensorrt": (int8_tensorrt.activations_of, int8_tensorrt.to_int8_tensorrt),
    "onnxruntime": (int8_onnxruntime.activations_of, int8_onnxruntime.to_int8_onnxruntime),
}


@dataclass(frozen=True)
class FloatGraph:
    """A graph before precision is written into it.

    Attributes:
        name: of the graph in its bundle.
        model: float32, prepared.
        ranges: of activations, as the source's Q/DQ told; empty for a float source.
    """

    name: str
    model: onnx.ModelProto
    ranges: Mapping[str, Range]


@dataclass(frozen=True)
class TypedGraph:
    """A graph that is ready for a backend.

    Attributes:
        name: of the graph in its bundle.
        source: the float graph that it was made from.
        model: the graph.
        precision: what is in it; a graph without a layer to quantise stays float.
        difference: of its outputs from the float graph's.
        left_in_float: quantisable layers that were left.
        sensitivity: worst layers first; empty where nothing was measured.
        warnings: of the lint.
    """

    name: str
    source: onnx.ModelProto
    model: onnx.ModelProto
    precision: Precision
    difference: Difference
    left_in_float: tuple[str, ...]
    sensitivity: tuple[LayerSensitivity, ...]
    warnings: tuple[Finding, ...]


def float_graph(name: str, path: Path) -> FloatGraph:
    """Load a graph of a bundle; an int8 one is made float again, with its ranges.

    Raises:
        EngineError: the file is no graph that the passes understand.
    """
    model, ranges = dequantized(load_model(path))
    return FloatGraph(name, prepared(model), ranges)


def typed_graph(
    source: FloatGraph,
    target: Target,
    *,
    fp16: bool = False,
    int8: bool = False,
    samples: Sequence[Sample],
    calibrated: bool,
    method: Method = "percentile",
    exclude: Sequence[str] = (),
    limit: float = SENSITIVITY_LIMIT,
    sensitivity: bool = False,
) -> TypedGraph:
    """Write a precision into a graph, lint it, and measure what it changes.

    Args:
        source: the float graph.
        target: the kind of backend.
        fp16: half precision; with `int8` for the layers that are not quantised.
        int8: 8 bits, in the form that the target takes.
        samples: inputs of the graph, at least one: real ones, or probes.
        calibrated: whether `samples` are real, so that ranges and sensitivity may be measured on
            them; ranges that the source carries are used otherwise.
        method: how ranges are picked.
        exclude: layers to leave in float whatever is measured.
        limit: see `SENSITIVITY_LIMIT`; layers are left automatically only where calibrated.
        sensitivity: whether to measure every layer also where none must be left.

    Raises:
        ConfigError: int8 without real samples or ranges, or an unknown layer.
        EngineError: a pass fails, or the result is not fit for the target.
    """
    model = source.model
    precision: Precision = "fp32"
    left = list(exclude)
    table: list[LayerSensitivity] = []
    if int8:
        activations_of, quantize = _PASSES[target]
        ranges = _ranges(source, activations_of(model), samples, calibrated, method)
        if not calibrated:
            left += [n for n in _without_range(model, ranges) if n not in left]
        elif ranges:

            def leaving(
                graph: onnx.ModelProto, found: Mapping[str, Range], more: Collection[str]
            ) -> onnx.ModelProto:
                return quantize(graph, found, sorted({*exclude, *more}))

            few = samples[:: max(1, len(samples) // _SENSITIVITY_SAMPLES)]
            worst, table = layers_to_leave(model, ranges, few, leaving, limit, always=sensitivity)
            left += [name for name in worst if name not in left]
        if ranges:
            model = quantize(model, ranges, left)
        if target == "onnxruntime":
            model = to_int8_embeddings(model)
        precision = "int8" if is_quantised(model) else "fp32"
    if fp16:
        model = to_fp16(model)
        precision = "mixed" if precision == "int8" else "fp16"
    findings = require_clean(model, target, source.name)
    return TypedGraph(
        name=source.name,
        source=source.model,
        model=model,
        precision=precision,
        difference=difference(source.model, model, samples),
        left_in_float=tuple(left),
        sensitivity=tuple(table),
        warnings=tuple(findings),
    )


def _ranges(
    source: FloatGraph,
    needed: Sequence[str],
    samples: Sequence[Sample],
    calibrated: bool,
    method: Method,
) -> Mapping[str, Range]:
    if not needed:
        return {}
    if calibrated:
        return measure_ranges(source.model, samples, needed, method)
    if not source.ranges:
        raise ConfigError(
            f"graph {source.name!r}: int8 needs the ranges of its activations, and the bundle's "
            "graph carries none; give a folder of calibration clips with --calibration"
        )
    return source.ranges


def _without_range(model: onnx.ModelProto, ranges: Mapping[str, Range]) -> list[str]:
    """Layers that were in float in the source, where they were left because they are sensitive."""
    layers = int8_tensorrt.quantisable_layers(model)
    return [node.name for node in layers if node.input[0] not in ranges]
