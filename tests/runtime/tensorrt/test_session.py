"""The TensorRT session over a fake TensorRT and a fake CUDA: everything but the GPU.

What needs a GPU is marked `gpu` and lives in `test_tensorrt_gpu.py`.
"""

from __future__ import annotations

import inspect
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from fixtures.fake_tensorrt import FakeCuda, fake_api
from fixtures.tensorrt_bindings import describe_release

from edge_ser.bundles.schema import TensorSpec
from edge_ser.errors import ConfigError, EngineError
from edge_ser.runtime.backend import open_session
from edge_ser.runtime.engine_cache import EngineCache
from edge_ser.runtime.tensorrt.session import TensorRtSession

INPUTS = {"x": TensorSpec(dtype="float32", shape=("N", 3))}
OUTPUTS = {"y": TensorSpec(dtype="float32", shape=("N", 2))}
SHAPES = {"x": ((1, 3), (4, 3), (16, 3))}


def _expected(x: np.ndarray) -> np.ndarray:
    return x @ np.arange(6, dtype=np.float32).reshape(3, 2) + np.float32([10, 20])


def _x(rows: int, seed: int = 0) -> np.ndarray:
    values = np.random.default_rng(seed).integers(-9, 9, (rows, 3))
    return values.astype(np.float32)


@pytest.fixture
def cuda() -> FakeCuda:
    return FakeCuda()


@pytest.fixture
def cache(tmp_path: Path) -> EngineCache:
    return EngineCache(tmp_path / "engines")


def _session(path: Path, cuda: FakeCuda, cache: EngineCache, **options: Any) -> TensorRtSession:
    api = options.pop("api", None) or fake_api(cuda)
    options = {"on_missing": "build"} | options
    return TensorRtSession(
        path, INPUTS, OUTPUTS, SHAPES, api=api, cuda=cuda, cache=cache, **options
    )


def test_the_fake_has_only_members_that_the_real_bindings_have() -> None:
    module = fake_api(FakeCuda()).module
    for release in ("10.3", "11.4"):
        real = describe_release(release)["classes"]
        for name, value in vars(module).items():
            if inspect.isclass(value):
                public = {m for m in vars(value) if not m.startswith("_")}
                assert public <= set(real[name]), (release, name)


def test_runs(affine_graph: Path, cuda: FakeCuda, cache: EngineCache) -> None:
    session = _session(affine_graph, cuda, cache)
    for rows in (1, 4, 4, 4, 16, 2):
        x = _x(rows, rows)
        np.testing.assert_array_equal(session.run({"x": x})["y"], _expected(x))
    assert session.backend == "tensorrt:sm86"


def test_an_answer_is_not_overwritten_by_the_next_call(
    affine_graph: Path, cuda: FakeCuda, cache: EngineCache
) -> None:
    session = _session(affine_graph, cuda, cache)
    first = session.run({"x": _x(4, 1)})["y"]
    session.run({"x": _x(4, 2)})
    np.testing.assert_array_equal(first, _expected(_x(4, 1)))


def test_repeated_shapes_are_replayed_as_a_graph(
    affine_graph: Path, cuda: FakeCuda, cache: EngineCache
) -> None:
    session = _session(affine_graph, cuda, cache)
    launched = []
    for seed, rows in enumerate((4, 4, 4, 8, 8, 4, 4)):
        x = _x(rows, seed)
        np.testing.assert_array_equal(session.run({"x": x})["y"], _expected(x))
        launched.append(cuda.launches)
    assert launched == [0, 1, 2, 2, 3, 3, 4]
    assert len(cuda.graphs) == 1


def test_an_engine_that_cannot_be_captured_just_runs(
    affine_graph: Path, cuda: FakeCuda, cache: EngineCache
) -> None:
    session = _session(affine_graph, cuda, cache, api=fake_api(cuda, capturable=False))
    for seed in range(4):
        np.testing.assert_array_equal(session.run({"x": _x(4, seed)})["y"], _expected(_x(4, seed)))
    assert cuda.launches == 0


@pytest.mark.parametrize("graphs", [True, False])
def test_many_threads_share_two_contexts(
    affine_graph: Path, cache: EngineCache, graphs: bool
) -> None:
    cuda = FakeCuda(graphs=False)
    session = _session(affine_graph, cuda, cache, contexts=2, cuda_graphs=graphs)

    def once(seed: int) -> bool:
        x = _x(1 + seed % 16, seed)
        return bool(np.array_equal(session.run({"x": x})["y"], _expected(x)))

    with ThreadPoolExecutor(8) as pool:
        assert all(pool.map(once, range(100)))


