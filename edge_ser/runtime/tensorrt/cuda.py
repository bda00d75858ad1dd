"""CUDA devices, memory and streams, through `cuda.bindings` or, where only that is, `pycuda`.

NVIDIA left pycuda in its samples, and it has no wheels; a Jetson image may have it alone, though,
and a host application may use it. Streams and buffers of torch, CuPy and pycuda are accepted.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final, Protocol

import numpy as np
import numpy.typing as npt

from edge_ser.errors import EngineError

PinnedArray = npt.NDArray[np.uint8]


class Cuda(Protocol):
    """What the runtime needs of CUDA. Handles and addresses are plain integers."""

    name: str
    captures_graphs: bool

    def devices(self) -> list[str]:
        """One ``NVIDIA Orin (sm87)`` a device; empty without a device or driver."""

    def capability(self, device: int) -> str:
        """``sm87``."""

    def use(self, device: int) -> None:
        """Make a device current on the calling thread."""

    def new_stream(self) -> int:
        """A stream that does not wait for the default stream."""

    def free_stream(self, stream: int) -> None:
        """Destroy a stream."""

    def wait(self, stream: int) -> None:
        """Block until everything in the stream is done."""

    def new_memory(self, size: int) -> int:
        """Address of so many bytes on the device."""

    def free_memory(self, address: int) -> None:
        """Give them back."""

    def new_pinned(self, size: int) -> PinnedArray:
        """Page-locked host memory: copies from it run beside the computation."""

    def free_pinned(self, memory: PinnedArray) -> None:
        """Give it back."""

    def copy_to_device(self, target: int, source: PinnedArray, size: int, stream: int) -> None:
        """Queue a copy of the first `size` bytes."""

    def copy_to_host(self, target: PinnedArray, source: int, size: int, stream: int) -> None:
        """Queue a copy of the first `size` bytes."""

    def capture(self, stream: int, work: Callable[[], None]) -> int:
        """Record what `work` queues on the stream, and give the executable graph."""

    def launch(self, graph: int, stream: int) -> None:
        """Queue a recorded graph."""

    def free_graph(self, graph: int) -> None:
        """Destroy a recorded graph."""


_STREAM_ATTRIBUTES: Final = ("cuda_stream", "ptr", "handle")
"""torch, CuPy and pycuda, in this order, call a stream's handle this."""


def stream_handle(stream: Any) -> int:
    """The handle of a stream of any library.

    Args:
        stream: an integer handle, an object of the `__cuda_stream__` protocol, or a stream of
            torch, CuPy or pycuda.

    Raises:
        EngineError: it is none of these.
    """
    if isinstance(stream, int) and not isinstance(stream, bool):
        return stream
    protocol = getattr(stream, "__cuda_stream__", None)
    if protocol is not None:
        version_and_handle = protocol() if callable(protocol) else protocol
        return int(version_and_handle[1])
    for attribute in _STREAM_ATTRIBUTES:
        handle = getattr(stream, attribute, None)
        if handle is not None:
            return int(handle)
    raise EngineError(
        f"a {type(stream).__name__} is no CUDA stream; give an integer handle, or a stream of "
        "torch, CuPy or pycuda"
    )


def device_array(value: Any, name: str) -> tuple[int, tuple[int, ...], str]:
    """Address, shape and dtype of a tensor that lies on the device.

    Args:
        value: anything with `__cuda_array_interface__` (torch, CuPy, pycuda, Numba).
        name: of the tensor, for messages.

    Raises:
        EngineError: it has no such interface or is not C-contiguous.
    """
    interface = getattr(value, "__cuda_array_interface__", None)
    if interface is None:
        raise EngineError(
            f"{name!r} is a {type(value).__name__}, which is no array on a CUDA device; "
            "give a torch, CuPy or pycuda array there"
        )
    shape = tuple(int(n) for n in interface["shape"])
    dtype = np.dtype(interface["typestr"])
    strides = interface.get("strides")
    if strides is not None:
        dense = np.empty(shape, dtype=np.int8).strides if 0 not in shape else ()
        if tuple(strides) != tuple(s * dtype.itemsize for s in dense):
            raise EngineError(f"{name!r} is not contiguous; make it so (.contiguous(), .copy())")
    return int(interface["data"][0]), shape, dtype.name
