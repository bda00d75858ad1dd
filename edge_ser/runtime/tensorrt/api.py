"""The part of TensorRT's Python API that edge-ser uses, as protocols, and how to get at it.

`tensorrt` 10.0 to 11.x and `tensorrt_rtx` both offer it: code that is typed against these
protocols can name nothing else. Enum members are named, never written as numbers: their values
moved between 10 and 11. The tests hold every name here against the real bindings of several
releases.
"""

from __future__ import annotations

import importlib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal, Protocol, cast

from edge_ser.errors import ConfigError, EngineError, MissingExtraError

TensorRtBackend = Literal["tensorrt", "tensorrt-rtx"]

MODULES: Final[Mapping[TensorRtBackend, tuple[str, str, str]]] = {
    "tensorrt": ("tensorrt", "TensorRT", "tensorrt"),
    "tensorrt-rtx": ("tensorrt_rtx", "TensorRT for RTX", "rtx"),
}
"""Per backend: the module, its name for people, and the extra that installs it."""

OLDEST: Final = {"tensorrt": (10, 0), "tensorrt-rtx": (1, 0)}


class Logger(Protocol):
    """Base class of loggers; subclasses override `log`."""

    ERROR: Any
    WARNING: Any

    def log(self, severity: Any, message: str) -> None: ...  # noqa: D102


class ProgressMonitor(Protocol):
    """Base class of progress monitors."""

    def phase_start(self, name: str, parent: str | None, steps: int) -> None: ...  # noqa: D102
    def step_complete(self, name: str, step: int) -> bool: ...  # noqa: D102
    def phase_finish(self, name: str) -> None: ...  # noqa: D102


class ParserError(Protocol):
    """What the ONNX parser found wrong."""

    def desc(self) -> str: ...  # noqa: D102
    def node_name(self) -> str: ...  # noqa: D102
    def node_operator(self) -> str: ...  # noqa: D102


class OnnxParser(Protocol):
    """Reads ONNX into a network definition."""

    num_errors: int

    def parse(self, model: bytes) -> bool: ...  # noqa: D102
    def get_error(self, index: int) -> ParserError: ...  # noqa: D102


class NetworkTensor(Protocol):
    """An input of a network definition."""

    name: str


class NetworkDefinition(Protocol):
    """A parsed graph."""

    num_inputs: int
    num_layers: int

    def get_input(self, index: int) -> NetworkTensor: ...  # noqa: D102


class OptimizationProfile(Protocol):
    """Ranges of shapes."""

    def set_shape(  # noqa: D102
        self, name: str, smallest: Sequence[int], usual: Sequence[int], largest: Sequence[int], /
    ) -> None: ...


class HostMemory(Protocol):
    """Bytes that TensorRT owns; readable as a buffer."""

    nbytes: int


class TimingCache(Protocol):
    """Measured times of tactics."""

    def serialize(self) -> HostMemory: ...  # noqa: D102


class BuilderConfig(Protocol):
    """Options of a build. Precision flags do not exist here on purpose."""

    hardware_compatibility_level: Any
    progress_monitor: Any
    builder_optimization_level: int

    def set_memory_pool_limit(self, pool: Any, pool_size: int) -> None: ...  # noqa: D102
    def add_optimization_profile(self, profile: OptimizationProfile) -> int: ...  # noqa: D102
    def create_timing_cache(self, serialized: bytes) -> TimingCache: ...  # noqa: D102
    def set_timing_cache(self, cache: TimingCache, ignore_mismatch: bool) -> bool: ...  # noqa: D102
    def get_timing_cache(self) -> TimingCache | None: ...  # noqa: D102


class RtxBuilderConfig(BuilderConfig, Protocol):
    """What TensorRT for RTX adds: engines for GPUs that are not here."""

    num_compute_capabilities: int

    def set_compute_capability(self, capability: Any, index: int) -> bool: ...  # noqa: D102


class Builder(Protocol):
    """Compiles network definitions."""

    def create_network(self, flags: int) -> NetworkDefinition: ...  # noqa: D102
    def create_builder_config(self) -> BuilderConfig: ...  # noqa: D102
    def create_optimization_profile(self) -> OptimizationProfile: ...  # noqa: D102
    def build_serialized_network(  # noqa: D102
        self, network: NetworkDefinition, config: BuilderConfig
    ) -> HostMemory | None: ...


