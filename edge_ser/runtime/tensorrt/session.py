"""TensorRT and TensorRT for RTX behind the `Session` protocol: one implementation, two modules."""

from __future__ import annotations

import logging
import queue
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final, Literal, cast

from edge_ser.bundles.graph_content import GraphContent
from edge_ser.bundles.schema import TensorSpec
from edge_ser.errors import EngineError
from edge_ser.runtime.engine_cache import EngineCache, EngineKey, Shapes
from edge_ser.runtime.session import Tensor
from edge_ser.runtime.tensor_check import check_declared, check_inputs
from edge_ser.runtime.tensorrt import build as tensorrt_build
from edge_ser.runtime.tensorrt.api import (
    CudaEngine,
    ExecutionContext,
    Runtime,
    TensorRt,
)
from edge_ser.runtime.tensorrt.cuda import Cuda, device_array, stream_handle
from edge_ser.runtime.tensorrt.cuda_layer import load_cuda, require_device
from edge_ser.runtime.tensorrt.slot import Slot

_LOG = logging.getLogger(__name__)

OnMissing = Literal["error", "build"]
"""What to do when the cache has no engine for this graph, TensorRT, device and shapes."""

DEFAULT_CONTEXTS: Final = 1


class TensorRtSession:
    """An engine on a CUDA device.

    Thread contract: `run` may be called from any thread, also at once: each call takes one of
    `contexts` execution contexts and waits while all are busy. `bind` gives a context of its own
    for a caller's stream, which belongs to one thread at a time. `close` must not be called while
    another call runs.
    """

    def __init__(
        self,
        graph: Path | GraphContent,
        inputs: Mapping[str, TensorSpec],
        outputs: Mapping[str, TensorSpec],
        shapes: Shapes,
        *,
        api: TensorRt,
        cuda: Cuda | None = None,
        cache: EngineCache | None = None,
        device: int = 0,
        contexts: int = DEFAULT_CONTEXTS,
        cuda_graphs: bool = True,
        on_missing: OnMissing = "error",
    ) -> None:
        """Load the engine of a graph from the cache, or build it.

        Args:
            graph: what the engine was built from: the ONNX file, or what was read of it.
            inputs: what the manifest declares.
            outputs: likewise.
            shapes: as `edge_ser.runtime.shape_profiles` gives them: engines are kept by them.
            api: which TensorRT; see `load_tensorrt`.
            cuda: the CUDA layer; None takes the installed one.
            cache: where engines lie; None for the default folder.
            device: index of the CUDA device.
            contexts: calls that may run at once.
            cuda_graphs: record repeated calls of one shape and replay them.
            on_missing: whether to build an engine that is not in the cache (minutes on a Jetson),
                or raise.

        Raises:
            EngineError: there is no such device, or this TensorRT does not run on it; the cache
                holds no engine for it and none shall be built; the engine is damaged (its hash is
                checked before TensorRT sees it) or does not load; it differs from the manifest.
        """
        self._cuda = load_cuda() if cuda is None else cuda
        # A TensorRT runtime that is made without a device can crash the process.
        capability = require_device(self._cuda, device)
        if not tensorrt_build.runs_on(api, capability):
            raise EngineError(
                f"{api.name} does not run on the GPU of this machine, {capability}; use the "
                "backend tensorrt or onnxruntime:cuda"
            )
        self._cuda.use(device)
        self._api = api
        self._path = graph if isinstance(graph, Path) else graph.path
        self._device = device
        self.inputs, self.outputs = dict(inputs), dict(outputs)
        self.backend = f"{api.backend}:{capability}"
        self._messages: list[str] = []
        self._logger = api.logger(self._messages)
        engines = EngineCache() if cache is None else cache
        blob = find_engine(GraphContent.of(graph), shapes, api, capability, engines, on_missing)
        self._runtime: Runtime | None = cast(Runtime, api.module.Runtime(self._logger))
        self._engine: CudaEngine | None = self._runtime.deserialize_cuda_engine(blob)
        if self._engine is None:
            raise EngineError(
                f"{self._path}: {api.name} refuses its engine: {'; '.join(self._messages[-3:])}; "
                "build it again: edge-ser build-engine"
            )
        self._check_tensors(self._engine)
        self._limits = {
            name: [tuple(int(n) for n in s) for s in self._engine.get_tensor_profile_shape(name, 0)]
            for name in self.inputs
        }
        self._graphs = cuda_graphs and self._cuda.captures_graphs
        self._slots: queue.LifoQueue[Slot] = queue.LifoQueue()
        self._all_slots = [self._new_slot() for _ in range(max(contexts, 1))]
        for slot in self._all_slots:
            self._slots.put(slot)
        self._closed = False
        self._lock = threading.Lock()

    def run(self, inputs: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Run the engine once on host arrays.

        Raises:
            EngineError: a tensor is missing, of a wrong dtype or shape, or outside the shapes
                that the engine was built for; the session is closed; or TensorRT fails.
        """
        checked = check_inputs(self.inputs, inputs, self._path.name)
        self._check_limits({name: value.shape for name, value in checked.items()})
        with self._slot() as slot:
            return slot.run(checked)

    def bind(self, stream: Any) -> BoundContext:
        """A context of its own that queues work on the caller's stream.

        Args:
            stream: an integer handle, or a stream of torch, CuPy or pycuda.

        Raises:
            EngineError: it is no stream, or no context can be made.
        """
        return BoundContext(self, self._new_context(), stream_handle(stream))

    def close(self) -> None:
        """Free the device memory; a second call does nothing."""
        with self._lock:
            if self._closed:
                return
            self._closed = True
        self._cuda.use(self._device)
        for slot in self._all_slots:
            slot.close()
        self._all_slots = []
        self._engine = None
        self._runtime = None

    @contextmanager
    def _slot(self) -> Iterator[Slot]:
        if self._closed:
            raise EngineError(f"{self._path}: the session is closed; open a new one")
        slot = self._slots.get()
        try:
            self._cuda.use(self._device)
            yield slot
        finally:
            self._slots.put(slot)

    def _new_context(self) -> ExecutionContext:
        engine = self._engine
        if engine is None:
            raise EngineError(f"{self._path}: the session is closed; open a new one")
        self._cuda.use(self._device)
        context = engine.create_execution_context()
        if context is None:
            raise EngineError(
                f"{self._path}: {self._api.name} cannot make an execution context: "
                + "; ".join(self._messages[-3:])
            )
        return context

    def _new_slot(self) -> Slot:
        largest = {name: limits[2] for name, limits in self._limits.items()}
        return Slot(
            context=self._new_context(),
            cuda=self._cuda,
            inputs=self.inputs,
            outputs=self.outputs,
            largest=largest,
            graphs=self._graphs,
            name=self._path.name,
        )

    def _check_tensors(self, engine: CudaEngine) -> None:
        found: dict[str, dict[str, TensorSpec]] = {"input": {}, "output": {}}
        is_input = self._api.member("TensorIOMode", "INPUT")
        for index in range(engine.num_io_tensors):
            name = engine.get_tensor_name(index)
            kind = "input" if engine.get_tensor_mode(name) == is_input else "output"
            dtype = self._api.dtype_name(engine.get_tensor_dtype(name))
            shape = tuple(
                int(n) if n >= 0 else f"{name}_{axis}"
                for axis, n in enumerate(engine.get_tensor_shape(name))
            )
            found[kind][name] = TensorSpec.model_validate({"dtype": dtype, "shape": shape})
        check_declared(self.inputs, found["input"], "input", str(self._path))
        check_declared(self.outputs, found["output"], "output", str(self._path))

    def _check_limits(self, shapes: Mapping[str, tuple[int, ...]]) -> None:
        for name, shape in shapes.items():
            smallest, _, largest = self._limits[name]
            inside = all(a <= n <= b for a, n, b in zip(smallest, shape, largest, strict=True))
            if not inside:
                raise EngineError(
                    f"{self._path.name}: input {name!r} has the shape {list(shape)}, the engine "
                    f"was built for {list(smallest)} to {list(largest)}"
                )


class BoundContext:
    """Runs an engine on a caller's stream, on tensors that already lie on the device.

    Thread contract: one thread at a time. Keep the session open as long as this.
    """

    def __init__(self, session: TensorRtSession, context: ExecutionContext, stream: int) -> None:
        self._session = session
        self._context = context
        self._stream = stream

    def enqueue(self, inputs: Mapping[str, Any], outputs: Mapping[str, Any]) -> None:
        """Queue one run; nothing is copied and nobody waits.

        Args:
            inputs: arrays with `__cuda_array_interface__`, by name; they must stay alive and
                unchanged until the stream has done the work.
            outputs: likewise, of the shape that the graph gives for these inputs.

        Raises:
            EngineError: a tensor is missing, not on the device, of a wrong dtype or shape, or
                TensorRT refuses.
        """
        session = self._session
        specs = {**session.inputs, **session.outputs}
        shapes = {}
        for name, spec in specs.items():
            given = inputs if name in session.inputs else outputs
            if name not in given:
                raise EngineError(f"{session._path.name}: the tensor {name!r} is missing")
            address, shape, dtype = device_array(given[name], name)
            if dtype != spec.dtype or len(shape) != len(spec.shape):
                raise EngineError(
                    f"{session._path.name}: {name!r} is {dtype} {list(shape)}, "
                    f"not {spec.dtype} of rank {len(spec.shape)}"
                )
            shapes[name] = shape
            if not self._context.set_tensor_address(name, address):
                raise EngineError(f"{session._path.name}: TensorRT refuses the memory of {name!r}")
        wanted = {name: shapes[name] for name in session.inputs}
        session._check_limits(wanted)
        for name, shape in wanted.items():
            if not self._context.set_input_shape(name, shape):
                raise EngineError(f"{session._path.name}: TensorRT refuses the shape {list(shape)}")
        for name in session.outputs:
            made = tuple(int(n) for n in self._context.get_tensor_shape(name))
            if made != shapes[name]:
                raise EngineError(
                    f"{session._path.name}: the output {name!r} will have the shape {list(made)}, "
                    f"the array that was given has {list(shapes[name])}"
                )
        if not self._context.execute_async_v3(self._stream):
            raise EngineError(f"{session._path.name}: TensorRT could not queue the run")


def find_engine(
    graph: GraphContent,
    shapes: Shapes,
    api: TensorRt,
    capability: str,
    cache: EngineCache,
    on_missing: OnMissing,
) -> bytes:
    """The engine of a graph for a device, out of the cache or newly built.

    An engine for exactly this device is preferred to a hardware-compatible one.

    Raises:
        EngineError: there is none and none shall be built, or it is damaged and none shall be.
    """
    path = graph.path
    keys = [
        tensorrt_build.engine_key(api, path.stem, graph.sha256, device, shapes)
        for device in (capability, tensorrt_build.HARDWARE_COMPATIBLE)
    ]
    for key in keys:
        try:
            blob = cache.load(key)
        except EngineError as error:
            if on_missing == "error":
                raise
            _LOG.warning("%s; building it again", error)
            blob = None
        if blob is not None:
            return blob
    if on_missing == "error":
        raise EngineError(
            f"{path}: {cache.folder} holds no engine of this graph for {api.name} on {capability}"
            f"{_near_misses(cache, keys[0])}; "
            f"run: edge-ser build-engine --backend {api.backend} --bundle {path.parent}"
        )
    _LOG.warning("%s: building an engine with %s for %s", path, api.name, capability)
    target = tensorrt_build.check_target(api, capability)
    built = tensorrt_build.build_engine(api, graph.content, path.stem, shapes, target)
    cache.store(keys[0], built.blob, {"seconds": built.seconds, "built_by": "runtime"})
    return built.blob


def _near_misses(cache: EngineCache, wanted: EngineKey) -> str:
    """Why engines of the same graph do not fit, for the message."""
    reasons = []
    for record in cache.entries():
        key = record.key
        if key.graph_sha256 != wanted.graph_sha256 or key.backend != wanted.backend:
            continue
        if key.backend_version != wanted.backend_version:
            reasons.append(f"one is of version {key.backend_version}")
        elif key.device != wanted.device:
            reasons.append(f"one is for {key.device}")
        else:
            reasons.append("one is for other shapes")
    return f" ({'; '.join(dict.fromkeys(reasons))})" if reasons else ""
