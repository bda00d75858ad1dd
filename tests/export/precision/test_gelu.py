from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest
from fixtures.run_model import run_model
from onnx import TensorProto, helper, numpy_helper

from edge_ser.export.precision.gelu import reorder_gelu
from edge_ser.runtime.onnxruntime_sessions import open_graph


def _model(swapped: bool, outputs: tuple[str, ...] = ("y",)) -> onnx.ModelProto:
    """A product before GELU in the order in which PyTorch's exporter writes it."""
    scaled = ["one_more", "half"] if swapped else ["half", "one_more"]
    last = ["scaled", "x"] if swapped else ["x", "scaled"]
    nodes = [
        helper.make_node("MatMul", ["input", "weights"], ["x"], name="product"),
        helper.make_node("Div", ["x", "root"], ["divided"], name="div"),
        helper.make_node("Erf", ["divided"], ["erf"], name="erf"),
        helper.make_node("Add", ["erf", "one"], ["one_more"], name="add"),
        helper.make_node("Mul", scaled, ["scaled"], name="scale"),
        helper.make_node("Mul", last, ["y"], name="gelu"),
    ]
    rng = np.random.default_rng(0)
    constants = {
        "weights": rng.normal(0, 1, (8, 8)).astype(np.float32),
        "root": np.float32(np.sqrt(2)),
        "one": np.float32(1),
        "half": np.float32(0.5),
    }
    graph = helper.make_graph(
        nodes,
        "gelu",
        [helper.make_tensor_value_info("input", TensorProto.FLOAT, ["N", 8])],
        [helper.make_tensor_value_info(o, TensorProto.FLOAT, ["N", 8]) for o in outputs],
        [numpy_helper.from_array(np.asarray(v), n) for n, v in constants.items()],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9)


def _operators_that_run(model: onnx.ModelProto, folder: Path) -> list[str]:
    written = folder / "optimised.onnx"
    open_graph(model.SerializeToString(), write_to=written)
    return [node.op_type for node in onnx.load(written).graph.node]


@pytest.mark.parametrize("swapped", [False, True])
def test_onnxruntime_fuses_it_and_every_bit_is_the_same(swapped: bool, tmp_path: Path) -> None:
    before = _model(swapped)
    after = reorder_gelu(before)
    assert "Erf" in _operators_that_run(before, tmp_path)
    operators = _operators_that_run(after, tmp_path)
    assert "Erf" not in operators
    assert any(o.endswith("Gelu") for o in operators)
    x = {"input": np.random.default_rng(1).normal(0, 3, (5, 8)).astype(np.float32)}
    for model in (before, after):
        # An inner tensor that is an output keeps it unfused: the order of operators is compared.
        model.graph.output.append(
            helper.make_tensor_value_info("one_more", TensorProto.FLOAT, ["N", 8])
        )
    np.testing.assert_array_equal(run_model(before, x)[0], run_model(after, x)[0])


def test_a_scaled_sum_that_others_read_stays() -> None:
    model = _model(False, ("y", "scaled"))
    assert reorder_gelu(model).graph.node == model.graph.node


def test_what_is_no_gelu_stays() -> None:
    model = _model(False)
    model.graph.initializer[3].CopyFrom(numpy_helper.from_array(np.float32(0.25), "half"))
    assert reorder_gelu(model).graph.node == model.graph.node