class ExecutionContext(Protocol):
    """State of one stream of executions; used by one thread at a time."""

    def set_input_shape(self, name: str, shape: Sequence[int]) -> bool: ...  # noqa: D102
    def set_tensor_address(self, name: str, memory: int) -> bool: ...  # noqa: D102
    def get_tensor_shape(self, name: str) -> Sequence[int]: ...  # noqa: D102
    def infer_shapes(self) -> Sequence[str]: ...  # noqa: D102
    def execute_async_v3(self, stream_handle: int) -> bool: ...  # noqa: D102


class CudaEngine(Protocol):
    """A deserialised engine; any thread."""

    num_io_tensors: int

    def get_tensor_name(self, index: int) -> str: ...  # noqa: D102
    def get_tensor_mode(self, name: str) -> Any: ...  # noqa: D102
    def get_tensor_dtype(self, name: str) -> Any: ...  # noqa: D102
    def get_tensor_shape(self, name: str) -> Sequence[int]: ...  # noqa: D102
    def get_tensor_profile_shape(  # noqa: D102
        self, name: str, profile_index: int
    ) -> Sequence[Sequence[int]]: ...
    def create_execution_context(self) -> ExecutionContext | None: ...  # noqa: D102


class Runtime(Protocol):
    """Loads engines. Made without a CUDA device it can crash the process: check first."""

    def deserialize_cuda_engine(self, serialized: bytes) -> CudaEngine | None: ...  # noqa: D102


@dataclass(frozen=True)
class TensorRt:
    """One installed TensorRT."""

    backend: TensorRtBackend
    module: Any
    version: str

    @property
    def name(self) -> str:
        """``TensorRT 10.3.0``."""
        return f"{MODULES[self.backend][1]} {self.version}"

    def member(self, enum: str, name: str) -> Any:
        """A member of an enum, by name.

        Raises:
            EngineError: this release does not have it.
        """
        try:
            return getattr(getattr(self.module, enum), name)
        except AttributeError as error:
            raise EngineError(
                f"{self.name} has no {enum}.{name}; use a release that edge-ser is tested with "
                "(10.3, 10.13, 10.16, 11.4)"
            ) from error

    def dtype_name(self, dtype: Any) -> str:
        """``float32`` for ``DataType.FLOAT``."""
        names = {"FLOAT": "float32", "HALF": "float16", "INT32": "int32", "INT64": "int64"}
        for member, name in names.items():
            if dtype == self.member("DataType", member):
                return name
        raise EngineError(f"{self.name}: an engine of edge-ser has no tensor of type {dtype}")

    def logger(self, messages: list[str]) -> Logger:
        """A logger that keeps warnings and errors in `messages` instead of printing them."""
        base = self.module.ILogger
        kept = (base.INTERNAL_ERROR, base.ERROR, base.WARNING)

        class Quiet(base):  # type: ignore[misc, valid-type]
            def __init__(self) -> None:
                base.__init__(self)

            def log(self, severity: Any, message: str) -> None:
                if severity in kept:
                    messages.append(message)

        return cast(Logger, Quiet())


def load_tensorrt(backend: TensorRtBackend) -> TensorRt:
    """Import the module of a backend.

    Raises:
        MissingExtraError: it is not installed.
        EngineError: it is installed but does not load, or is older than edge-ser can use.
    """
    name, title, extra = MODULES[backend]
    try:
        module = importlib.import_module(name)
        version = str(module.__version__)
    except ModuleNotFoundError as error:
        raise MissingExtraError(f"the backend {backend!r} ({title})", extra) from error
    except (ImportError, OSError, AttributeError) as error:
        raise EngineError(
            f"{title} is installed but does not load ({error}); check that its libraries belong "
            f'to this release, or install again: pip install "edge-ser[{extra}]"'
        ) from error
    numbers = tuple(int(n) for n in re.findall(r"\d+", version)[:2])
    if numbers < OLDEST[backend]:
        raise EngineError(
            f"{title} {version} is too old: edge-ser builds strongly typed networks, which begin "
            f"with {'.'.join(map(str, OLDEST[backend]))}; on a Jetson, move to JetPack 6.1 or newer"
        )
    return TensorRt(backend, module, version)


def as_tensorrt_backend(name: str) -> TensorRtBackend:
    """`name`, if it is a backend of this kind.

    Raises:
        ConfigError: it is another one.
    """
    for backend in MODULES:
        if name == backend:
            return backend
    raise ConfigError(f"{name!r} is no TensorRT backend; they are {', '.join(MODULES)}")
