"""Which layers lose the most when they are quantised: found by measuring, one layer at a time."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import onnx

from edge_ser.export.graphs import onnx_graph as og
from edge_ser.export.precision.difference import Sample, difference
from edge_ser.export.precision.int8.ranges import Range
from edge_ser.export.precision.int8.tensorrt_pass import quantisable_layers

QuantizePass = Callable[[onnx.ModelProto, Mapping[str, Range], Collection[str]], onnx.ModelProto]
"""`to_int8_tensorrt` or `to_int8_onnxruntime`."""


@dataclass(frozen=True)
class LayerSensitivity:
    """What quantising one layer alone does to the graph's answers.

    Attributes:
        layer: name of the node.
        operator: ``Conv`` ...
        weights: how many numbers its weights hold.
        relative: root mean square error of the graph's outputs over their own.
        largest: largest absolute error.
    """

    layer: str
    operator: str
    weights: int
    relative: float
    largest: float


def measure_sensitivity(
    model: onnx.ModelProto,
    ranges: Mapping[str, Range],
    samples: Sequence[Sample],
    quantize: QuantizePass,
) -> list[LayerSensitivity]:
    """Quantise each layer by itself and compare with the float graph, worst layer first.

    Args:
        model: a prepared float32 graph.
        ranges: of its activations.
        samples: inputs to compare on; real ones, since errors depend on the data.
        quantize: the int8 pass whose layers are asked about.

    Raises:
        EngineError: the graph does not run.
    """
    layers = quantisable_layers(model)
    constants = og.initializers(model.graph)
    names = {node.name for node in layers}
    table = []
    for node in layers:
        alone = quantize(model, ranges, sorted(names - {node.name}))
        apart = difference(model, alone, samples)
        table.append(
            LayerSensitivity(
                layer=node.name,
                operator=node.op_type,
                weights=int(np.prod(constants[node.input[1]].dims)),
                relative=apart.relative,
                largest=apart.largest,
            )
        )
    return sorted(table, key=lambda row: row.relative, reverse=True)


def layers_to_leave(
    model: onnx.ModelProto,
    ranges: Mapping[str, Range],
    samples: Sequence[Sample],
    quantize: QuantizePass,
    limit: float,
    *,
    always: bool = False,
) -> tuple[list[str], list[LayerSensitivity]]:
    """The fewest of the worst layers that must stay in float for the whole error to be small.

    Layers are left in the order of the table until the root mean square error of the whole
    quantised graph, over its outputs' own, is at most `limit`.

    Args:
        model: a prepared float32 graph.
        ranges: of its activations.
        samples: inputs to compare on, real ones.
        quantize: the int8 pass.
        limit: of the error.
        always: make the table also where no layer must be left.

    Returns:
        names of the layers to leave, and the table.

    Raises:
        EngineError: the graph does not run.
    """
    fits = difference(model, quantize(model, ranges, ()), samples).relative <= limit
    if fits and not always:
        return [], []
    table = measure_sensitivity(model, ranges, samples, quantize)
    order = [row.layer for row in table]
    # Error falls as more layers stay in float: find the smallest number by halving.
    low, high = 0, 0 if fits else len(order)
    while low < high:
        middle = (low + high) // 2
        quantised = quantize(model, ranges, order[:middle])
        if difference(model, quantised, samples).relative <= limit:
            high = middle
        else:
            low = middle + 1
    return order[:low], table
