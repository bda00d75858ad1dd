"""Back from int8 to float: the weights as they were rounded, and the ranges that Q/DQ carry.

A bundle may ship int8 graphs for a bare CPU. Graphs for TensorRT are made from it without the
training data: weights are what the int8 weights stand for, activation ranges are what the scales
and zero points say.
"""

from __future__ import annotations

from typing import Any, Final

import numpy as np
import numpy.typing as npt
import onnx
from onnx import TensorProto, numpy_helper

from edge_ser.errors import EngineError
from edge_ser.export.graphs import onnx_graph as og
from edge_ser.export.precision.int8.dynamic import restore_products
from edge_ser.export.precision.int8.embeddings import restore_embeddings
from edge_ser.export.precision.int8.ranges import Range

_LIMITS: Final[dict[int, tuple[int, int]]] = {
    TensorProto.UINT8: (0, 255),
    TensorProto.INT8: (-128, 127),
}


_MARKS: Final = frozenset({"QuantizeLinear", "DequantizeLinear", "MatMulInteger"})


def is_quantised(model: onnx.ModelProto) -> bool:
    """Whether the graph computes in integers: static Q/DQ, or dynamic products."""
    return any(node.op_type in _MARKS for node in model.graph.node)


def dequantized(model: onnx.ModelProto) -> tuple[onnx.ModelProto, dict[str, Range]]:
    """The float graph behind a Q/DQ graph, and the range of each activation that it quantised.

    Args:
        model: any graph of standard operators; it is not changed.

    Returns:
        the float graph, checked and sorted (a copy where nothing is quantised), and ranges by
        tensor of that graph.

    Raises:
        EngineError: a Q/DQ node has no constant scale, or types other than u8, s8 and s32.
    """
    model = og.copy_of(model)
    graph = model.graph
    og.constants_to_initializers(graph)
    og.name_nodes(graph)
    restore_embeddings(graph)
    restore_products(graph)
    constants = og.initializers(graph)
    producer = og.producers(graph)
    ranges: dict[str, Range] = {}
    same: dict[str, str] = {}
    kept = []
    for node in graph.node:
        if node.op_type == "QuantizeLinear":
            if node.input[0] not in constants:
                _note_range(node, constants, ranges, graph.name)
        elif node.op_type == "DequantizeLinear":
            source = node.input[0]
            if source in constants:
                values = _real_values(node, as_integers(constants[source]), constants, graph.name)
            elif source in producer and producer[source].op_type == "QuantizeLinear":
                before = producer[source].input[0]
                if before not in constants:
                    same[node.output[0]] = before
                    continue
                integers = _quantised_values(producer[source], constants, graph.name)
                values = _real_values(node, integers, constants, graph.name)
            else:
                raise EngineError(
                    f"graph {graph.name!r}: {node.name!r} dequantises {source!r}, which is no "
                    "constant and no output of QuantizeLinear; export it in Q/DQ form"
                )
            graph.initializer.append(numpy_helper.from_array(values, node.output[0]))
        else:
            kept.append(node)
    del graph.node[:]
    graph.node.extend(kept)
    _merge(graph, same)
    og.remove_unused(graph)
    resolved = {_resolve(name, same): value for name, value in ranges.items()}
    return og.finished(model), resolved


def as_integers(tensor: onnx.TensorProto) -> npt.NDArray[np.int64]:
    """Values of an integer constant."""
    return og.as_array(tensor).astype(np.int64)


def _scale_and_zero(
    node: onnx.NodeProto, constants: dict[str, onnx.TensorProto], graph: str
) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.int64]]:
    names = list(node.input[1:])
    if not names or any(name and name not in constants for name in names):
        raise EngineError(
            f"graph {graph!r}: the scale or zero point of {node.name!r} is no constant; "
            "quantise it statically"
        )
    scale = og.as_array(constants[names[0]]).astype(np.float32)
    zero = as_integers(constants[names[1]]) if len(names) > 1 and names[1] else np.zeros(1, int)
    return scale, zero


def _note_range(
    node: onnx.NodeProto,
    constants: dict[str, onnx.TensorProto],
    ranges: dict[str, Range],
    graph: str,
) -> None:
    scale, zero = _scale_and_zero(node, constants, graph)
    dtype = constants[node.input[2]].data_type if len(node.input) > 2 else TensorProto.UINT8
    if dtype not in _LIMITS or scale.size != 1:
        raise EngineError(
            f"graph {graph!r}: {node.name!r} quantises an activation to a type other than u8 and "
            "s8, or per channel"
        )
    low, high = _LIMITS[dtype]
    step, offset = float(scale.reshape(-1)[0]), int(zero.reshape(-1)[0])
    found = ((low - offset) * step, (high - offset) * step)
    before = ranges.get(node.input[0], found)
    ranges[node.input[0]] = (min(found[0], before[0]), max(found[1], before[1]))


def _along_axis(values: npt.NDArray[Any], like: npt.NDArray[Any], node: onnx.NodeProto) -> Any:
    if values.size == 1:
        return values.reshape(())
    axis = next((a.i for a in node.attribute if a.name == "axis"), 1)
    shape = [1] * like.ndim
    shape[axis] = values.size
    return values.reshape(shape)


def _real_values(
    node: onnx.NodeProto,
    integers: npt.NDArray[np.int64],
    constants: dict[str, onnx.TensorProto],
    graph: str,
) -> npt.NDArray[np.float32]:
    scale, zero = _scale_and_zero(node, constants, graph)
    shifted = integers - _along_axis(zero, integers, node)
    return np.asarray(shifted * _along_axis(scale, integers, node), dtype=np.float32)


def _quantised_values(
    node: onnx.NodeProto, constants: dict[str, onnx.TensorProto], graph: str
) -> npt.NDArray[np.int64]:
    scale, zero = _scale_and_zero(node, constants, graph)
    values = og.as_array(constants[node.input[0]]).astype(np.float32)
    low, high = _LIMITS[constants[node.input[2]].data_type]
    levels = np.rint(values / _along_axis(scale, values, node)) + _along_axis(zero, values, node)
    return np.asarray(np.clip(levels, low, high), dtype=np.int64)


def _resolve(name: str, same: dict[str, str]) -> str:
    while name in same:
        name = same[name]
    return name


def _merge(graph: onnx.GraphProto, same: dict[str, str]) -> None:
    outputs = {value.name for value in graph.output}
    for node in graph.node:
        for i, name in enumerate(node.input):
            node.input[i] = _resolve(name, same)
    for name in outputs & set(same):
        graph.node.append(
            onnx.helper.make_node("Identity", [_resolve(name, same)], [name], name=f"output_{name}")
        )
