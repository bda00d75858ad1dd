"""The CUDA layer over `pycuda`, for machines where only that is installed.

The device's primary context is used, the one that TensorRT and every other library share.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import numpy as np
import pycuda.driver as driver

from edge_ser.errors import EngineError
from edge_ser.runtime.tensorrt.cuda import PinnedArray


class PyCuda:
    """Thread contract: any thread; each gets the device's primary context pushed once."""

    name = "pycuda"
    captures_graphs = False

    def __init__(self) -> None:
        self._contexts: dict[int, Any] = {}
        self._streams: dict[int, Any] = {}
        self._memory: dict[int, Any] = {}
        self._lock = threading.Lock()
        self._thread = threading.local()
        try:
            driver.init()
            self._count = int(driver.Device.count())
        except driver.Error:
            self._count = 0

    def devices(self) -> list[str]:
        """One ``NVIDIA Orin (sm87)`` a device; empty without a device or driver."""
        return [f"{driver.Device(i).name()} ({self.capability(i)})" for i in range(self._count)]

    def capability(self, device: int) -> str:
        """``sm87``."""
        major, minor = driver.Device(device).compute_capability()
        return f"sm{major}{minor}"

    def use(self, device: int) -> None:
        """Make a device current on the calling thread."""
        if getattr(self._thread, "device", None) == device:
            return
        with self._lock:
            if device not in self._contexts:
                self._contexts[device] = driver.Device(device).retain_primary_context()
        self._contexts[device].push()
        self._thread.device = device

    def new_stream(self) -> int:
        """A stream that does not wait for the default stream."""
        stream = self._guarded("make a stream", lambda: driver.Stream(1))
        with self._lock:
            self._streams[int(stream.handle)] = stream
        return int(stream.handle)

    def free_stream(self, stream: int) -> None:
        """Destroy a stream."""
        with self._lock:
            self._streams.pop(stream, None)

    def wait(self, stream: int) -> None:
        """Block until everything in the stream is done."""
        self._guarded("finish what was queued", self._stream(stream).synchronize)

    def new_memory(self, size: int) -> int:
        """Address of so many bytes on the device."""
        what = f"take {size} bytes on the device"
        allocation = self._guarded(what, lambda: driver.mem_alloc(size))
        with self._lock:
            self._memory[int(allocation)] = allocation
        return int(allocation)

    def free_memory(self, address: int) -> None:
        """Give them back."""
        with self._lock:
            allocation = self._memory.pop(address, None)
        if allocation is not None:
            allocation.free()

    def new_pinned(self, size: int) -> PinnedArray:
        """Page-locked host memory of so many bytes."""
        what = f"pin {size} bytes of host memory"
        pinned = self._guarded(what, lambda: driver.pagelocked_empty(size, np.uint8))
        return np.asarray(pinned)

    def free_pinned(self, memory: PinnedArray) -> None:
        """Nothing to do: pycuda frees it with the array."""

    def copy_to_device(self, target: int, source: PinnedArray, size: int, stream: int) -> None:
        """Queue a copy of the first `size` bytes."""
        queue = self._stream(stream)
        self._guarded(
            "copy to the device",
            lambda: driver.memcpy_htod_async(target, source[:size], queue),
        )

    def copy_to_host(self, target: PinnedArray, source: int, size: int, stream: int) -> None:
        """Queue a copy of the first `size` bytes."""
        queue = self._stream(stream)
        self._guarded(
            "copy from the device",
            lambda: driver.memcpy_dtoh_async(target[:size], source, queue),
        )

    def capture(self, stream: int, work: Callable[[], None]) -> int:  # noqa: ARG002
        """Raise: pycuda records no graphs (`captures_graphs` says so)."""
        raise EngineError("pycuda records no CUDA graphs; pip install cuda-python for them")

    def launch(self, graph: int, stream: int) -> None:  # noqa: ARG002
        """Raise, as `capture`."""
        raise EngineError("pycuda launches no CUDA graphs; pip install cuda-python for them")

    def free_graph(self, graph: int) -> None:
        """Nothing to do: there is none."""

    def _stream(self, handle: int) -> Any:
        with self._lock:
            stream = self._streams.get(handle)
        if stream is None:
            raise EngineError(f"the stream {handle} was not made by this CUDA layer")
        return stream

    def _guarded(self, what: str, call: Callable[[], Any]) -> Any:
        try:
            return call()
        except driver.Error as error:
            raise EngineError(f"CUDA failed to {what}: {error}") from error
