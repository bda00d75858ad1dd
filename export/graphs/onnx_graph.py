"""What every precision pass needs from an ONNX graph: loading, types, order, unique names."""

from __future__ import annotations

import heapq
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Final

import numpy as np
import numpy.typing as npt
import onnx
from onnx import TensorProto, numpy_helper

from edge_ser.bundles.graph_content import GraphContent
from edge_ser.errors import EngineError
from edge_ser.files import temporary_folder
from edge_ser.runtime.onnxruntime_sessions import open_graph

FLOAT: Final = TensorProto.FLOAT
FLOAT16: Final = TensorProto.FLOAT16


def load_model(graph: Path | GraphContent) -> onnx.ModelProto:
    """Read one self-contained ONNX graph.

    Args:
        graph: its file, or what was read of it.

    Raises:
        EngineError: the file is missing, is no ONNX graph, or keeps tensors in other files.
    """
    read = GraphContent.of(graph)
    path = read.path
    try:
        model = onnx.load_model_from_string(read.content)
    except Exception as error:
        raise EngineError(f"{path}: this is no ONNX graph ({error}); export it again") from error
    if not model.graph.node:
        raise EngineError(f"{path}: this is no ONNX graph (it has no node); export it again")
    for tensor in initializers(model.graph).values():
        if tensor.data_location == TensorProto.EXTERNAL:
            raise EngineError(
                f"{path}: the tensor {tensor.name!r} lies in another file; a bundle's graph holds "
                "its own weights: save it again without external data"
            )
    return model


def copy_of(model: onnx.ModelProto) -> onnx.ModelProto:
    """A model of its own that a pass may change."""
    clone = onnx.ModelProto()
    clone.CopyFrom(model)
    return clone


def prepared(model: onnx.ModelProto) -> onnx.ModelProto:
    """The same function with constants folded, batch norms merged and every node named.

    ONNX Runtime's basic optimisations do the folding; the result uses the same operators.

    Raises:
        EngineError: ONNX Runtime cannot load the graph.
    """
    with temporary_folder() as folder:
        target = folder / "basic.onnx"
        name = f"graph {model.graph.name!r}"
        open_graph(model.SerializeToString(), name, optimise="basic", write_to=target)
        folded = onnx.load_model(str(target))
    _restore_shapes(folded.graph.input, model.graph.input)
    _restore_shapes(folded.graph.output, model.graph.output)
    used = {node.domain for node in folded.graph.node}
    kept = [o for o in folded.opset_import if o.domain in used or o.domain in ("", "ai.onnx")]
    del folded.opset_import[:]
    folded.opset_import.extend(kept)
    constants_to_initializers(folded.graph)
    name_nodes(folded.graph)
    return folded


def _restore_shapes(
    target: Iterable[onnx.ValueInfoProto], source: Iterable[onnx.ValueInfoProto]
) -> None:
    original = {v.name: v for v in source}
    for value in target:
        if value.name in original:
            value.CopyFrom(original[value.name])


def initializers(graph: onnx.GraphProto) -> dict[str, onnx.TensorProto]:
    """The graph's constant tensors by name."""
    return {t.name: t for t in graph.initializer}


def as_array(tensor: onnx.TensorProto) -> npt.NDArray[np.generic]:
    """A constant's values."""
    return np.asarray(numpy_helper.to_array(tensor))


def constants_to_initializers(graph: onnx.GraphProto) -> None:
    """Turn `Constant` nodes into initializers, so that passes see one kind of constant."""
    kept = []
    for node in graph.node:
        tensor = _constant_value(node) if node.op_type == "Constant" else None
        if tensor is None:
            kept.append(node)
        else:
            tensor.name = node.output[0]
            graph.initializer.append(tensor)
    del graph.node[:]
    graph.node.extend(kept)


def _constant_value(node: onnx.NodeProto) -> onnx.TensorProto | None:
    for attribute in node.attribute:
        if attribute.name == "value":
            tensor = TensorProto()
            tensor.CopyFrom(attribute.t)
            return tensor
        if attribute.name == "value_float":
            return numpy_helper.from_array(np.array(attribute.f, dtype=np.float32))
        if attribute.name == "value_int":
            return numpy_helper.from_array(np.array(attribute.i, dtype=np.int64))
        if attribute.name == "value_floats":
            return numpy_helper.from_array(np.array(attribute.floats, dtype=np.float32))
        if attribute.name == "value_ints":
            return numpy_helper.from_array(np.array(attribute.ints, dtype=np.int64))
    return None


def name_nodes(graph: onnx.GraphProto) -> None:
    """Give every node a name of its own: messages and tables speak of layers by it."""
    names = Names(graph)
    seen: set[str] = set()
    for node in graph.node:
        if not node.name or node.name in seen:
            node.name = names.fresh(node.name or f"{node.op_type}_{node.output[0]}")
        seen.add(node.name)


class Names:
    """Hands out names that no tensor or node of the graph has."""

    def __init__(self, graph: onnx.GraphProto) -> None:
        self._taken = {t.name for t in graph.initializer} | {v.name for v in graph.input}
        for node in graph.node:
            self._taken.update(node.output)
            self._taken.add(node.name)

    def fresh(self, wish: str) -> str:
        """`wish`, with a number behind it if it is taken."""
        name, count = wish, 0
        while name in self._taken:
            count += 1
            name = f"{wish}_{count}"
        self._taken.add(name)
        return name


