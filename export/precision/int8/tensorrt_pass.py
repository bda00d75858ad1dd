"""The int8 pass for TensorRT: symmetric signed Q/DQ pairs around convolutions and products.

TensorRT takes only zero points of 0, fp32 scales (half precision scales fail on SM 8.7), float
biases, and a pair of its own for every reader. Weights are per channel. Only layers with constant
weights are quantised: products of two activations inside attention gain little and lose accuracy.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Final

import numpy as np
import onnx

from edge_ser.errors import ConfigError, EngineError
from edge_ser.export.graphs import onnx_graph as og
from edge_ser.export.precision.int8.ranges import Range
from edge_ser.runtime.onnxruntime_sessions import onnxruntime

OPERATORS: Final = ("Conv", "MatMul", "Gemm")


def quantisable_layers(model: onnx.ModelProto) -> list[onnx.NodeProto]:
    """Convolutions and products whose weights are constant float32 tensors, in graph order."""
    constants = og.initializers(model.graph)
    return [
        node
        for node in model.graph.node
        if node.op_type in OPERATORS
        and node.input[1] in constants
        and constants[node.input[1]].data_type == og.FLOAT
        and node.input[0] not in constants
    ]


def activations_of(model: onnx.ModelProto) -> list[str]:
    """The tensors whose ranges the pass needs: inputs of the layers that can be quantised."""
    return list(dict.fromkeys(node.input[0] for node in quantisable_layers(model)))


def to_int8_tensorrt(
    model: onnx.ModelProto, ranges: Mapping[str, Range], exclude: Collection[str] = ()
) -> onnx.ModelProto:
    """The same function with symmetric Q/DQ around every layer that is not excluded.

    Args:
        model: a prepared float32 graph; it is not changed.
        ranges: range of each tensor that `activations_of` names.
        exclude: names of nodes to leave as they are.

    Returns:
        a checked, topologically sorted model; inputs and outputs unchanged. Without a layer to
        quantise it is a copy.

    Raises:
        ConfigError: an excluded node or a range is missing.
        EngineError: the result is no valid graph.
    """
    layers = chosen_layers(model, exclude)
    if not layers:
        return og.copy_of(model)
    kind = onnxruntime("quantization").QuantType
    quantizer = onnxruntime("quantization.qdq_quantizer").QDQQuantizer(
        og.copy_of(model),
        per_channel=True,
        reduce_range=False,
        weight_qType=kind.QInt8,
        activation_qType=kind.QInt8,
        tensors_range=tensors_data(ranges, [n.input[0] for n in layers], model.graph.name),
        nodes_to_quantize=[node.name for node in layers],
        nodes_to_exclude=[],
        op_types_to_quantize=list(OPERATORS),
        extra_options={
            "ActivationSymmetric": True,
            "WeightSymmetric": True,
            "AddQDQPairToWeight": True,
            "DedicatedQDQPair": True,
            "QuantizeBias": False,
            "QDQKeepRemovableActivations": True,
            "OpTypesToExcludeOutputQuantization": list(OPERATORS),
        },
    )
    return quantised_model(quantizer)


def chosen_layers(model: onnx.ModelProto, exclude: Collection[str]) -> list[onnx.NodeProto]:
    """Layers to quantise.

    Raises:
        ConfigError: a name in `exclude` is no node of the graph.
    """
    unknown = set(exclude) - {node.name for node in model.graph.node}
    if unknown:
        raise ConfigError(
            f"graph {model.graph.name!r}: there is no node {sorted(unknown)[0]!r} to exclude"
        )
    return [node for node in quantisable_layers(model) if node.name not in exclude]


def tensors_data(ranges: Mapping[str, Range], needed: Collection[str], graph: str) -> object:
    """Ranges in the form that ONNX Runtime's quantizer takes.

    Raises:
        ConfigError: a needed tensor has no range.
    """
    missing = [name for name in needed if name not in ranges]
    if missing:
        raise ConfigError(
            f"graph {graph!r}: the range of the tensor {missing[0]!r} was not measured; "
            "calibrate on this very graph"
        )
    # A dead tensor has no range; any positive one keeps its scale valid.
    calibrate = onnxruntime("quantization.calibrate")
    data: object = calibrate.TensorsData(
        calibrate.CalibrationMethod.MinMax,
        {
            name: (np.array(low, np.float32), np.array(high if high > low else 1.0, np.float32))
            for name, (low, high) in ranges.items()
        },
    )
    return data


def quantised_model(quantizer: object) -> onnx.ModelProto:
    """Run a quantizer and finish its model.

    Raises:
        EngineError: ONNX Runtime's quantizer fails.
    """
    try:
        quantizer.quantize_model()  # type: ignore[attr-defined]
        model: onnx.ModelProto = quantizer.model.model  # type: ignore[attr-defined]
    except Exception as error:
        raise EngineError(f"the graph cannot be quantised: {error}") from error
    og.name_nodes(model.graph)
    og.remove_unused(model.graph)
    return og.finished(model)
