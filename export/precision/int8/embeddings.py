"""Tables of embeddings in 8 bits, one scale a row: most of a small text encoder is its table.

The rows that are looked up are made float again right behind the look-up, in standard operators.
"""

from __future__ import annotations

from typing import Final

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from edge_ser.export.graphs import onnx_graph as og

_SMALLEST: Final = 16384
"""Numbers below which a table is not worth two more operators."""
_ROWS, _SCALES = "__rows_int8", "__row_scales"


def to_int8_embeddings(model: onnx.ModelProto) -> onnx.ModelProto:
    """The same function with large look-up tables of floats stored as s8 and a scale per row.

    The largest error of a number is its row's largest magnitude over 254.

    Raises:
        EngineError: the result is no valid graph.
    """
    model = og.copy_of(model)
    graph = model.graph
    constants = og.initializers(graph)
    names = og.Names(graph)
    made: dict[str, tuple[str, str]] = {}
    nodes: list[onnx.NodeProto] = []
    for node in graph.node:
        table = constants.get(node.input[0]) if node.op_type == "Gather" else None
        if table is None or not _is_large_table(node, table):
            nodes.append(node)
            continue
        if table.name not in made:
            made[table.name] = _add_table(graph, names, table)
        rows, scales = made[table.name]
        indices, result = node.input[1], node.output[0]
        found, factor, real = (names.fresh(f"{result}__{n}") for n in ("int8", "scale", "float"))
        nodes += [
            helper.make_node("Gather", [rows, indices], [found], name=node.name, axis=0),
            helper.make_node(
                "Gather", [scales, indices], [factor], name=f"{node.name}__scale", axis=0
            ),
            helper.make_node(
                "Cast", [found], [real], name=f"{node.name}__float", to=TensorProto.FLOAT
            ),
            helper.make_node("Mul", [real, factor], [result], name=f"{node.name}__rescale"),
        ]
    del graph.node[:]
    graph.node.extend(nodes)
    og.remove_unused(graph)
    return og.finished(model)


def restore_embeddings(graph: onnx.GraphProto) -> None:
    """Undo `to_int8_embeddings`: float tables of what the 8 bits stand for."""
    constants = og.initializers(graph)
    producer = og.producers(graph)
    gone: set[str] = set()
    for node in graph.node:
        if node.op_type != "Mul" or node.input[0] not in producer:
            continue
        cast, scale = producer[node.input[0]], producer.get(node.input[1])
        if cast.op_type != "Cast" or scale is None or not scale.input[0].endswith(_SCALES):
            continue
        rows = producer.get(cast.input[0])
        if rows is None or not rows.input[0].endswith(_ROWS):
            continue
        table = rows.input[0].removesuffix(_ROWS)
        if table not in constants:
            values = og.as_array(constants[rows.input[0]]).astype(np.float32)
            values *= og.as_array(constants[scale.input[0]]).astype(np.float32)
            constants[table] = numpy_helper.from_array(values, table)
            graph.initializer.append(constants[table])
        gone |= {rows.name, cast.name, scale.name}
        indices, result, name = rows.input[1], node.output[0], rows.name
        node.CopyFrom(helper.make_node("Gather", [table, indices], [result], name=name, axis=0))
        gone.discard(name)
        rows.name = f"{name}__gone"
        gone.add(rows.name)
    kept = [node for node in graph.node if node.name not in gone]
    del graph.node[:]
    graph.node.extend(kept)


def _is_large_table(node: onnx.NodeProto, table: onnx.TensorProto) -> bool:
    axis = next((a.i for a in node.attribute if a.name == "axis"), 0)
    return (
        table.data_type == og.FLOAT
        and len(table.dims) == 2
        and axis == 0
        and int(np.prod(table.dims)) >= _SMALLEST
    )


def _add_table(graph: onnx.GraphProto, names: og.Names, table: onnx.TensorProto) -> tuple[str, str]:
    values = og.as_array(table).astype(np.float32)
    largest = np.abs(values).max(axis=1, keepdims=True)
    scales = np.where(largest > 0, largest / 127.0, 1.0).astype(np.float32)
    rows = np.clip(np.rint(values / scales), -127, 127).astype(np.int8)
    rows_name, scales_name = names.fresh(f"{table.name}{_ROWS}"), f"{table.name}{_SCALES}"
    graph.initializer.append(numpy_helper.from_array(rows, rows_name))
    graph.initializer.append(numpy_helper.from_array(scales, scales_name))
    return rows_name, scales_name
