"""Small graphs that are made on the spot, so that every expected number can be worked out."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper


@pytest.fixture
def affine_graph(tmp_path: Path) -> Path:
    """``y [N, 2] = x [N, 3] @ w + b`` with w = 0..5 and b = (10, 20)."""
    graph = helper.make_graph(
        [
            helper.make_node("MatMul", ["x", "w"], ["xw"], name="multiply"),
            helper.make_node("Add", ["xw", "b"], ["y"], name="add"),
        ],
        "affine",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["N", 3])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, ["N", 2])],
        [
            numpy_helper.from_array(np.arange(6, dtype=np.float32).reshape(3, 2), "w"),
            numpy_helper.from_array(np.array([10, 20], dtype=np.float32), "b"),
        ],
    )
    return save(graph, tmp_path / "affine.onnx")


@pytest.fixture
def sum_graph(tmp_path: Path) -> Path:
    """``total [N, L] = a [N, L] + b [N, L]``: two inputs that share their dimensions."""
    graph = helper.make_graph(
        [helper.make_node("Add", ["a", "b"], ["total"], name="add")],
        "sum",
        [helper.make_tensor_value_info(n, TensorProto.FLOAT, ["N", "L"]) for n in "ab"],
        [helper.make_tensor_value_info("total", TensorProto.FLOAT, ["N", "L"])],
    )
    return save(graph, tmp_path / "sum.onnx")


def save(graph: onnx.GraphProto, path: Path) -> Path:
    """Check and write a graph as a model of opset 17."""
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    onnx.checker.check_model(model, full_check=True)
    onnx.save(model, str(path))
    return path
