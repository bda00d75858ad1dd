"""The CUDA layer on a real device: memory, streams, graphs."""

from __future__ import annotations

import numpy as np
import pytest

from edge_ser.errors import EngineError
from edge_ser.machine.inspection import cuda_device_count
from edge_ser.runtime.tensorrt.cuda import Cuda
from edge_ser.runtime.tensorrt.cuda_layer import load_cuda, require_device

pytestmark = pytest.mark.gpu


@pytest.fixture
def cuda() -> Cuda:
    layer = load_cuda()
    layer.use(0)
    return layer


def test_the_layer_sees_the_devices_that_the_driver_shows(cuda: Cuda) -> None:
    assert len(cuda.devices()) == cuda_device_count()
    assert require_device(cuda, 0) == cuda.capability(0)
    with pytest.raises(EngineError, match="no CUDA device 99"):
        require_device(cuda, 99)


def test_bytes_go_to_the_device_and_come_back(cuda: Cuda) -> None:
    size = 1 << 20
    stream, memory = cuda.new_stream(), cuda.new_memory(size)
    there, back = cuda.new_pinned(size), cuda.new_pinned(size)
    there[:] = np.random.default_rng(0).integers(0, 256, size, dtype=np.uint8)
    back[:] = 0
    cuda.copy_to_device(memory, there, size, stream)
    cuda.copy_to_host(back, memory, size, stream)
    cuda.wait(stream)
    np.testing.assert_array_equal(back, there)
    cuda.free_memory(memory)
    cuda.free_pinned(there)
    cuda.free_pinned(back)
    cuda.free_stream(stream)


def test_a_captured_copy_is_replayed_with_new_bytes(cuda: Cuda) -> None:
    if not cuda.captures_graphs:
        with pytest.raises(EngineError, match="cuda-python"):
            cuda.capture(cuda.new_stream(), lambda: None)
        return
    stream, memory = cuda.new_stream(), cuda.new_memory(64)
    there, back = cuda.new_pinned(64), cuda.new_pinned(64)

    def copies() -> None:
        cuda.copy_to_device(memory, there, 64, stream)
        cuda.copy_to_host(back, memory, 64, stream)

    graph = cuda.capture(stream, copies)
    for value in (3, 250):
        there[:] = value
        cuda.launch(graph, stream)
        cuda.wait(stream)
        assert (back == value).all()
    cuda.free_graph(graph)


def test_more_memory_than_there_is_is_an_error_that_names_the_size(cuda: Cuda) -> None:
    with pytest.raises(EngineError, match="take 1125899906842624 bytes"):
        cuda.new_memory(1 << 50)
    # The failed call must not poison the next one.
    cuda.free_memory(cuda.new_memory(64))
