from __future__ import annotations

import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

from edge_ser.bundles.schema import TensorSpec
from edge_ser.errors import ConfigError, EngineError
from edge_ser.runtime.backend import BACKENDS, open_session
from edge_ser.runtime.onnxruntime import OnnxRuntimeSession
from edge_ser.runtime.onnxruntime_sessions import available_providers

X = np.array([[1, 2, 3], [0, -1, 0.5]], dtype=np.float32)
Y = np.array(
    [[2 * 2 + 3 * 4 + 10, 1 + 2 * 3 + 3 * 5 + 20], [-2 + 2 + 10, -3 + 2.5 + 20]], dtype=np.float32
)


def test_runs_the_graph(affine_graph: Path) -> None:
    session = OnnxRuntimeSession(affine_graph)
    out = session.run({"x": X})
    assert list(out) == ["y"]
    np.testing.assert_array_equal(out["y"], Y)
    assert session.backend == "onnxruntime:CPU"
    assert session.inputs["x"] == TensorSpec(dtype="float32", shape=("N", 3))
    assert session.outputs["y"] == TensorSpec(dtype="float32", shape=("N", 2))


def test_a_view_with_strides_is_taken_as_it_reads(affine_graph: Path) -> None:
    wide = np.zeros((4, 6), dtype=np.float32)
    wide[::2, ::2] = X
    out = OnnxRuntimeSession(affine_graph).run({"x": wide[::2, ::2]})
    np.testing.assert_array_equal(out["y"], Y)


@pytest.mark.parametrize(
    ("inputs", "message"),
    [
        ({}, "'x' is missing"),
        ({"x": X, "z": X}, "no input 'z'"),
        ({"x": X.astype(np.float64)}, "float64.*astype"),
        ({"x": X.astype(">f4")}, ">f4"),
        ({"x": X[0]}, "rank 1"),
        ({"x": X[:, :2]}, "axis 1 must be 3"),
        ({"x": X[:0]}, "empty along axis 0"),
        ({"x": X.tolist()}, "numpy array"),
    ],
)
def test_a_wrong_tensor_is_named(
    affine_graph: Path, inputs: dict[str, np.ndarray], message: str
) -> None:
    with pytest.raises(EngineError, match=message):
        OnnxRuntimeSession(affine_graph).run(inputs)


def test_two_inputs_must_agree_on_a_shared_dimension(sum_graph: Path) -> None:
    session = OnnxRuntimeSession(sum_graph)
    with pytest.raises(EngineError, match="share the dimension 'L' but have 3 and 2"):
        session.run({"a": X, "b": X[:, :2]})


def test_nan_goes_through_as_documented(affine_graph: Path) -> None:
    bad = X.copy()
    bad[0, 0] = np.nan
    out = OnnxRuntimeSession(affine_graph).run({"x": bad})["y"]
    assert np.isnan(out[0]).all()
    np.testing.assert_array_equal(out[1], Y[1])


def test_a_failure_inside_the_graph_is_an_engine_error(tmp_path: Path) -> None:
    node = helper.make_node("Reshape", ["x", "s"], ["y"], name="reshape")
    graph = helper.make_graph(
        [node],
        "reshape",
        [
            helper.make_tensor_value_info("x", TensorProto.FLOAT, ["N"]),
            helper.make_tensor_value_info("s", TensorProto.INT64, [2]),
        ],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, ["A", "B"])],
    )
    path = tmp_path / "reshape.onnx"
    onnx.save(
        helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8),
        str(path),
    )
    session = OnnxRuntimeSession(path)
    assert session.run({"x": X.ravel(), "s": np.array([3, 2])})["y"].shape == (3, 2)
    with pytest.raises(EngineError, match=r"reshape.onnx.*x \[6\]"):
        session.run({"x": X.ravel(), "s": np.array([4, 2])})


@pytest.mark.parametrize("content", [b"", b"not a graph", b"\x00" * 64])
def test_a_damaged_file_is_an_engine_error(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "broken.onnx"
    path.write_bytes(content)
    with pytest.raises(EngineError, match=r"broken\.onnx"):
        OnnxRuntimeSession(path)


def test_a_truncated_file_is_an_engine_error(affine_graph: Path) -> None:
    affine_graph.write_bytes(affine_graph.read_bytes()[:-20])
    with pytest.raises(EngineError, match=r"affine\.onnx"):
        OnnxRuntimeSession(affine_graph)


def test_a_missing_file_is_an_engine_error(tmp_path: Path) -> None:
    with pytest.raises(EngineError, match="no such graph file"):
        OnnxRuntimeSession(tmp_path / "none.onnx")


def test_a_missing_provider_is_an_error_that_names_the_installed_ones(affine_graph: Path) -> None:
    installed = available_providers()
    if "CUDAExecutionProvider" in installed:
        installed_but_odd = "RknpuExecutionProvider"
        with pytest.raises(EngineError, match="CPUExecutionProvider"):
            OnnxRuntimeSession(affine_graph, providers=[installed_but_odd])
        return
    with pytest.raises(EngineError, match=r"CPUExecutionProvider.*pip install .onnxruntime-gpu"):
        open_session(affine_graph, backend="onnxruntime:cuda")


def test_the_manifest_is_held_against_the_graph(affine_graph: Path) -> None:
    good = {"x": TensorSpec(dtype="float32", shape=("rows", 3))}
    assert OnnxRuntimeSession(affine_graph, inputs=good).inputs == good
    for wrong in (
        {"x": TensorSpec(dtype="float32", shape=("rows", 4))},
        {"x": TensorSpec(dtype="float16", shape=("rows", 3))},
        {"x": TensorSpec(dtype="float32", shape=(3,))},
        {"z": TensorSpec(dtype="float32", shape=("rows", 3))},
    ):
        with pytest.raises(EngineError, match="manifest declares"):
            OnnxRuntimeSession(affine_graph, inputs=wrong)


def test_closing_twice_is_harmless_and_running_after_it_is_an_error(affine_graph: Path) -> None:
    session = OnnxRuntimeSession(affine_graph)
    session.close()
    session.close()
    with pytest.raises(EngineError, match="closed"):
        session.run({"x": X})


def test_many_threads_share_one_session(affine_graph: Path) -> None:
    session = OnnxRuntimeSession(affine_graph)

    def once(k: int) -> bool:
        x = np.full((1 + k % 5, 3), k, dtype=np.float32)
        expected = x @ np.arange(6, dtype=np.float32).reshape(3, 2) + np.float32([10, 20])
        return bool(np.array_equal(session.run({"x": x})["y"], expected))

    with ThreadPoolExecutor(8) as pool:
        assert all(pool.map(once, range(400)))


@pytest.mark.parametrize("threads", [0, -1])
def test_no_threads_is_an_error(affine_graph: Path, threads: int) -> None:
    with pytest.raises(EngineError, match="1 or more"):
        OnnxRuntimeSession(affine_graph, threads=threads)


def test_an_unknown_backend_lists_the_known_ones(affine_graph: Path) -> None:
    with pytest.raises(ConfigError) as caught:
        open_session(affine_graph, backend="onnxrutnime")
    for name in BACKENDS:
        assert name in str(caught.value)


def test_importing_the_backends_loads_no_heavy_package() -> None:
    code = (
        "import sys, edge_ser.runtime.backend, edge_ser.runtime.onnxruntime\n"
        "print([m for m in ('onnxruntime', 'torch', 'onnx', 'tensorrt') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
