"""What needs a GPU: engines are deserialised and run, on whatever CUDA device is here."""

from __future__ import annotations

import importlib.util
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edge_ser.bundles.schema import TensorSpec
from edge_ser.errors import EngineError, MissingExtraError
from edge_ser.runtime.engine_cache import EngineCache
from edge_ser.runtime.tensorrt.api import MODULES, TensorRt, load_tensorrt
from edge_ser.runtime.tensorrt.cuda import Cuda
from edge_ser.runtime.tensorrt.cuda_layer import load_cuda
from edge_ser.runtime.tensorrt.session import TensorRtSession

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


def _session(graph: Path, folder: Path, api: TensorRt, **options: Any) -> TensorRtSession:
    cache = EngineCache(folder / "engines")
    options = {"contexts": 2, "on_missing": "build"} | options
    return TensorRtSession(graph, INPUTS, OUTPUTS, SHAPES, api=api, cache=cache, **options)


@pytest.fixture
def session(affine_graph: Path, tmp_path: Path, api: TensorRt) -> TensorRtSession:
    return _session(affine_graph, tmp_path, api)


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


def test_more_threads_than_contexts_wait_for_their_turn(
    affine_graph: Path, tmp_path: Path, api: TensorRt
) -> None:
    one = _session(affine_graph, tmp_path, api, contexts=1)
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda seed: one.run({"x": _x(4, seed)})["y"], range(64)))
    for seed, answer in enumerate(answers):
        np.testing.assert_allclose(answer, _expected(_x(4, seed)), rtol=2e-3, atol=0.05)
    one.close()


def test_without_graphs_the_answers_are_the_same(
    affine_graph: Path, tmp_path: Path, api: TensorRt
) -> None:
    plain = _session(affine_graph, tmp_path, api, cuda_graphs=False)
    replayed = _session(affine_graph, tmp_path, api, cuda_graphs=True)
    for seed in range(4):
        x = {"x": _x(4, seed)}
        np.testing.assert_array_equal(plain.run(x)["y"], replayed.run(x)["y"])
    plain.close()
    replayed.close()


class _OnTheDevice:
    """Memory of our own with the interface that torch, CuPy and pycuda offer."""

    def __init__(self, cuda: Cuda, shape: tuple[int, ...]) -> None:
        self.cuda, self.size = cuda, 4 * int(np.prod(shape))
        self.address = cuda.new_memory(self.size)
        self.host = cuda.new_pinned(self.size)
        self.shape = shape
        self.__cuda_array_interface__ = {
            "shape": shape,
            "typestr": "<f4",
            "data": (self.address, False),
            "strides": None,
            "version": 3,
        }

    def send(self, value: np.ndarray, stream: int) -> None:
        self.host[:] = value.reshape(-1).view(np.uint8)
        self.cuda.copy_to_device(self.address, self.host, self.size, stream)

    def fetch(self, stream: int) -> None:
        self.cuda.copy_to_host(self.host, self.address, self.size, stream)

    def value(self) -> np.ndarray:
        return self.host.view(np.float32).reshape(self.shape).copy()


def test_contexts_on_several_streams_at_once(session: TensorRtSession) -> None:
    """Everything is queued on every stream before anybody waits for one."""
    cuda = load_cuda()
    queued = []
    for seed in range(4):
        stream, x = cuda.new_stream(), _x(5, seed)
        given, made = _OnTheDevice(cuda, (5, 3)), _OnTheDevice(cuda, (5, 2))
        given.send(x, stream)
        session.bind(stream).enqueue({"x": given}, {"y": made})
        made.fetch(stream)
        queued.append((stream, x, given, made))
    for stream, x, _, made in queued:
        cuda.wait(stream)
        np.testing.assert_allclose(made.value(), _expected(x), rtol=2e-3, atol=0.05)
    session.close()


