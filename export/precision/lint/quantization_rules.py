"""Lint rules for Q/DQ nodes: what TensorRT refuses, and what runs but wrongly."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Final

import numpy as np
import onnx
from onnx import TensorProto

from edge_ser.export.graphs import onnx_graph as og

_CHANNEL_AXIS: Final = {"Conv": 0, "MatMul": 1}


def _pairs(graph: onnx.GraphProto) -> Iterator[onnx.NodeProto]:
    return (n for n in graph.node if n.op_type in {"QuantizeLinear", "DequantizeLinear"})


def scales(model: onnx.ModelProto, target: str) -> Iterator[tuple[str, ...]]:
    """Scales are constant, positive, finite, and fp32."""
    constants = og.initializers(model.graph)
    for node in _pairs(model.graph):
        tensor = constants.get(node.input[1])
        if tensor is None:
            yield (
                "error",
                "scale",
                node.name,
                "its scale is computed while the graph runs",
                "quantise statically, with a calibration set",
            )
            continue
        values = og.as_array(tensor).astype(np.float64)
        if not np.isfinite(values).all() or (values <= 0).any():
            yield (
                "error",
                "scale",
                node.name,
                "a scale is zero, negative or not finite",
                "a channel or tensor is dead or exploded: exclude the layer or calibrate again",
            )
        if tensor.data_type != og.FLOAT and target == "tensorrt":
            yield (
                "error",
                "scale",
                node.name,
                "its scale is not fp32, which fails on SM 8.7 (Orin)",
                "keep Q/DQ out of the fp16 pass",
            )


def zero_points(model: onnx.ModelProto, target: str) -> Iterator[tuple[str, ...]]:
    """TensorRT: signed, symmetric, no quantised bias."""
    if target != "tensorrt":
        return
    constants = og.initializers(model.graph)
    for node in _pairs(model.graph):
        zero = constants.get(node.input[2]) if len(node.input) > 2 else None
        dtype = zero.data_type if zero is not None else TensorProto.UINT8
        if node.op_type == "DequantizeLinear" and node.input[0] in constants:
            dtype = constants[node.input[0]].data_type
        if dtype == TensorProto.INT32:
            yield (
                "error",
                "bias",
                node.name,
                "it dequantises an int32 bias",
                "leave biases in float (QuantizeBias=False)",
            )
        elif dtype != TensorProto.INT8:
            yield (
                "error",
                "unsigned",
                node.name,
                "it quantises to unsigned or wide integers",
                "TensorRT takes signed 8 bits: use the int8 pass for TensorRT",
            )
        if zero is not None and og.as_array(zero).any():
            yield (
                "error",
                "zero-point",
                node.name,
                "its zero point is not 0",
                "TensorRT takes symmetric ranges only: use the int8 pass for TensorRT",
            )


def pairing(model: onnx.ModelProto, target: str) -> Iterator[tuple[str, ...]]:
    """TensorRT: every Q is followed by DQ alone, and every DQ has one reader."""
    if target != "tensorrt":
        return
    readers = og.consumers(model.graph)
    for node in _pairs(model.graph):
        after = readers.get(node.output[0], [])
        if node.op_type == "QuantizeLinear":
            for other in after:
                if other.op_type != "DequantizeLinear":
                    yield (
                        "error",
                        "pair",
                        node.name,
                        f"its integers go into {other.op_type} {other.name!r}",
                        "only DequantizeLinear may follow QuantizeLinear",
                    )
        elif len(after) > 1:
            yield (
                "warning",
                "pair",
                node.name,
                f"{len(after)} layers share its output, which keeps TensorRT from fusing it",
                "give each reader a pair of its own (DedicatedQDQPair=True)",
            )


def channels(model: onnx.ModelProto, _: str) -> Iterator[tuple[str, ...]]:
    """Per-channel scales run along the output channels of the layer that they feed."""
    constants = og.initializers(model.graph)
    readers = og.consumers(model.graph)
    for node in _pairs(model.graph):
        scale = constants.get(node.input[1])
        if node.op_type != "DequantizeLinear" or scale is None:
            continue
        size = int(np.prod(scale.dims)) if scale.dims else 1
        if size == 1:
            continue
        axis = next((a.i for a in node.attribute if a.name == "axis"), 1)
        for layer in readers.get(node.output[0], []):
            wanted = _CHANNEL_AXIS.get(layer.op_type)
            if layer.op_type == "Gemm":
                wanted = 0 if any(a.name == "transB" and a.i for a in layer.attribute) else 1
            is_weight = len(layer.input) > 1 and layer.input[1] == node.output[0]
            if is_weight and wanted is not None and axis != wanted:
                yield (
                    "error",
                    "axis",
                    layer.name,
                    f"its weights have scales along axis {axis}, not {wanted}",
                    "quantise them along the output channels",
                )


QUANTIZATION_RULES: Final[
    tuple[Callable[[onnx.ModelProto, str], Iterator[tuple[str, ...]]], ...]
] = (scales, zero_points, pairing, channels)
