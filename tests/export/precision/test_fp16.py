from __future__ import annotations

import numpy as np
import onnx
from fixtures.run_model import largest_relative_error, run_model
from fixtures.small_networks import Network
from onnx import TensorProto, helper, numpy_helper

from edge_ser.export.graphs import onnx_graph as og
from edge_ser.export.graphs import operators
from edge_ser.export.precision.fp16 import LARGEST, to_fp16
from edge_ser.export.precision.lint.rules import lint


def test_answers_stay_and_weights_halve(network: Network) -> None:
    half = to_fp16(network.model)
    assert largest_relative_error(network.model, half, network.samples) < 3e-3
    assert _weight_bytes(half) < 0.51 * _weight_bytes(network.model)


def _weight_bytes(model: onnx.ModelProto) -> int:
    floats = (TensorProto.FLOAT, TensorProto.FLOAT16)
    constants = [t for t in model.graph.initializer if t.data_type in floats]
    large = [t for t in constants if len(t.dims) > 1]
    return sum(og.as_array(t).nbytes for t in large)


def test_inputs_and_outputs_keep_their_types(network: Network) -> None:
    half = to_fp16(network.model)
    assert list(half.graph.input) == list(network.model.graph.input)
    for before, after in zip(network.model.graph.output, half.graph.output, strict=True):
        assert after.name == before.name
        assert after.type.tensor_type.elem_type == before.type.tensor_type.elem_type


def test_the_result_is_sorted_and_clean(network: Network) -> None:
    half = to_fp16(network.model)
    assert [f for f in lint(half, "tensorrt") if f.level == "error"] == []


def test_the_input_model_is_not_changed(network: Network) -> None:
    before = network.model.SerializeToString()
    to_fp16(network.model)
    assert network.model.SerializeToString() == before


def test_sensitive_operators_compute_in_fp32(networks: dict[str, Network]) -> None:
    half = to_fp16(networks["text"].model)
    types = og.tensor_types(half)
    sensitive = [n for n in half.graph.node if n.op_type in operators.FP32]
    assert {n.op_type for n in sensitive} >= {"LayerNormalization", "Softmax"}
    for node in sensitive:
        assert types[node.input[0]] != TensorProto.FLOAT16, node.name
    products = [n for n in half.graph.node if n.op_type == "MatMul"]
    assert products
    assert all(types[n.input[0]] == TensorProto.FLOAT16 for n in products)


def _model(
    nodes: list[onnx.NodeProto], shape: list[int], constants: list[onnx.TensorProto]
) -> onnx.ModelProto:
    graph = helper.make_graph(
        nodes,
        "made",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, shape)],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, None)],
        constants,
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    return onnx.shape_inference.infer_shapes(model)


def test_a_mask_of_the_smallest_float_does_not_become_infinite() -> None:
    smallest = numpy_helper.from_array(np.float32([np.finfo(np.float32).min]), "smallest")
    identity = numpy_helper.from_array(np.eye(3, dtype=np.float32), "identity")
    nodes = [
        helper.make_node("MatMul", ["x", "identity"], ["same"], name="product"),
        helper.make_node("Mul", ["same", "smallest"], ["masked"], name="mask"),
        helper.make_node("Add", ["masked", "masked"], ["twice"], name="twice"),
        helper.make_node("Softmax", ["twice"], ["y"], name="softmax", axis=-1),
    ]
    half = to_fp16(_model(nodes, [1, 3], [smallest, identity]))
    (y,) = run_model(half, {"x": np.float32([[0, 1, 0]])})
    np.testing.assert_allclose(y, [[0.5, 0, 0.5]], atol=1e-6)
    (clamped,) = (t for t in half.graph.initializer if t.name.startswith("smallest"))
    assert float(og.as_array(clamped)[0]) == -LARGEST


def test_a_square_and_its_mean_do_not_overflow() -> None:
    nodes = [
        helper.make_node("Mul", ["x", "x"], ["square"], name="square"),
        helper.make_node("ReduceMean", ["square"], ["mean"], name="mean", axes=[0]),
        helper.make_node("Sqrt", ["mean"], ["y"], name="root"),
    ]
    half = to_fp16(_model(nodes, [1000], []))
    (y,) = run_model(half, {"x": np.full(1000, 3000, np.float32)})
    np.testing.assert_allclose(y, 3000, rtol=1e-3)