def _libraries() -> list[str]:
    """Those of torch, CuPy and pycuda that are here and see the device."""
    found = []
    if importlib.util.find_spec("torch") is not None:
        import torch

        found += ["torch"] if torch.cuda.is_available() else []
    return found + [n for n in ("cupy", "pycuda") if importlib.util.find_spec(n) is not None]


def _run_with_torch(session: TensorRtSession, x: np.ndarray) -> np.ndarray:
    import torch

    stream = torch.cuda.Stream()
    with torch.cuda.stream(stream):
        given = torch.from_numpy(x).cuda()
        made = torch.empty((len(x), 2), device="cuda")
        session.bind(stream).enqueue({"x": given}, {"y": made})
        doubled = made * 2  # the library's own work on the same stream comes after ours
    stream.synchronize()
    return np.asarray(doubled.cpu().numpy() / 2)


def _run_with_cupy(session: TensorRtSession, x: np.ndarray) -> np.ndarray:
    import cupy

    stream = cupy.cuda.Stream(non_blocking=True)
    with stream:
        given, made = cupy.asarray(x), cupy.empty((len(x), 2), cupy.float32)
        session.bind(stream).enqueue({"x": given}, {"y": made})
        doubled = made * 2
    stream.synchronize()
    return np.asarray(cupy.asnumpy(doubled) / 2)


def _run_with_pycuda(session: TensorRtSession, x: np.ndarray) -> np.ndarray:
    import pycuda.driver as driver
    from pycuda import gpuarray

    driver.init()
    context = driver.Device(0).retain_primary_context()
    context.push()
    try:
        stream = driver.Stream()
        given = gpuarray.to_gpu_async(x, stream=stream)
        made = gpuarray.empty((len(x), 2), np.float32)
        session.bind(stream).enqueue({"x": given}, {"y": made})
        stream.synchronize()
        return np.asarray(made.get())
    finally:
        context.pop()


@pytest.mark.parametrize("library", _libraries() or ["none of torch, CuPy and pycuda"])
def test_streams_and_arrays_of_other_libraries(session: TensorRtSession, library: str) -> None:
    runs = {"torch": _run_with_torch, "cupy": _run_with_cupy, "pycuda": _run_with_pycuda}
    if library not in runs:
        # Nothing to share a stream with: the raw handle is what remains to be taken.
        assert session.bind(load_cuda().new_stream()) is not None
        return
    x = _x(5)
    np.testing.assert_allclose(runs[library](session, x), _expected(x), rtol=2e-3, atol=0.05)


def test_an_engine_that_is_damaged_on_disk_never_reaches_the_device(
    affine_graph: Path, tmp_path: Path, api: TensorRt
) -> None:
    _session(affine_graph, tmp_path, api).close()
    cache = EngineCache(tmp_path / "engines")
    (record,) = (r for r in cache.entries() if r.key.graph == "affine")
    content = bytearray(record.path.read_bytes())
    content[-1] ^= 0xFF
    record.path.write_bytes(content)
    with pytest.raises(EngineError, match="is damaged"):
        _session(affine_graph, tmp_path, api, on_missing="error")


@pytest.mark.parametrize("precision", ["fp32", "fp16"])
def test_the_default_bundle_answers_as_on_the_cpu(
    api: TensorRt, precision: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The five graphs, built and run on this device, against ONNX Runtime's CPU in fp32."""
    monkeypatch.setenv("EDGE_SER_CACHE", str(tmp_path))
    from edge_ser.bundles.loading import load_bundle
    from edge_ser.export.comparison.compare import compare
    from edge_ser.export.variants.variant import Variant

    variants = [Variant("onnxruntime", "fp32"), Variant(api.backend, precision)]
    reference, on_device = compare(load_bundle(), variants, [], rounds=1)
    assert on_device.not_run is None
    assert set(on_device.graphs) == set(reference.graphs)
    assert on_device.forced == ()
    # A sum in another order, or TF32 products: far less than any other label needs.
    assert on_device.graphs["fusion"].largest < 0.1
    assert on_device.pipeline is not None
