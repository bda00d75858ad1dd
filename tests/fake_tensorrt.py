"""A TensorRT and a CUDA that compute on the host, with the semantics that matter to a caller.

Work that is queued on a stream happens when the stream is waited for, and not before; what is
queued during a capture happens at every launch; addresses are looked up, so a wrong one fails;
shapes must lie in the engine's profile. Every public member of the fake classes exists in the real
bindings: a test holds them against each other. An "engine" is its ONNX graph with a header.
"""

# ruff: noqa: ARG002 - signatures are those of the real classes
from __future__ import annotations

import enum
import json
import math
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import numpy as np
import onnxruntime as ort

from edge_ser.errors import EngineError
from edge_ser.runtime.tensorrt_api import TensorRt


class FakeCuda:
    """See `edge_ser.runtime.cuda.Cuda`."""

    name = "fake"

    def __init__(self, capabilities: tuple[str, ...] = ("sm86",), graphs: bool = True) -> None:
        self.captures_graphs = graphs
        self.capabilities = capabilities
        self.memory: dict[int, np.ndarray] = {}
        self.pinned: dict[int, np.ndarray] = {}
        self.streams: dict[int, list[Callable[[], None]]] = {}
        self.graphs: dict[int, list[Callable[[], None]]] = {}
        self.recording: list[Callable[[], None]] | None = None
        self.launches = 0
        self._next = 4096

    def _handle(self, size: int = 16) -> int:
        self._next += size + 4096
        return self._next

    def devices(self) -> list[str]:
        return [f"Fake GPU ({c})" for c in self.capabilities]

    def capability(self, device: int) -> str:
        return self.capabilities[device]

    def use(self, device: int) -> None:
        assert 0 <= device < len(self.capabilities)

    def new_stream(self) -> int:
        stream = self._handle()
        self.streams[stream] = []
        return stream

    def free_stream(self, stream: int) -> None:
        del self.streams[stream]

    def wait(self, stream: int) -> None:
        work, self.streams[stream] = self.streams[stream], []
        for step in work:
            step()

    def new_memory(self, size: int) -> int:
        address = self._handle(size)
        self.memory[address] = np.full(size, 0xCD, np.uint8)
        return address

    def free_memory(self, address: int) -> None:
        del self.memory[address]

    def new_pinned(self, size: int) -> np.ndarray:
        array = np.full(size, 0xCD, np.uint8)
        self.pinned[array.ctypes.data] = array
        return array

    def free_pinned(self, memory: np.ndarray) -> None:
        del self.pinned[memory.ctypes.data]

    def queue(self, stream: int, work: Callable[[], None]) -> None:
        assert stream in self.streams, "a stream that nobody made"
        (self.streams[stream] if self.recording is None else self.recording).append(work)

    def copy_to_device(self, target: int, source: np.ndarray, size: int, stream: int) -> None:
        assert source.ctypes.data in self.pinned, "not page-locked"

        def copy() -> None:
            self.memory[target][:size] = source[:size]

        self.queue(stream, copy)

    def copy_to_host(self, target: np.ndarray, source: int, size: int, stream: int) -> None:
        assert target.ctypes.data in self.pinned, "not page-locked"

        def copy() -> None:
            target[:size] = self.memory[source][:size]

        self.queue(stream, copy)

    def capture(self, stream: int, work: Callable[[], None]) -> int:
        assert not self.streams[stream], "a capture begins on an idle stream"
        self.recording = []
        try:
            work()
            graph = self._handle()
            self.graphs[graph] = self.recording
            return graph
        finally:
            self.recording = None

    def launch(self, graph: int, stream: int) -> None:
        self.launches += 1
        for work in self.graphs[graph]:
            self.queue(stream, work)

    def free_graph(self, graph: int) -> None:
        del self.graphs[graph]


_DTYPES = {"tensor(float)": "FLOAT", "tensor(int64)": "INT64", "tensor(int32)": "INT32"}


