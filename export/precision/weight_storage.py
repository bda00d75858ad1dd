"""Smaller files for the same graph: half-precision storage, and dynamic int8 for text encoders.

Neither changes what a graph takes and gives (float32). `store_half` only changes how weights lie
in the file: computing stays float32. `quantize_dynamic` also changes how matrices are multiplied.
"""

from __future__ import annotations

import logging
from collections.abc import Collection
from pathlib import Path
from typing import Final

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from edge_ser.errors import EngineError
from edge_ser.export.graphs.onnx_graph import load_model
from edge_ser.export.precision.int8.embeddings import to_int8_embeddings
from edge_ser.files import temporary_folder, write_atomically
from edge_ser.runtime.onnxruntime_sessions import onnxruntime

_SMALLEST: Final = 256
_HALF_LARGEST: Final = 65504.0


def store_half(source: Path, target: Path) -> int:
    """Store the weights of a graph as float16, each behind a Cast to float32.

    Runtimes fold the Cast when they load the graph, so it costs no time per run. Weights of fewer
    than 256 elements and weights that half precision cannot hold (beyond 65504) stay as they are.

    Args:
        source: graph with float32 weights inside the file.
        target: where the smaller graph goes; may be `source`.

    Returns:
        How many weights are stored as float16.

    Raises:
        EngineError: if the graph cannot be read.
    """
    model = load_model(source)
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
    nodes = [*casts, *graph.node]
    del graph.initializer[:]
    graph.initializer.extend(kept)
    del graph.node[:]
    graph.node.extend(nodes)
    _save(model, target)
    return len(casts)


def quantize_dynamic(
    source: Path, target: Path, *, reduce_range: bool = True, exclude: Collection[str] = ()
) -> None:
    """Make a transformer's graph int8 for ONNX Runtime: weights ahead of time, activations live.

    Matrix products take symmetric int8 weights with a scale an output column and uint8 activations
    with a scale found at run time. Tables of embeddings keep int8 with a scale a row: one scale
    for the whole table would be set by its largest word.

    Args:
        source: graph with float32 weights.
        target: where the int8 graph goes; may be `source`.
        reduce_range: weights of 7 bits. On x86 without VNNI the sum of two products of 8 bits can
            overflow 16; with 7 it cannot, so every CPU gives the same answer.
        exclude: names of MatMul nodes that stay float32.

    Raises:
        EngineError: if the graph cannot be read or quantised.
    """
    quantization = onnxruntime("quantization")
    with temporary_folder() as folder:
        tables = folder / "tables.onnx"
        _save(to_int8_embeddings(load_model(source)), tables)
        matrices = folder / "matrices.onnx"
        root = logging.getLogger()
        level = root.level
        try:
            root.setLevel(logging.ERROR)  # it recommends a step that these graphs do not need
            quantization.quantize_dynamic(
                str(tables),
                str(matrices),
                op_types_to_quantize=["MatMul"],
                per_channel=True,
                reduce_range=reduce_range,
                weight_type=quantization.QuantType.QInt8,
                nodes_to_exclude=list(exclude),
                extra_options={"MatMulConstBOnly": True},
            )
        except Exception as error:  # it raises many kinds
            raise EngineError(f"{source} cannot be made int8: {error}") from error
        finally:
            root.setLevel(level)
        model = load_model(matrices)
        model.producer_name, model.producer_version = "edge-ser", ""
        _save(model, target)


def _save(model: onnx.ModelProto, target: Path) -> None:
    write_atomically(target, model.SerializeToString(), parents=True)
