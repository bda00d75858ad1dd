"""Smaller files for the same graph: half-precision storage, and dynamic int8 for text encoders.

Neither changes what a graph takes and gives (float32). `store_half` only changes how weights lie
in the file: computing stays float32. `quantize_dynamic` also changes how matrices are multiplied.
"""

from __future__ import annotations

import logging
import tempfile
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import onnx
from onnx import TensorProto, helper, numpy_helper

from edge_ser.errors import EngineError

_SMALLEST: Final = 256
_HALF_LARGEST: Final = 65504.0


def store_half(source: Path, target: Path) -> int:
    """Store the weights of a graph as float16, each behind a Cast to float32.

    Runtimes fold the Cast when they load the graph, so it costs no time per run. Weights of fewer
    than 256 elements and weights that half precision cannot hold (beyond 65504) stay as they are.

    Args:
        source: graph with float32 weights inside the file.
        target: where the smaller graph goes.

    Returns:
        How many weights are stored as float16.

    Raises:
        EngineError: if the graph cannot be read.
    """
    model = _load(source)
    graph = model.graph
    kept: list[TensorProto] = []
    casts: list[onnx.NodeProto] = []
    for tensor in graph.initializer:
        values = numpy_helper.to_array(tensor)
        fits = values.dtype == np.float32 and values.size >= _SMALLEST
        if not fits or float(np.max(np.abs(values))) > _HALF_LARGEST:
            kept.append(tensor)
            continue
        stored = f"{tensor.name}_half"
        kept.append(numpy_helper.from_array(values.astype(np.float16), stored))
        casts.append(
            helper.make_node(
                "Cast", [stored], [tensor.name], f"{tensor.name}_widen", to=TensorProto.FLOAT
            )
        )
    _replace(graph, kept, casts)
    _save(model, target)
    return len(casts)


def quantize_dynamic(source: Path, target: Path, *, reduce_range: bool = True) -> None:
    """Make a transformer's graph int8 for ONNX Runtime: weights ahead of time, activations live.

    Matrix products take symmetric int8 weights with a scale an output column and uint8 activations
    with a scale found at run time. Tables of embeddings keep int8 with a scale a row: one scale
    for the whole table would be set by its largest word.

    Args:
        source: graph with float32 weights.
        target: where the int8 graph goes.
        reduce_range: weights of 7 bits. On x86 without VNNI the sum of two products of 8 bits can
            overflow 16; with 7 it cannot, so every CPU gives the same answer.

    Raises:
        EngineError: if the graph cannot be read or quantised.
    """
    from onnxruntime.quantization import QuantType
    from onnxruntime.quantization import quantize_dynamic as quantize_matrices

    with tempfile.TemporaryDirectory(prefix="edge-ser-") as folder:
        tables = Path(folder) / "tables.onnx"
        _save(quantize_tables(_load(source)), tables)
        matrices = Path(folder) / "matrices.onnx"
        root = logging.getLogger()
        level = root.level
        try:
            root.setLevel(logging.ERROR)  # it recommends a step that these graphs do not need
            quantize_matrices(
                str(tables),
                str(matrices),
                op_types_to_quantize=["MatMul"],
                per_channel=True,
                reduce_range=reduce_range,
                weight_type=QuantType.QInt8,
                extra_options={"MatMulConstBOnly": True},
            )
        except Exception as error:  # it raises many kinds
            raise EngineError(f"{source} cannot be made int8: {error}") from error
        finally:
            root.setLevel(level)
        model = _load(matrices)
        model.producer_name, model.producer_version = "edge-ser", ""
        _save(model, target)


def quantize_tables(model: onnx.ModelProto, smallest: int = 65536) -> onnx.ModelProto:
    """Store the float32 tables that only Gather reads (axis 0) as int8 with a scale a row.

    ``Gather(table, ids)`` becomes ``Cast(Gather(int8, ids)) * Gather(scales, ids)``; a row r is
    stored as ``round(r / s)`` with ``s = max|r| / 127``.

    Args:
        model: changed in place and returned.
        smallest: tables of fewer elements stay float32.
    """
    graph = model.graph
    readers: dict[str, list[onnx.NodeProto]] = {}
    for node in graph.node:
        for name in node.input:
            readers.setdefault(name, []).append(node)
    tables: dict[str, npt.NDArray[Any]] = {}
    for tensor in graph.initializer:
        users = readers.get(tensor.name, [])
        only_gathered = users and all(
            node.op_type == "Gather" and node.input[0] == tensor.name and _axis(node) == 0
            for node in users
        )
        if only_gathered and tensor.data_type == TensorProto.FLOAT and len(tensor.dims) == 2:
            values = numpy_helper.to_array(tensor)
            if values.size >= smallest:
                tables[tensor.name] = values
    kept = [tensor for tensor in graph.initializer if tensor.name not in tables]
    for name, values in tables.items():
        scales = np.maximum(np.abs(values).max(axis=1, keepdims=True), 1e-12) / 127.0
        rows = np.clip(np.rint(values / scales), -127, 127).astype(np.int8)
        kept.append(numpy_helper.from_array(rows, f"{name}_int8"))
        kept.append(numpy_helper.from_array(scales.astype(np.float32), f"{name}_scale"))
    nodes: list[onnx.NodeProto] = []
    for node in graph.node:
        nodes.extend(_scaled_gather(node) if node.input and node.input[0] in tables else [node])
    del graph.node[:]
    graph.node.extend(nodes)
    _replace(graph, kept, [])
    return model


def _scaled_gather(node: onnx.NodeProto) -> list[onnx.NodeProto]:
    table, ids, output = node.input[0], node.input[1], node.output[0]
    rows, wide, scale = f"{output}_rows", f"{output}_wide", f"{output}_scale"
    return [
        helper.make_node("Gather", [f"{table}_int8", ids], [rows], f"{output}_gather_rows"),
        helper.make_node("Cast", [rows], [wide], f"{output}_widen", to=TensorProto.FLOAT),
        helper.make_node("Gather", [f"{table}_scale", ids], [scale], f"{output}_gather_scale"),
        helper.make_node("Mul", [wide, scale], [output], f"{output}_rescale"),
    ]


def _axis(node: onnx.NodeProto) -> int:
    for attribute in node.attribute:
        if attribute.name == "axis":
            return int(attribute.i)
    return 0


def _replace(
    graph: onnx.GraphProto, initializers: list[TensorProto], first: list[onnx.NodeProto]
) -> None:
    """Swap the weights and put `first` before all other nodes."""
    del graph.initializer[:]
    graph.initializer.extend(initializers)
    nodes = [*first, *graph.node]
    del graph.node[:]
    graph.node.extend(nodes)


def _load(path: Path) -> onnx.ModelProto:
    try:
        return onnx.load(str(path))
    except Exception as error:  # protobuf and onnx raise their own kinds
        raise EngineError(f"{path} is no ONNX graph that can be read: {error}") from error


def _save(model: onnx.ModelProto, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    onnx.save(model, str(target))
