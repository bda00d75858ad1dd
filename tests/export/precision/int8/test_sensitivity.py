from __future__ import annotations

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from edge_ser.export.precision.difference import difference
from edge_ser.export.precision.int8.ranges import measure_ranges
from edge_ser.export.precision.int8.sensitivity import layers_to_leave, measure_sensitivity
from edge_ser.export.precision.int8.tensorrt_pass import activations_of, to_int8_tensorrt

RNG = np.random.default_rng(3)


def _model() -> onnx.ModelProto:
    """Three products; the middle one sees an outlier that takes up nearly all of its range."""
    spread = np.ones(32, np.float32)
    spread[0] = 3000.0
    constants = {
        "w1": RNG.normal(0, 0.2, (32, 32)),
        "spread": spread,
        "w2": RNG.normal(0, 0.2, (32, 32)) * np.r_[0, np.ones(31)][:, None],
        "w3": RNG.normal(0, 0.2, (32, 8)),
    }
    nodes = [
        helper.make_node("MatMul", ["x", "w1"], ["a"], name="first"),
        helper.make_node("Mul", ["a", "spread"], ["b"], name="stretch"),
        helper.make_node("MatMul", ["b", "w2"], ["c"], name="sensitive"),
        helper.make_node("MatMul", ["c", "w3"], ["y"], name="last"),
    ]
    graph = helper.make_graph(
        nodes,
        "made",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, [4, 32])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, [4, 8])],
        [numpy_helper.from_array(v.astype(np.float32), n) for n, v in constants.items()],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)


def test_the_sensitive_layer_is_found_and_left() -> None:
    model = _model()
    samples = [{"x": RNG.normal(0, 1, (4, 32)).astype(np.float32)} for _ in range(4)]
    ranges = measure_ranges(model, samples, activations_of(model), "minmax")
    table = measure_sensitivity(model, ranges, samples, to_int8_tensorrt)
    assert table[0].layer == "sensitive"
    assert {row.layer for row in table} == {"first", "sensitive", "last"}
    assert table[0].relative > 10 * table[1].relative
    assert table[0].weights == 32 * 32
    left, again = layers_to_leave(model, ranges, samples, to_int8_tensorrt, limit=0.05)
    assert left == ["sensitive"]
    assert again == table
    quantised = to_int8_tensorrt(model, ranges, left)
    assert difference(model, quantised, samples).relative <= 0.05


def test_nothing_is_left_where_everything_is_near() -> None:
    model = _model()
    samples = [{"x": RNG.normal(0, 1, (4, 32)).astype(np.float32)}]
    ranges = measure_ranges(model, samples, activations_of(model), "minmax")
    left, table = layers_to_leave(model, ranges, samples, to_int8_tensorrt, limit=10.0)
    assert (left, table) == ([], [])
    left, table = layers_to_leave(model, ranges, samples, to_int8_tensorrt, limit=10.0, always=True)
    assert left == []
    assert len(table) == 3


def test_everything_is_left_where_nothing_is_near_enough() -> None:
    model = _model()
    samples = [{"x": RNG.normal(0, 1, (4, 32)).astype(np.float32)}]
    ranges = measure_ranges(model, samples, activations_of(model), "minmax")
    left, _ = layers_to_leave(model, ranges, samples, to_int8_tensorrt, limit=0.0)
    assert sorted(left) == ["first", "last", "sensitive"]