def test_closing_gives_all_memory_back(
    affine_graph: Path, cuda: FakeCuda, cache: EngineCache
) -> None:
    session = _session(affine_graph, cuda, cache, contexts=3)
    for _ in range(3):
        session.run({"x": _x(4)})
    session.close()
    session.close()
    assert (cuda.memory, cuda.pinned, cuda.streams, cuda.graphs) == ({}, {}, {}, {})
    with pytest.raises(EngineError, match="closed"):
        session.run({"x": _x(4)})


def test_running_takes_no_memory(affine_graph: Path, cuda: FakeCuda, cache: EngineCache) -> None:
    session = _session(affine_graph, cuda, cache)
    before = (len(cuda.memory), len(cuda.pinned), len(cuda.streams))
    for rows in range(1, 17):
        session.run({"x": _x(rows)})
    assert (len(cuda.memory), len(cuda.pinned), len(cuda.streams)) == before


def test_a_shape_outside_the_profile_names_the_limits(
    affine_graph: Path, cuda: FakeCuda, cache: EngineCache
) -> None:
    session = _session(affine_graph, cuda, cache)
    with pytest.raises(EngineError, match=r"\[17, 3\].*built for \[1, 3\] to \[16, 3\]"):
        session.run({"x": _x(17)})
    np.testing.assert_array_equal(session.run({"x": _x(16)})["y"], _expected(_x(16)))


def test_without_a_device_nothing_of_tensorrt_is_made(
    affine_graph: Path, cache: EngineCache
) -> None:
    cuda = FakeCuda(capabilities=())
    with pytest.raises(EngineError, match="no CUDA device"):
        _session(affine_graph, cuda, cache)
    with pytest.raises(EngineError, match="no CUDA device 3"):
        _session(affine_graph, FakeCuda(), cache, device=3)


def test_an_engine_that_is_not_there_is_an_error_with_the_command(
    affine_graph: Path, cuda: FakeCuda, cache: EngineCache
) -> None:
    with pytest.raises(EngineError, match="run: edge-ser build-engine --backend tensorrt"):
        _session(affine_graph, cuda, cache, on_missing="error")


def test_a_built_engine_is_kept_and_found(
    affine_graph: Path, cuda: FakeCuda, cache: EngineCache
) -> None:
    _session(affine_graph, cuda, cache)
    (record,) = cache.entries()
    assert record.key.device == "sm86"
    session = _session(affine_graph, cuda, cache, on_missing="error")
    np.testing.assert_array_equal(session.run({"x": _x(3)})["y"], _expected(_x(3)))


@pytest.mark.parametrize(
    ("version", "capability", "reason"),
    [("11.4.0", "sm86", "of version 10.3.0"), ("10.3.0", "sm87", "is for sm86")],
)
def test_an_engine_of_another_version_or_device_is_not_used(
    affine_graph: Path,
    cuda: FakeCuda,
    cache: EngineCache,
    version: str,
    capability: str,
    reason: str,
) -> None:
    _session(affine_graph, cuda, cache)
    other = FakeCuda(capabilities=(capability,))
    with pytest.raises(EngineError, match=reason):
        _session(affine_graph, other, cache, api=fake_api(other, version), on_missing="error")
    _session(affine_graph, other, cache, api=fake_api(other, version), on_missing="build")
    assert len(cache.entries()) == 2


def test_a_gpu_that_this_tensorrt_does_not_know_is_said_before_any_engine_is_looked_for(
    affine_graph: Path, cache: EngineCache
) -> None:
    hopper = FakeCuda(capabilities=("sm90",))
    rtx = fake_api(hopper)
    rtx.module.ComputeCapability = SimpleNamespace(SM86=1, SM120=2)
    with pytest.raises(EngineError, match="does not run on the GPU of this machine, sm90"):
        _session(affine_graph, hopper, cache, api=replace(rtx, backend="tensorrt-rtx"))
    assert cache.entries() == []


def test_an_engine_for_other_shapes_is_not_used(
    affine_graph: Path, cuda: FakeCuda, cache: EngineCache
) -> None:
    _session(affine_graph, cuda, cache)
    wider = {"x": ((1, 3), (4, 3), (32, 3))}
    with pytest.raises(EngineError, match="for other shapes"):
        TensorRtSession(
            affine_graph, INPUTS, OUTPUTS, wider, api=fake_api(cuda), cuda=cuda, cache=cache
        )


