"""One execution context with its stream, pinned host buffers and device buffers."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from edge_ser.bundles.schema import TensorSpec
from edge_ser.errors import EngineError
from edge_ser.runtime.session import Tensor
from edge_ser.runtime.tensorrt.api import ExecutionContext
from edge_ser.runtime.tensorrt.cuda import Cuda, PinnedArray

Signature = tuple[tuple[int, ...], ...]


@dataclass
class _Buffer:
    host: PinnedArray
    device: int


@dataclass
class Slot:
    """Runs one call at a time; sized once for the largest shapes, so that a run takes no memory.

    Repeated calls of one shape are recorded as a CUDA graph, copies included. TensorRT wants one
    plain run after every change of shapes before a recording, and a change makes the recording
    invalid: a shape is recorded when it comes the second time in a row.
    """

    context: ExecutionContext
    cuda: Cuda
    inputs: Mapping[str, TensorSpec]
    outputs: Mapping[str, TensorSpec]
    largest: Mapping[str, tuple[int, ...]]
    graphs: bool
    name: str
    _buffers: dict[str, _Buffer] = field(default_factory=dict)
    _signature: Signature | None = None
    _sizes: dict[str, int] = field(default_factory=dict)
    _shapes: dict[str, tuple[int, ...]] = field(default_factory=dict)
    _graph: int | None = None
    _capturable: bool = True
    _stream: int = 0

    def __post_init__(self) -> None:
        """Take the memory."""
        self._stream = self.cuda.new_stream()
        try:
            self._set_shapes(self.largest)
            for name in (*self.inputs, *self.outputs):
                # A zero-sized tensor still needs an address.
                size = max(self._sizes[name], 16)
                buffer = _Buffer(self.cuda.new_pinned(size), self.cuda.new_memory(size))
                self._buffers[name] = buffer
                if not self.context.set_tensor_address(name, buffer.device):
                    raise EngineError(f"{self.name}: TensorRT refuses the memory of {name!r}")
        except BaseException:
            self.close()
            raise
        self._signature = None

    def run(self, inputs: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Copy in, run, copy out.

        Raises:
            EngineError: TensorRT or CUDA fails.
        """
        signature = tuple(value.shape for value in inputs.values())
        repeated = signature == self._signature
        if not repeated:
            self._forget_graph()
            # None until it has run once: a failed run must not count as the first.
            self._signature = None
            self._set_shapes({name: value.shape for name, value in inputs.items()})
        for name, value in inputs.items():
            target = self._buffers[name].host[: value.nbytes]
            np.copyto(target, value.reshape(-1).view(np.uint8))
        if self._graph is not None:
            self.cuda.launch(self._graph, self._stream)
        elif repeated and self.graphs and self._capturable:
            self._record()
        else:
            self._queue()
        self.cuda.wait(self._stream)
        self._signature = signature
        return {name: self._result(name) for name in self.outputs}

    def close(self) -> None:
        """Give everything back; a second call does nothing."""
        self._forget_graph()
        for buffer in self._buffers.values():
            self.cuda.free_memory(buffer.device)
            self.cuda.free_pinned(buffer.host)
        self._buffers = {}
        if self._stream:
            self.cuda.free_stream(self._stream)
            self._stream = 0

    def _set_shapes(self, shapes: Mapping[str, tuple[int, ...]]) -> None:
        for name, shape in shapes.items():
            if not self.context.set_input_shape(name, shape):
                raise EngineError(f"{self.name}: TensorRT refuses {name!r} of shape {list(shape)}")
            self._shapes[name] = tuple(shape)
        unknown = self.context.infer_shapes()
        if unknown:
            raise EngineError(f"{self.name}: TensorRT cannot tell the shape of {unknown[0]!r}")
        for name in self.outputs:
            self._shapes[name] = tuple(int(n) for n in self.context.get_tensor_shape(name))
        for name, spec in (*self.inputs.items(), *self.outputs.items()):
            self._sizes[name] = math.prod(self._shapes[name]) * np.dtype(spec.dtype).itemsize

    def _queue(self) -> None:
        for name in self.inputs:
            buffer = self._buffers[name]
            self.cuda.copy_to_device(buffer.device, buffer.host, self._sizes[name], self._stream)
        if not self.context.execute_async_v3(self._stream):
            raise EngineError(f"{self.name}: TensorRT could not queue the run")
        for name in self.outputs:
            buffer = self._buffers[name]
            self.cuda.copy_to_host(buffer.host, buffer.device, self._sizes[name], self._stream)

    def _record(self) -> None:
        try:
            self._graph = self.cuda.capture(self._stream, self._queue)
        except EngineError:
            # Some engines (control flow, shape tensors) cannot be recorded: they just run.
            self._capturable = False
            self._queue()
            return
        self.cuda.launch(self._graph, self._stream)

    def _forget_graph(self) -> None:
        if self._graph is not None:
            self.cuda.free_graph(self._graph)
            self._graph = None

    def _result(self, name: str) -> Tensor:
        dtype = np.dtype(self.outputs[name].dtype)
        raw = self._buffers[name].host[: self._sizes[name]]
        # A copy: the buffer belongs to the next call.
        return np.array(raw.view(dtype).reshape(self._shapes[name]))