def test_cheap_nodes_between_fp32_nodes_get_no_casts() -> None:
    nodes = [
        helper.make_node("Exp", ["x"], ["e"], name="exp"),
        helper.make_node("Neg", ["e"], ["n"], name="negate"),
        helper.make_node("Relu", ["n"], ["r"], name="relu"),
        helper.make_node("Sqrt", ["r"], ["y"], name="root"),
    ]
    half = to_fp16(_model(nodes, [4], []))
    assert [n.op_type for n in half.graph.node] == ["Exp", "Neg", "Relu", "Sqrt"]


def test_a_tensor_that_is_output_and_is_read_has_both_forms() -> None:
    weights = numpy_helper.from_array(np.eye(4, dtype=np.float32), "w")
    graph = helper.make_graph(
        [
            helper.make_node("MatMul", ["x", "w"], ["first"], name="one"),
            helper.make_node("MatMul", ["first", "w"], ["second"], name="two"),
            helper.make_node("Exp", ["first"], ["third"], name="exp"),
        ],
        "made",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, [2, 4])],
        [
            helper.make_tensor_value_info(n, TensorProto.FLOAT, [2, 4])
            for n in ("first", "second", "third")
        ],
        [weights],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    half = to_fp16(model)
    x = np.arange(8, dtype=np.float32).reshape(2, 4) / 4
    for expected, given in zip(run_model(model, {"x": x}), run_model(half, {"x": x}), strict=True):
        assert given.dtype == np.float32
        np.testing.assert_allclose(given, expected, rtol=2e-3)


def test_what_a_branch_reads_stays_fp32() -> None:
    def branch(name: str, operator: str) -> onnx.GraphProto:
        result = helper.make_tensor_value_info(f"{name}_y", TensorProto.FLOAT, [4])
        node = helper.make_node(operator, ["doubled"], [f"{name}_y"], name=name)
        return helper.make_graph([node], name, [], [result])

    nodes = [
        helper.make_node("Add", ["x", "x"], ["doubled"], name="double"),
        helper.make_node(
            "If",
            ["flag"],
            ["y"],
            name="choice",
            then_branch=branch("then", "Relu"),
            else_branch=branch("else", "Neg"),
        ),
    ]
    flag = numpy_helper.from_array(np.array(False), "flag")
    model = _model(nodes, [4], [flag])
    x = np.float32([-1, 0, 1, 2])
    (y,) = run_model(to_fp16(model), {"x": x})
    np.testing.assert_array_equal(y, -2 * x)


def test_a_clip_without_an_upper_bound_stays_in_fp32() -> None:
    """TensorRT writes the largest fp32 there: in half precision that is infinity."""
    nodes = [
        helper.make_node("MatMul", ["x", "w"], ["product"], name="product"),
        helper.make_node("Clip", ["product", "one"], ["clamped"], name="open"),
        helper.make_node("Clip", ["clamped", "one", "six"], ["both"], name="closed"),
        helper.make_node("MatMul", ["both", "w"], ["y"], name="last"),
    ]
    constants = {"w": np.eye(8), "one": np.float32(1), "six": np.float32(6)}
    graph = helper.make_graph(
        nodes,
        "clips",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["N", 8])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, ["N", 8])],
        [numpy_helper.from_array(np.asarray(v, np.float32), n) for n, v in constants.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9)
    half = to_fp16(model)
    types = og.tensor_types(half)
    clips = {n.name: types[n.input[0]] for n in half.graph.node if n.op_type == "Clip"}
    assert clips == {"open": TensorProto.FLOAT, "closed": TensorProto.FLOAT16}
    x = {"x": np.linspace(-9, 9, 16, dtype=np.float32).reshape(2, 8)}
    np.testing.assert_allclose(run_model(half, x)[0], np.clip(x["x"], 1, 6), rtol=2e-3)