def test_a_damaged_engine_never_reaches_tensorrt(
    affine_graph: Path, cuda: FakeCuda, cache: EngineCache
) -> None:
    _session(affine_graph, cuda, cache)
    (record,) = cache.entries()
    record.path.write_bytes(record.path.read_bytes()[:-1] + b"!")
    seen: list[bytes] = []
    api = fake_api(cuda, plans=lambda blob: not seen.append(blob))  # type: ignore[func-returns-value]
    with pytest.raises(EngineError, match="is damaged"):
        _session(affine_graph, cuda, cache, api=api, on_missing="error")
    assert seen == []
    session = _session(affine_graph, cuda, cache, api=api, on_missing="build")
    np.testing.assert_array_equal(session.run({"x": _x(3)})["y"], _expected(_x(3)))
    assert len(seen) == 1


def test_an_engine_that_tensorrt_refuses_is_an_error_with_its_words(
    affine_graph: Path, cuda: FakeCuda, cache: EngineCache
) -> None:
    api = fake_api(cuda, deserialises=False)
    with pytest.raises(EngineError, match="Version tag does not match"):
        _session(affine_graph, cuda, cache, api=api)


def test_the_manifest_is_held_against_the_engine(
    affine_graph: Path, cuda: FakeCuda, cache: EngineCache
) -> None:
    wrong = {"y": TensorSpec(dtype="float32", shape=("N", 5))}
    with pytest.raises(EngineError, match="manifest declares the output 'y'"):
        TensorRtSession(
            affine_graph,
            INPUTS,
            wrong,
            SHAPES,
            api=fake_api(cuda),
            cuda=cuda,
            cache=cache,
            on_missing="build",
        )


class _DeviceArray:
    """What torch, CuPy and pycuda show of an array."""

    def __init__(self, cuda: FakeCuda, value: np.ndarray) -> None:
        raw = np.ascontiguousarray(value).reshape(-1).view(np.uint8)
        address = cuda.new_memory(raw.size)
        cuda.memory[address][:] = raw
        self.bytes = cuda.memory[address]
        self.__cuda_array_interface__ = {
            "shape": value.shape,
            "typestr": value.dtype.str,
            "data": (address, False),
            "strides": None,
            "version": 3,
        }


def test_a_bound_context_works_on_the_callers_stream_and_waits_for_nobody(
    affine_graph: Path, cuda: FakeCuda, cache: EngineCache
) -> None:
    session = _session(affine_graph, cuda, cache)
    stream = cuda.new_stream()
    bound = session.bind(SimpleNamespace(cuda_stream=stream))
    x, y = _DeviceArray(cuda, _x(5)), _DeviceArray(cuda, np.zeros((5, 2), np.float32))
    bound.enqueue({"x": x}, {"y": y})
    assert not y.bytes.any()
    cuda.wait(stream)
    np.testing.assert_array_equal(y.bytes.view(np.float32).reshape(5, 2), _expected(_x(5)))


def test_a_bound_context_refuses_what_does_not_fit(
    affine_graph: Path, cuda: FakeCuda, cache: EngineCache
) -> None:
    bound = _session(affine_graph, cuda, cache).bind(cuda.new_stream())
    x, y = _DeviceArray(cuda, _x(5)), _DeviceArray(cuda, np.zeros((5, 2), np.float32))
    with pytest.raises(EngineError, match="'y' is missing"):
        bound.enqueue({"x": x}, {})
    with pytest.raises(EngineError, match="no array on a CUDA device"):
        bound.enqueue({"x": _x(5)}, {"y": y})
    with pytest.raises(EngineError, match="float64"):
        bound.enqueue({"x": _DeviceArray(cuda, _x(5).astype(np.float64))}, {"y": y})
    short = _DeviceArray(cuda, np.zeros((4, 2), np.float32))
    with pytest.raises(EngineError, match=r"will have the shape \[5, 2\]"):
        bound.enqueue({"x": x}, {"y": short})
    with pytest.raises(EngineError, match="built for"):
        bound.enqueue({"x": _DeviceArray(cuda, _x(17))}, {"y": y})


def test_the_backend_needs_the_manifest(affine_graph: Path) -> None:
    with pytest.raises(ConfigError, match="needs the graph's inputs, outputs and shapes"):
        open_session(affine_graph, backend="tensorrt")