def tensor_types(model: onnx.ModelProto) -> dict[str, int]:
    """Element type (`TensorProto.FLOAT` ...) of every tensor of the main graph.

    Raises:
        EngineError: a type cannot be inferred (an operator of an unknown domain).
    """
    try:
        inferred = onnx.shape_inference.infer_shapes(model, check_type=True, data_prop=True)
    except Exception as error:
        raise EngineError(
            f"graph {model.graph.name!r}: its types do not fit together: {error}"
        ) from error
    graph = inferred.graph
    types = {t.name: t.data_type for t in graph.initializer}
    for value in (*graph.input, *graph.output, *graph.value_info):
        types[value.name] = value.type.tensor_type.elem_type
    for node in graph.node:
        for name in node.output:
            if name and not types.get(name):
                raise EngineError(
                    f"graph {model.graph.name!r}: the type of {name!r}, which {node.op_type} "
                    f"{node.name!r} of domain {node.domain or 'ai.onnx'!r} makes, is unknown; "
                    "export the graph with standard operators"
                )
    return types


def subgraph_reads(graph: onnx.GraphProto) -> set[str]:
    """Tensors of the main graph that bodies of `If`, `Loop` and `Scan` read."""
    reads: set[str] = set()
    for node in graph.node:
        for body in subgraphs(node):
            own = {t.name for t in body.initializer} | {v.name for v in body.input}
            for inner in body.node:
                reads.update(name for name in inner.input if name and name not in own)
                own.update(inner.output)
            reads.update(subgraph_reads(body) - own)
            reads.update(value.name for value in body.output if value.name not in own)
    return reads


def subgraphs(node: onnx.NodeProto) -> Iterator[onnx.GraphProto]:
    """The bodies that a node carries."""
    for attribute in node.attribute:
        if attribute.type == onnx.AttributeProto.GRAPH:
            yield attribute.g
        yield from attribute.graphs


def consumers(graph: onnx.GraphProto) -> dict[str, list[onnx.NodeProto]]:
    """Nodes that read each tensor."""
    readers: dict[str, list[onnx.NodeProto]] = {}
    for node in graph.node:
        for name in dict.fromkeys(node.input):
            if name:
                readers.setdefault(name, []).append(node)
    return readers


def producers(graph: onnx.GraphProto) -> dict[str, onnx.NodeProto]:
    """The node that makes each tensor."""
    return {name: node for node in graph.node for name in node.output if name}


def sort_nodes(graph: onnx.GraphProto) -> None:
    """Put nodes behind those whose outputs they read, otherwise keeping their order.

    Raises:
        EngineError: the graph has a cycle.
    """
    made_by = {name: i for i, node in enumerate(graph.node) for name in node.output if name}
    nodes = list(graph.node)
    waiting = []
    readers: Mapping[int, list[int]] = {i: [] for i in range(len(nodes))}
    for i, node in enumerate(nodes):
        reads = {made_by[n] for n in (*node.input, *_body_reads(node)) if n in made_by}
        waiting.append(len(reads))
        for j in reads:
            readers[j].append(i)
    ready = [i for i, count in enumerate(waiting) if count == 0]
    heapq.heapify(ready)
    order = []
    while ready:
        i = heapq.heappop(ready)
        order.append(i)
        for j in readers[i]:
            waiting[j] -= 1
            if waiting[j] == 0:
                heapq.heappush(ready, j)
    if len(order) != len(nodes):
        stuck = next(node.name for i, node in enumerate(nodes) if waiting[i] > 0)
        raise EngineError(f"graph {graph.name!r}: the node {stuck!r} waits for its own output")
    del graph.node[:]
    graph.node.extend(nodes[i] for i in order)


def _body_reads(node: onnx.NodeProto) -> set[str]:
    if not any(True for _ in subgraphs(node)):
        return set()
    holder = onnx.GraphProto()
    holder.node.append(node)
    return subgraph_reads(holder)


def remove_unused(graph: onnx.GraphProto) -> None:
    """Sort the graph, and drop nodes and constants that lead to no output."""
    sort_nodes(graph)
    needed = {value.name for value in graph.output} | subgraph_reads(graph)
    kept = []
    for node in reversed(graph.node):
        if any(name in needed for name in node.output):
            kept.append(node)
            needed.update(node.input)
    del graph.node[:]
    graph.node.extend(reversed(kept))
    constants = [t for t in graph.initializer if t.name in needed]
    del graph.initializer[:]
    graph.initializer.extend(constants)


def finished(model: onnx.ModelProto) -> onnx.ModelProto:
    """Order, infer and check a model that a pass has changed.

    Raises:
        EngineError: the result is no valid graph: the pass met something it cannot handle.
    """
    sort_nodes(model.graph)
    del model.graph.value_info[:]
    try:
        model = onnx.shape_inference.infer_shapes(model, check_type=True, data_prop=True)
        onnx.checker.check_model(model, full_check=True)
    except Exception as error:
        raise EngineError(
            f"graph {model.graph.name!r}: the pass gave no valid graph: {error}"
        ) from error
    return model
