"""The fp16 pass: half precision where it is safe, casts where it is not, fp32 at the borders.

What stays in fp32 and why: normalisations, softmax, sums and means (a sum over a thousand values
of half precision loses its small parts, a square overflows above 255), exponentials and roots,
index arithmetic, and everything around a quantised layer (scales of Q/DQ must be fp32: half
precision scales fail on SM 8.7). Inputs and outputs keep the types that they had.
"""

from __future__ import annotations

from typing import Final

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from edge_ser.export.graphs import onnx_graph as og
from edge_ser.export.graphs import operators

_LARGE: Final = 16384
"""A node that reads a constant of so many numbers is halved for its size, whatever it costs."""

LARGEST: Final = 32752.0
"""Finite constants are clamped to this, half of fp16's largest number: the sum of two stays
finite, so a mask of -3.4e38 that is added to scores does not become -inf."""

_INTEGERS: Final = frozenset(
    {TensorProto.INT64, TensorProto.INT32, TensorProto.INT16, TensorProto.INT8}
    | {TensorProto.UINT64, TensorProto.UINT32, TensorProto.UINT16, TensorProto.UINT8}
)


def to_fp16(model: onnx.ModelProto) -> onnx.ModelProto:
    """The same function with fp16 weights and arithmetic; inputs and outputs unchanged.

    Args:
        model: a float32 graph, optionally already with Q/DQ; it is not changed.

    Returns:
        a checked, topologically sorted model.

    Raises:
        EngineError: types cannot be inferred.
    """
    model = og.copy_of(model)
    graph = model.graph
    og.constants_to_initializers(graph)
    og.name_nodes(graph)
    types = og.tensor_types(model)
    floats = {name for name, dtype in types.items() if dtype == og.FLOAT}
    kept = _kept_nodes(graph, floats)
    _Rewriter(graph, floats, kept).rewrite()
    og.remove_unused(graph)
    return og.finished(model)


def _kept_nodes(graph: onnx.GraphProto, floats: set[str]) -> set[str]:
    read_by_bodies = og.subgraph_reads(graph)
    quantised: set[str] = set()
    kept: set[str] = set()
    for node in graph.node:
        from_quantised = any(name in quantised for name in node.input)
        if node.op_type == "DequantizeLinear" or (
            node.op_type in operators.LAYOUT and from_quantised
        ):
            quantised.update(node.output)
        if (
            node.op_type in operators.FP32
            or node.domain not in ("", "ai.onnx")
            or from_quantised
            or any(True for _ in og.subgraphs(node))
            or any(name in read_by_bodies for name in node.output)
            or _is_square(node)
            or _is_open_clip(node)
            or _is_cast_to_integer(node)
        ):
            kept.add(node.name)
    return kept | _islands(graph, floats, kept)


def _is_square(node: onnx.NodeProto) -> bool:
    return node.op_type == "Mul" and len(set(node.input)) == 1


def _is_open_clip(node: onnx.NodeProto) -> bool:
    """Builders fill a missing bound with the largest fp32, which half precision cannot hold."""
    return node.op_type == "Clip" and (len(node.input) < 3 or not all(node.input[1:3]))


def _is_cast_to_integer(node: onnx.NodeProto) -> bool:
    return node.op_type == "Cast" and any(
        a.name == "to" and a.i in _INTEGERS for a in node.attribute
    )


def _islands(graph: onnx.GraphProto, floats: set[str], kept: set[str]) -> set[str]:
    """Groups of cheap nodes with nothing but fp32 around them: two casts would cost more."""
    producer = og.producers(graph)
    readers = og.consumers(graph)
    large = {t.name for t in graph.initializer if int(np.prod(t.dims)) >= _LARGE}
    cheap = {
        n.name: n
        for n in graph.node
        if n.op_type in operators.CHEAP and n.name not in kept and not large & set(n.input)
    }
    seen: set[str] = set()
    islands: set[str] = set()
    for start in cheap:
        if start in seen:
            continue
        group, todo, closed = {start}, [start], True
        while todo:
            node = cheap[todo.pop()]
            around = [producer[n] for n in node.input if n in floats and n in producer]
            around += [r for n in node.output if n in floats for r in readers.get(n, [])]
            for other in around:
                if other.name in cheap:
                    if other.name not in group:
                        group.add(other.name)
                        todo.append(other.name)
                elif other.name not in kept:
                    closed = False
        seen |= group
        if closed:
            islands |= group
    return islands


class _Rewriter:
    def __init__(self, graph: onnx.GraphProto, floats: set[str], kept: set[str]) -> None:
        self.graph = graph
        self.floats = floats
        self.kept = kept
        self.names = og.Names(graph)
        self.constants = og.initializers(graph)
        self.outputs = {value.name for value in graph.output}
        self.half: dict[str, str] = {}
        self.single: dict[str, str] = {}
        self.new_nodes: list[onnx.NodeProto] = []

    def rewrite(self) -> None:
        self._name_both_forms()
        for node in self.graph.node:
            wanted = self.single if node.name in self.kept else self.half
            for i, name in enumerate(node.input):
                if name in self.floats:
                    node.input[i] = wanted.get(name) or self._other_form(name, wanted)
            if node.name not in self.kept:
                self._make_half(node)
        self.graph.node.extend(self.new_nodes)

    def _name_both_forms(self) -> None:
        for node in self.graph.node:
            form = self.single if node.name in self.kept else self.half
            for i, name in enumerate(node.output):
                if name not in self.floats:
                    continue
                if name in self.outputs and form is self.half:
                    self.half[name] = node.output[i] = self.names.fresh(f"{name}__fp16")
                    self._cast(node.output[i], name, og.FLOAT)
                    self.single[name] = name
                else:
                    form[name] = name
        for name in (*self.constants, *(value.name for value in self.graph.input)):
            if name in self.floats:
                self.single[name] = name

    def _other_form(self, name: str, wanted: dict[str, str]) -> str:
        if wanted is self.half:
            new = self.names.fresh(f"{name}__fp16")
            if name in self.constants:
                values = og.as_array(self.constants[name]).astype(np.float32)
                self.graph.initializer.append(numpy_helper.from_array(_rounded(values), new))
            else:
                self._cast(self.single[name], new, og.FLOAT16)
        else:
            new = self.names.fresh(f"{name}__fp32")
            self._cast(self.half[name], new, og.FLOAT)
        wanted[name] = new
        return new

    def _cast(self, source: str, target: str, dtype: int) -> None:
        name = self.names.fresh(f"Cast_{target}")
        self.new_nodes.append(helper.make_node("Cast", [source], [target], name=name, to=dtype))

    def _make_half(self, node: onnx.NodeProto) -> None:
        for attribute in node.attribute:
            if node.op_type == "Cast" and attribute.name == "to" and attribute.i == og.FLOAT:
                attribute.i = og.FLOAT16
            elif attribute.type == onnx.AttributeProto.TENSOR and attribute.t.data_type == og.FLOAT:
                values = og.as_array(attribute.t).astype(np.float32)
                attribute.t.CopyFrom(numpy_helper.from_array(_rounded(values)))


def _rounded(
    values: np.ndarray[tuple[int, ...], np.dtype[np.float32]],
) -> np.ndarray[tuple[int, ...], np.dtype[np.float16]]:
    finite = np.isfinite(values)
    return np.where(finite, np.clip(values, -LARGEST, LARGEST), values).astype(np.float16)
