from __future__ import annotations

from collections.abc import Callable

import numpy as np
import onnx
import pytest
from fixtures.small_networks import Network
from onnx import TensorProto, helper, numpy_helper

from edge_ser.errors import EngineError
from edge_ser.export.graphs import onnx_graph as og
from edge_ser.export.precision.int8 import tensorrt_pass as int8_tensorrt
from edge_ser.export.precision.int8.ranges import measure_ranges
from edge_ser.export.precision.lint.rules import lint, require_clean

Change = Callable[[onnx.ModelProto], None]


def test_prepared_graphs_are_clean(network: Network) -> None:
    assert lint(network.model, "tensorrt") == []
    assert lint(network.model, "onnxruntime") == []


def _first(model: onnx.ModelProto, operator: str) -> onnx.NodeProto:
    return next(n for n in model.graph.node if n.op_type == operator)


def _constant(model: onnx.ModelProto, name: str, value: np.ndarray) -> None:
    og.initializers(model.graph)[name].CopyFrom(numpy_helper.from_array(value, name))


def _old_opset(model: onnx.ModelProto) -> None:
    model.opset_import[0].version = 9


def _unsorted(model: onnx.ModelProto) -> None:
    nodes = list(model.graph.node)[::-1]
    del model.graph.node[:]
    model.graph.node.extend(nodes)


def _unnamed(model: onnx.ModelProto) -> None:
    _first(model, "Conv").name = ""


def _foreign(model: onnx.ModelProto) -> None:
    _first(model, "Relu").domain = "com.microsoft"


def _nan(model: onnx.ModelProto) -> None:
    name = _first(model, "Conv").input[1]
    values = np.array(og.as_array(og.initializers(model.graph)[name]))
    values.flat[0] = np.nan
    _constant(model, name, values)


def _random(model: onnx.ModelProto) -> None:
    node = helper.make_node("RandomNormalLike", [model.graph.input[0].name], ["r"], name="noise")
    model.graph.node.append(node)


def _data_dependent(model: onnx.ModelProto) -> None:
    node = helper.make_node("NonZero", [model.graph.input[0].name], ["z"], name="where")
    model.graph.node.append(node)


def _double(model: onnx.ModelProto) -> None:
    name = model.graph.input[0].name
    node = helper.make_node("Cast", [name], ["d"], name="widen", to=TensorProto.DOUBLE)
    model.graph.node.append(node)


def _unnamed_axis(model: onnx.ModelProto) -> None:
    model.graph.input[0].type.tensor_type.shape.dim[0].Clear()


def _half_border(model: onnx.ModelProto) -> None:
    model.graph.input[0].type.tensor_type.elem_type = TensorProto.FLOAT16


def _external(model: onnx.ModelProto) -> None:
    model.graph.initializer[0].data_location = TensorProto.EXTERNAL


FLOAT_FAULTS: list[tuple[Change, str]] = [
    (_old_opset, "opset"),
    (_unsorted, "order"),
    (_unnamed, "name"),
    (_foreign, "operator"),
    (_nan, "nan"),
    (_random, "random"),
    (_data_dependent, "data-dependent"),
    (_double, "double"),
    (_unnamed_axis, "dynamic-shape"),
    (_half_border, "border"),
    (_external, "external-data"),
]


@pytest.mark.parametrize(("spoil", "rule"), FLOAT_FAULTS, ids=[r for _, r in FLOAT_FAULTS])
def test_a_fault_of_a_float_graph_is_found(
    networks: dict[str, Network], spoil: Change, rule: str
) -> None:
    model = og.copy_of(networks["face"].model)
    spoil(model)
    found = [f for f in lint(model, "tensorrt") if f.rule == rule]
    assert found
    assert found[0].level == "error"
    assert found[0].advice
    with pytest.raises(EngineError, match="not fit for tensorrt"):
        require_clean(model, "tensorrt", "face")


def _zero_scale(model: onnx.ModelProto) -> None:
    _constant(model, _first(model, "QuantizeLinear").input[1], np.array(0, np.float32))


def _half_scale(model: onnx.ModelProto) -> None:
    _constant(model, _first(model, "QuantizeLinear").input[1], np.array(0.1, np.float16))


def _offset(model: onnx.ModelProto) -> None:
    _constant(model, _first(model, "QuantizeLinear").input[2], np.array(3, np.int8))


def _unsigned(model: onnx.ModelProto) -> None:
    _constant(model, _first(model, "QuantizeLinear").input[2], np.array(0, np.uint8))


def _wrong_axis(model: onnx.ModelProto) -> None:
    for node in model.graph.node:
        if node.op_type == "DequantizeLinear" and node.attribute:
            node.attribute[0].i = 1
            return


def _bias(model: onnx.ModelProto) -> None:
    for name, value in (("b", np.zeros(4, np.int32)), ("bs", np.float32(1))):
        model.graph.initializer.append(numpy_helper.from_array(np.array(value), name))
    node = helper.make_node("DequantizeLinear", ["b", "bs"], ["bias"], name="dequantise_bias")
    model.graph.node.append(node)


def _integers_elsewhere(model: onnx.ModelProto) -> None:
    source = _first(model, "QuantizeLinear").output[0]
    model.graph.node.append(helper.make_node("Identity", [source], ["i"], name="peek"))


INT8_FAULTS: list[tuple[Change, str]] = [
    (_zero_scale, "scale"),
    (_half_scale, "scale"),
    (_offset, "zero-point"),
    (_unsigned, "unsigned"),
    (_wrong_axis, "axis"),
    (_bias, "bias"),
    (_integers_elsewhere, "pair"),
]


@pytest.mark.parametrize(
    ("spoil", "rule"), INT8_FAULTS, ids=[c.__name__.strip("_") for c, _ in INT8_FAULTS]
)
def test_a_fault_of_an_int8_graph_is_found(
    networks: dict[str, Network], spoil: Change, rule: str
) -> None:
    network = networks["face"]
    names = int8_tensorrt.activations_of(network.model)
    ranges = measure_ranges(network.model, network.samples, names, "minmax")
    model = int8_tensorrt.to_int8_tensorrt(network.model, ranges)
    assert lint(model, "tensorrt") == []
    spoil(model)
    found = [f for f in lint(model, "tensorrt") if f.rule == rule and f.level == "error"]
    assert found
    assert found[0].layer


def test_a_sum_in_half_precision_is_found(networks: dict[str, Network]) -> None:
    from edge_ser.export.precision.fp16 import to_fp16

    half = to_fp16(networks["text"].model)
    softmax = _first(half, "Softmax")
    cast = og.producers(half.graph)[softmax.input[0]]
    while cast.op_type != "Cast":
        cast = og.producers(half.graph)[cast.input[0]]
    softmax.input[0] = cast.input[0]
    model = og.copy_of(half)
    del model.graph.value_info[:]
    rules = {f.rule for f in lint(model, "tensorrt")}
    assert rules & {"fp16-sum", "types"}
