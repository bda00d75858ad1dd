"""The CUDA layer over NVIDIA's `cuda.bindings` (package cuda-python)."""

from __future__ import annotations

import ctypes
from collections.abc import Callable
from typing import Any

import numpy as np
from cuda.bindings import runtime as cudart

from edge_ser.errors import EngineError
from edge_ser.runtime.tensorrt.cuda import PinnedArray


def _check(answer: tuple[Any, ...], what: str) -> Any:
    """The value of a call, or an error with CUDA's own words."""
    status, *values = answer
    if int(status) != 0:
        words = cudart.cudaGetErrorString(status)[1]
        text = words.decode() if isinstance(words, bytes) else str(words)
        raise EngineError(
            f"CUDA failed to {what}: {text} (error {int(status)}); "
            "run edge-ser doctor to see the device and its driver"
        )
    return values[0] if len(values) == 1 else tuple(values)


class CudaBindings:
    """Thread contract: stateless but for CUDA's current device, which belongs to each thread."""

    name = "cuda.bindings"
    captures_graphs = True

    def devices(self) -> list[str]:
        """One ``NVIDIA Orin (sm87)`` a device; empty without a device or driver."""
        status, count = cudart.cudaGetDeviceCount()
        if int(status) != 0 or not count:
            return []
        names = []
        for index in range(int(count)):
            properties = _check(cudart.cudaGetDeviceProperties(index), "read a device's name")
            raw = properties.name
            name = raw.decode() if isinstance(raw, bytes) else str(raw)
            names.append(f"{name.strip(chr(0))} ({self.capability(index)})")
        return names

    def capability(self, device: int) -> str:
        """``sm87``."""
        attribute = cudart.cudaDeviceAttr
        parts = [
            _check(cudart.cudaDeviceGetAttribute(a, device), "read the compute capability")
            for a in (
                attribute.cudaDevAttrComputeCapabilityMajor,
                attribute.cudaDevAttrComputeCapabilityMinor,
            )
        ]
        return f"sm{parts[0]}{parts[1]}"

    def use(self, device: int) -> None:
        """Make a device current on the calling thread."""
        _check(cudart.cudaSetDevice(device), f"use device {device}")

    def new_stream(self) -> int:
        """A stream that does not wait for the default stream."""
        flags = cudart.cudaStreamNonBlocking
        return int(_check(cudart.cudaStreamCreateWithFlags(flags), "make a stream"))

    def free_stream(self, stream: int) -> None:
        """Destroy a stream."""
        _check(cudart.cudaStreamDestroy(stream), "destroy a stream")

    def wait(self, stream: int) -> None:
        """Block until everything in the stream is done."""
        _check(cudart.cudaStreamSynchronize(stream), "finish what was queued")

    def new_memory(self, size: int) -> int:
        """Address of so many bytes on the device."""
        return int(_check(cudart.cudaMalloc(size), f"take {size} bytes on the device"))

    def free_memory(self, address: int) -> None:
        """Give them back."""
        _check(cudart.cudaFree(address), "free device memory")

    def new_pinned(self, size: int) -> PinnedArray:
        """Page-locked host memory of so many bytes."""
        address = int(_check(cudart.cudaMallocHost(size), f"pin {size} bytes of host memory"))
        return np.ctypeslib.as_array((ctypes.c_uint8 * size).from_address(address))

    def free_pinned(self, memory: PinnedArray) -> None:
        """Give it back."""
        _check(cudart.cudaFreeHost(memory.ctypes.data), "free pinned memory")

    def copy_to_device(self, target: int, source: PinnedArray, size: int, stream: int) -> None:
        """Queue a copy of the first `size` bytes."""
        kind = cudart.cudaMemcpyKind.cudaMemcpyHostToDevice
        answer = cudart.cudaMemcpyAsync(target, source.ctypes.data, size, kind, stream)
        _check(answer, "copy to the device")

    def copy_to_host(self, target: PinnedArray, source: int, size: int, stream: int) -> None:
        """Queue a copy of the first `size` bytes."""
        kind = cudart.cudaMemcpyKind.cudaMemcpyDeviceToHost
        answer = cudart.cudaMemcpyAsync(target.ctypes.data, source, size, kind, stream)
        _check(answer, "copy from the device")

    def capture(self, stream: int, work: Callable[[], None]) -> int:
        """Record what `work` queues on the stream, and give the executable graph."""
        # Thread-local: other threads may allocate meanwhile.
        mode = cudart.cudaStreamCaptureMode.cudaStreamCaptureModeThreadLocal
        _check(cudart.cudaStreamBeginCapture(stream, mode), "begin a capture")
        try:
            work()
        finally:
            graph = _check(cudart.cudaStreamEndCapture(stream), "end a capture")
        try:
            return int(_check(cudart.cudaGraphInstantiate(graph, 0), "make a CUDA graph"))
        finally:
            cudart.cudaGraphDestroy(graph)

    def launch(self, graph: int, stream: int) -> None:
        """Queue a recorded graph."""
        _check(cudart.cudaGraphLaunch(graph, stream), "launch a CUDA graph")

    def free_graph(self, graph: int) -> None:
        """Destroy a recorded graph."""
        _check(cudart.cudaGraphExecDestroy(graph), "destroy a CUDA graph")
