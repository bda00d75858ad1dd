"""The int8 pass for ONNX Runtime on a CPU: u8 activations, s8 weights, Q/DQ form.

Products of u8 and s8 are what x86 and Arm multiply fast. Weights use 7 of their 8 bits by default:
processors without VNNI add pairs of products in 16 bits, which full s8 weights overflow.
Recurrent layers stay fp32: their int8 form costs accuracy and gains no time.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Final

import onnx

from edge_ser.export.graphs import onnx_graph as og
from edge_ser.export.precision.int8.ranges import Range
from edge_ser.export.precision.int8.tensorrt_pass import (
    chosen_layers,
    quantised_model,
    tensors_data,
)
from edge_ser.runtime.onnxruntime_sessions import onnxruntime

_BETWEEN: Final = frozenset(
    {"Add", "AveragePool", "Concat", "Clip", "GlobalAveragePool", "MaxPool", "Relu"}
)
"""Operators that stay in 8 bits when all their inputs come out of convolutions."""


def activations_of(model: onnx.ModelProto) -> list[str]:
    """Every tensor whose range the pass may need."""
    layers = chosen_layers(model, ())
    names = [node.input[0] for node in layers]
    for node in _in_bytes(model, layers, ()):
        names += node.output
    return list(dict.fromkeys(names))


def to_int8_onnxruntime(
    model: onnx.ModelProto,
    ranges: Mapping[str, Range],
    exclude: Collection[str] = (),
) -> onnx.ModelProto:
    """The same function with u8/s8 Q/DQ around convolutions and products.

    Args:
        model: a prepared float32 graph; it is not changed.
        ranges: range of each tensor that `activations_of` names.
        exclude: names of nodes to leave in fp32.

    Returns:
        a checked, topologically sorted model of standard operators; inputs and outputs unchanged.
        Without a layer to quantise it is a copy.

    Raises:
        ConfigError: an excluded node or a range is missing.
        EngineError: the result is no valid graph.
    """
    layers = chosen_layers(model, exclude)
    if not layers:
        return og.copy_of(model)
    nodes = {node.name: node for node in (*layers, *_in_bytes(model, layers, exclude))}
    needed = [node.input[0] for node in layers]
    needed += [n for node in _in_bytes(model, layers, exclude) for n in node.output]
    kind = onnxruntime("quantization").QuantType
    quantizer = onnxruntime("quantization.qdq_quantizer").QDQQuantizer(
        og.copy_of(model),
        per_channel=True,
        # With all 8 bits of weights sums overflow where there is no VNNI, AMX or dot product.
        reduce_range=True,
        weight_qType=kind.QInt8,
        activation_qType=kind.QUInt8,
        tensors_range=tensors_data(ranges, needed, model.graph.name),
        nodes_to_quantize=list(nodes),
        nodes_to_exclude=[],
        op_types_to_quantize=sorted({node.op_type for node in nodes.values()}),
        extra_options={
            "ActivationSymmetric": False,
            "WeightSymmetric": True,
            # ONNX Runtime drops a ReLU before Q by itself; the graph must not lose it, or no
            # float graph could be had from it again.
            "QDQKeepRemovableActivations": True,
            # A product's sum goes straight to float: faster than through 8 bits, and exacter.
            "OpTypesToExcludeOutputQuantization": ["MatMul", "Gemm"],
        },
    )
    return quantised_model(quantizer)


def _in_bytes(
    model: onnx.ModelProto, layers: Collection[onnx.NodeProto], exclude: Collection[str]
) -> list[onnx.NodeProto]:
    """Convolutions, and the operators between them all of whose float inputs are in 8 bits."""
    constants = og.initializers(model.graph)
    chosen = {node.name for node in layers if node.op_type == "Conv"}
    tensors: set[str] = set()
    found = []
    for node in model.graph.node:
        sources = [n for n in node.input if n and n not in constants]
        between = (
            node.op_type in _BETWEEN
            and node.name not in exclude
            and len(sources) == len([n for n in node.input[:2] if n])
            and all(n in tensors for n in sources)
        ) or (node.op_type in {"Clip", "Relu"} and sources and sources[0] in tensors)
        if node.name in chosen or (between and sources):
            tensors.update(node.output)
            found.append(node)
    return found