def fake_api(
    cuda: FakeCuda,
    version: str = "10.3.0",
    *,
    deserialises: bool = True,
    capturable: bool = True,
    plans: Callable[[bytes], bool] = bool,
) -> TensorRt:
    """A fake module; `plans` may refuse a blob as a foreign engine."""
    data_type = enum.Enum("DataType", ["FLOAT", "HALF", "INT32", "INT64"])
    io_mode = enum.Enum("TensorIOMode", ["INPUT", "OUTPUT"])

    class ILogger:
        INTERNAL_ERROR, ERROR, WARNING, INFO = range(4)

        def __init__(self) -> None:
            pass

        def log(self, severity: int, message: str) -> None:
            raise NotImplementedError

    class IExecutionContext:
        def __init__(self, engine: ICudaEngine) -> None:
            self._engine = engine
            self._shapes: dict[str, tuple[int, ...]] = {}
            self._addresses: dict[str, int] = {}
            self._fresh = True

        def set_input_shape(self, name: str, shape: tuple[int, ...]) -> bool:
            low, _, high = self._engine._profile[name]
            if not all(a <= n <= b for a, n, b in zip(low, shape, high, strict=True)):
                return False
            self._fresh = self._fresh or self._shapes.get(name) != tuple(shape)
            self._shapes[name] = tuple(shape)
            return True

        def set_tensor_address(self, name: str, memory: int) -> bool:
            self._addresses[name] = memory
            return True

        def infer_shapes(self) -> list[str]:
            return [n for n in self._engine._profile if n not in self._shapes]

        def get_tensor_shape(self, name: str) -> tuple[int, ...]:
            return self._run(dict.fromkeys(self._shapes))[name].shape

        def _run(self, values: dict[str, np.ndarray | None]) -> dict[str, np.ndarray]:
            feeds = {}
            for node in self._engine._session.get_inputs():
                shape = self._shapes[node.name]
                dtype = np.float32 if node.type == "tensor(float)" else np.int64
                value = values[node.name]
                feeds[node.name] = np.ones(shape, dtype) if value is None else value
            names = [n.name for n in self._engine._session.get_outputs()]
            return dict(zip(names, self._engine._session.run(names, feeds), strict=True))

        def execute_async_v3(self, stream_handle: int) -> bool:
            if cuda.recording is not None:
                assert not self._fresh, "a plain run must come before a capture"
                if not capturable:
                    raise EngineError("this engine cannot be captured")

            shapes, addresses = dict(self._shapes), dict(self._addresses)

            def work() -> None:
                values: dict[str, np.ndarray | None] = {}
                for node in self._engine._session.get_inputs():
                    dtype = np.dtype(np.float32 if node.type == "tensor(float)" else np.int64)
                    size = math.prod(shapes[node.name]) * dtype.itemsize
                    raw = cuda.memory[addresses[node.name]][:size]
                    values[node.name] = raw.view(dtype).reshape(shapes[node.name])
                for name, value in self._run(values).items():
                    raw = np.ascontiguousarray(value).reshape(-1).view(np.uint8)
                    cuda.memory[addresses[name]][: raw.size] = raw

            cuda.queue(stream_handle, work)
            self._fresh = False
            return True

    class ICudaEngine:
        def __init__(self, blob: bytes) -> None:
            header, _, graph = blob.partition(b"\n")
            self._profile = json.loads(header)
            options = ort.SessionOptions()
            options.intra_op_num_threads = 1
            options.log_severity_level = 4
            self._session = ort.InferenceSession(graph, options, providers=["CPUExecutionProvider"])
            self._io = [(n, io_mode.INPUT) for n in self._session.get_inputs()]
            self._io += [(n, io_mode.OUTPUT) for n in self._session.get_outputs()]

        @property
        def num_io_tensors(self) -> int:
            return len(self._io)

        def _node(self, name: str) -> Any:
            return next((n, m) for n, m in self._io if n.name == name)

        def get_tensor_name(self, index: int) -> str:
            return str(self._io[index][0].name)

        def get_tensor_mode(self, name: str) -> Any:
            return self._node(name)[1]

        def get_tensor_dtype(self, name: str) -> Any:
            return data_type[_DTYPES[self._node(name)[0].type]]

        def get_tensor_shape(self, name: str) -> tuple[int, ...]:
            return tuple(n if isinstance(n, int) else -1 for n in self._node(name)[0].shape)

        def get_tensor_profile_shape(self, name: str, profile_index: int) -> list[tuple[int, ...]]:
            assert profile_index == 0
            return [tuple(s) for s in self._profile[name]]

        def create_execution_context(self) -> IExecutionContext:
            return IExecutionContext(self)

    class Runtime:
        def __init__(self, logger: ILogger) -> None:
            assert cuda.devices(), "a runtime without a device crashes the process"
            self._logger = logger

        def deserialize_cuda_engine(self, serialized: bytes) -> ICudaEngine | None:
            if not deserialises or not plans(serialized):
                self._logger.log(ILogger.ERROR, "Version tag does not match")
                return None
            return ICudaEngine(serialized)

    class OnnxParser:
        def __init__(self, network: INetworkDefinition, logger: ILogger) -> None:
            self._network = network
            self._errors: list[Any] = []

        @property
        def num_errors(self) -> int:
            return len(self._errors)

        def get_error(self, index: int) -> Any:
            return self._errors[index]

        def parse(self, model: bytes) -> bool:
            try:
                session = ort.InferenceSession(model, providers=["CPUExecutionProvider"])
            except Exception as error:
                text = str(error)
                self._errors.append(
                    SimpleNamespace(
                        desc=lambda: text, node_name=lambda: "n", node_operator=lambda: "Op"
                    )
                )
                return False
            self._network._graph = model
            self._network._inputs = [SimpleNamespace(name=n.name) for n in session.get_inputs()]
            return True

    class INetworkDefinition:
        _graph = b""
        _inputs: list[Any]
        num_layers = 7

        @property
        def num_inputs(self) -> int:
            return len(self._inputs)

        def get_input(self, index: int) -> Any:
            return self._inputs[index]

    class IOptimizationProfile:
        def __init__(self) -> None:
            self._shapes: dict[str, Any] = {}

        def set_shape(self, input: str, min: Any, opt: Any, max: Any) -> None:  # noqa: A002
            self._shapes[input] = (min, opt, max)

    class ITimingCache:
        def __init__(self, content: bytes) -> None:
            self._content = content

        def serialize(self) -> bytes:
            return self._content + b"t"

    class IBuilderConfig:
        hardware_compatibility_level: Any = None
        progress_monitor: Any = None
        _profile: IOptimizationProfile
        _cache: ITimingCache | None = None

        def set_memory_pool_limit(self, pool: Any, pool_size: int) -> None:
            assert pool_size > 0

        def add_optimization_profile(self, profile: IOptimizationProfile) -> int:
            self._profile = profile
            return 0

        def create_timing_cache(self, serialized_timing_cache: bytes) -> ITimingCache:
            return ITimingCache(serialized_timing_cache)

        def set_timing_cache(self, cache: ITimingCache, ignore_mismatch: bool) -> bool:
            self._cache = cache
            return True

        def get_timing_cache(self) -> ITimingCache | None:
            return self._cache

    class Builder:
        def __init__(self, logger: ILogger) -> None:
            self._logger = logger

        def create_network(self, flags: int) -> INetworkDefinition:
            assert flags == 1 << 1
            return INetworkDefinition()

        def create_builder_config(self) -> IBuilderConfig:
            return IBuilderConfig()

        def create_optimization_profile(self) -> IOptimizationProfile:
            return IOptimizationProfile()

        def build_serialized_network(
            self, network: INetworkDefinition, config: IBuilderConfig
        ) -> bytes | None:
            if config.progress_monitor is not None:
                config.progress_monitor.phase_start("compiling", None, 1)
                assert config.progress_monitor.step_complete("compiling", 0)
                config.progress_monitor.phase_finish("compiling")
            return json.dumps(config._profile._shapes).encode() + b"\n" + network._graph

    class IProgressMonitor:
        def __init__(self) -> None:
            pass

    module = SimpleNamespace(
        **{c.__name__: c for c in (ILogger, ICudaEngine, IExecutionContext, Runtime, OnnxParser)},
        **{c.__name__: c for c in (INetworkDefinition, IOptimizationProfile, IBuilderConfig)},
        **{c.__name__: c for c in (Builder, IProgressMonitor, ITimingCache)},
        DataType=data_type,
        TensorIOMode=io_mode,
        NetworkDefinitionCreationFlag=enum.IntEnum(
            "NetworkDefinitionCreationFlag", {"STRONGLY_TYPED": 1}
        ),
        MemoryPoolType=enum.Enum("MemoryPoolType", ["WORKSPACE"]),
        HardwareCompatibilityLevel=enum.Enum("HardwareCompatibilityLevel", ["AMPERE_PLUS"]),
        __version__=version,
    )
    return TensorRt("tensorrt", module, version)
