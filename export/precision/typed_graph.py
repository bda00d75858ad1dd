"""From a bundle's graph to the graph that a backend gets: precision written in, linted."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import onnx

from edge_ser.bundles.graph_content import GraphContent
from edge_ser.bundles.schema import Precision
from edge_ser.export.graphs.onnx_graph import load_model, prepared
from edge_ser.export.precision.dequantize import dequantized, is_quantised
from edge_ser.export.precision.difference import Difference, Sample, difference
from edge_ser.export.precision.fp16 import to_fp16
from edge_ser.export.precision.gelu import reorder_gelu
from edge_ser.export.precision.int8.choice import Int8Options, activations_of, to_int8
from edge_ser.export.precision.int8.ranges import Method, Range
from edge_ser.export.precision.int8.sensitivity import LayerSensitivity
from edge_ser.export.precision.lint.rules import Finding, Target, require_clean

SENSITIVITY_LIMIT: Final = 0.1
"""Root mean square error of an int8 graph's outputs, over their own, above which its worst layers
stay in float."""


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
        ranges: of the activations, where int8 was calibrated or the source carried them.
    """

    name: str
    source: onnx.ModelProto
    model: onnx.ModelProto
    precision: Precision
    difference: Difference
    left_in_float: tuple[str, ...]
    sensitivity: tuple[LayerSensitivity, ...]
    warnings: tuple[Finding, ...]
    ranges: Mapping[str, Range]


def float_graph(
    name: str, graph: Path | GraphContent, carried: Mapping[str, Range] | None = None
) -> FloatGraph:
    """Load a graph of a bundle; an int8 one is made float again, with its ranges.

    Args:
        name: of the graph.
        graph: its file, or what was read of it.
        carried: ranges that the bundle carries beside the graph.

    Raises:
        EngineError: the file is no graph that the passes understand.
    """
    model, ranges = dequantized(load_model(graph))
    return FloatGraph(name, reorder_gelu(prepared(model)), {**(carried or {}), **ranges})


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
    everything: bool = False,
) -> TypedGraph:
    """Write a precision into a graph, lint it, and measure what it changes.

    Args:
        source: the float graph.
        target: the kind of backend.
        fp16: half precision; with `int8` for the layers that are not quantised.
        int8: 8 bits, in the form that the target takes.
        samples: inputs of the graph, at least one: real ones, or probes.
        calibrated: whether `samples` are real, so that ranges may be measured on them; ranges that
            the source carries are used otherwise.
        method: how ranges are picked.
        exclude: layers to leave in float whatever is measured.
        limit: see `SENSITIVITY_LIMIT`.
        sensitivity: whether to measure every layer also where none must be left.
        everything: see `Int8Options`.

    Raises:
        ConfigError: int8 without real samples or ranges, or an unknown layer.
        EngineError: a pass fails, or the result is not fit for the target.
    """
    model = source.model
    precision: Precision = "fp32"
    left: tuple[str, ...] = ()
    table: tuple[LayerSensitivity, ...] = ()
    ranges = source.ranges
    carried = set(activations_of(model))
    if int8:
        options = Int8Options(method, tuple(exclude), limit, sensitivity, everything)
        chosen = to_int8(source.name, model, source.ranges, target, samples, calibrated, options)
        model, left, table = chosen.model, chosen.left, chosen.table
        ranges = chosen.ranges
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
        left_in_float=left,
        sensitivity=table,
        warnings=tuple(findings),
        ranges={name: value for name, value in ranges.items() if name in carried},
    )
