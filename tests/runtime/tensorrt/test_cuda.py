from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from fixtures.fake_tensorrt import FakeCuda

from edge_ser.errors import EngineError
from edge_ser.runtime.tensorrt import cuda
from edge_ser.runtime.tensorrt.cuda import device_array, stream_handle
from edge_ser.runtime.tensorrt.cuda_bindings import CudaBindings
from edge_ser.runtime.tensorrt.cuda_layer import require_device


@pytest.mark.parametrize(
    "stream",
    [
        77,
        SimpleNamespace(cuda_stream=77),  # torch
        SimpleNamespace(ptr=77),  # CuPy
        SimpleNamespace(handle=77),  # pycuda
        SimpleNamespace(__cuda_stream__=lambda: (0, 77)),  # the protocol
        SimpleNamespace(__cuda_stream__=(0, 77)),
    ],
)
def test_streams_of_every_library_are_taken(stream: Any) -> None:
    assert stream_handle(stream) == 77


@pytest.mark.parametrize("stream", [None, "7", True, object()])
def test_what_is_no_stream_is_refused(stream: Any) -> None:
    with pytest.raises(EngineError, match="no CUDA stream"):
        stream_handle(stream)


def _array(shape: tuple[int, ...], strides: tuple[int, ...] | None) -> Any:
    interface = {"shape": shape, "typestr": "<f4", "data": (4096, False), "strides": strides}
    return SimpleNamespace(__cuda_array_interface__=interface)


def test_device_arrays_are_read() -> None:
    assert device_array(_array((2, 3), None), "x") == (4096, (2, 3), "float32")
    assert device_array(_array((2, 3), (12, 4)), "x") == (4096, (2, 3), "float32")


def test_a_device_array_with_gaps_is_refused() -> None:
    with pytest.raises(EngineError, match="'x' is not contiguous"):
        device_array(_array((2, 3), (4, 8)), "x")
    with pytest.raises(EngineError, match="no array on a CUDA device"):
        device_array(np.zeros(3), "x")


def test_the_device_must_be_there() -> None:
    assert require_device(FakeCuda(("sm87", "sm90")), 1) == "sm90"
    with pytest.raises(EngineError, match="devices are 0: Fake GPU"):
        require_device(FakeCuda(), 1)
    with pytest.raises(EngineError, match="no CUDA device"):
        require_device(FakeCuda(()), 0)


def test_every_layer_has_the_whole_protocol() -> None:
    wanted = {m for m in vars(cuda.Cuda) if not m.startswith("_")}
    wanted |= set(cuda.Cuda.__annotations__)
    for layer in (CudaBindings, FakeCuda()):
        assert [m for m in wanted if not hasattr(layer, m)] == []


def test_every_function_of_cuda_bindings_that_is_named_exists() -> None:
    """Without a driver calls fail, names do not."""
    import inspect
    import re

    from cuda.bindings import runtime

    from edge_ser.runtime.tensorrt import cuda_bindings

    names = set(re.findall(r"cudart\.([A-Za-z_.]+)", inspect.getsource(cuda_bindings)))
    assert len(names) > 15
    for name in names:
        found: Any = runtime
        for part in name.split("."):
            found = getattr(found, part, None)
        assert found is not None, name
    attributes = set(re.findall(r"attribute\.(cuda\w+)", inspect.getsource(cuda_bindings)))
    assert attributes
    assert all(hasattr(runtime.cudaDeviceAttr, a) for a in attributes)


def test_a_machine_without_a_driver_has_no_devices_and_says_so_when_asked_for_memory() -> None:
    layer = CudaBindings()
    if layer.devices():
        assert layer.capability(0).startswith("sm")
        return
    with pytest.raises(EngineError, match=r"take 64 bytes on the device.*error \d+.*doctor"):
        layer.new_memory(64)
