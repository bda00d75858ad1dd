"""What needs a GPU: engines are deserialised and run, on whatever CUDA device is here."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edge_ser.bundle_schema import TensorSpec
from edge_ser.errors import MissingExtraError
from edge_ser.runtime.cuda import load_cuda
from edge_ser.runtime.engine_cache import EngineCache
from edge_ser.runtime.tensorrt import TensorRtSession
from edge_ser.runtime.tensorrt_api import MODULES, TensorRt, load_tensorrt

pytestmark = pytest.mark.gpu

INPUTS = {"x": TensorSpec(dtype="float32", shape=("N", 3))}
OUTPUTS = {"y": TensorSpec(dtype="float32", shape=("N", 2))}
SHAPES = {"x": ((1, 3), (4, 3), (16, 3))}


def _expected(x: np.ndarray) -> np.ndarray:
    return x @ np.arange(6, dtype=np.float32).reshape(3, 2) + np.float32([10, 20])


def _x(rows: int, seed: int = 0) -> np.ndarray:
    values = np.random.default_rng(seed).integers(-9, 9, (rows, 3))
    return values.astype(np.float32)


@pytest.fixture(scope="module")
def api() -> TensorRt:
    """The installed TensorRT, of either kind; without one these tests fail."""
    problems = []
    for backend in MODULES:
        try:
            return load_tensorrt(backend)
        except MissingExtraError as error:
            problems.append(str(error))
    pytest.fail(" | ".join(problems))


@pytest.fixture
def session(affine_graph: Path, tmp_path: Path, api: TensorRt) -> TensorRtSession:
    return TensorRtSession(
        affine_graph,
        INPUTS,
        OUTPUTS,
        SHAPES,
        api=api,
        cache=EngineCache(tmp_path / "engines"),
        contexts=2,
        on_missing="build",
    )


def test_runs_and_replays(session: TensorRtSession) -> None:
    for seed, rows in enumerate((1, 4, 4, 4, 16, 4, 4, 4)):
        x = _x(rows, seed)
        np.testing.assert_allclose(session.run({"x": x})["y"], _expected(x), rtol=2e-3, atol=0.05)
    session.close()


def test_many_threads(session: TensorRtSession) -> None:
    def once(seed: int) -> bool:
        x = _x(1 + seed % 16, seed)
        return bool(np.allclose(session.run({"x": x})["y"], _expected(x), rtol=2e-3, atol=0.05))

    with ThreadPoolExecutor(4) as pool:
        assert all(pool.map(once, range(200)))
    session.close()


def test_a_callers_stream(session: TensorRtSession) -> None:
    cuda = load_cuda()
    stream = cuda.new_stream()
    x = _x(5)
    addresses = {"x": cuda.new_memory(x.nbytes), "y": cuda.new_memory(5 * 2 * 4)}
    host = cuda.new_pinned(x.nbytes)
    host[:] = x.reshape(-1).view(np.uint8)
    cuda.copy_to_device(addresses["x"], host, x.nbytes, stream)
    session.bind(stream).enqueue(
        {"x": _array(addresses["x"], (5, 3))}, {"y": _array(addresses["y"], (5, 2))}
    )
    back = cuda.new_pinned(40)
    cuda.copy_to_host(back, addresses["y"], 40, stream)
    cuda.wait(stream)
    y = back.view(np.float32).reshape(5, 2)
    np.testing.assert_allclose(y, _expected(x), rtol=2e-3, atol=0.05)


def _array(address: int, shape: tuple[int, ...]) -> Any:
    class OnTheDevice:
        __cuda_array_interface__ = {  # noqa: RUF012
            "shape": shape,
            "typestr": "<f4",
            "data": (address, False),
            "strides": None,
            "version": 3,
        }

    return OnTheDevice()
