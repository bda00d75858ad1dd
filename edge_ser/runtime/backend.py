"""Choice of the backend that runs a graph, by name."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Final

from edge_ser.bundles.graph_content import GraphContent
from edge_ser.bundles.schema import TensorSpec
from edge_ser.errors import ConfigError
from edge_ser.runtime.session import Session

if TYPE_CHECKING:
    from edge_ser.runtime.engine_cache import EngineCache, Shapes

DEFAULT_BACKEND: Final = "onnxruntime"

_PROVIDERS: Final[Mapping[str, tuple[str, ...]]] = {
    "onnxruntime": ("CPUExecutionProvider",),
    "onnxruntime:cpu": ("CPUExecutionProvider",),
    "onnxruntime:cuda": ("CUDAExecutionProvider", "CPUExecutionProvider"),
    "onnxruntime:tensorrt": (
        "TensorrtExecutionProvider",
        "CUDAExecutionProvider",
        "CPUExecutionProvider",
    ),
    "onnxruntime:nv-tensorrt-rtx": ("NvTensorRTRTXExecutionProvider", "CPUExecutionProvider"),
    "onnxruntime:openvino": ("OpenVINOExecutionProvider", "CPUExecutionProvider"),
    "onnxruntime:directml": ("DmlExecutionProvider", "CPUExecutionProvider"),
    "onnxruntime:coreml": ("CoreMLExecutionProvider", "CPUExecutionProvider"),
    "onnxruntime:xnnpack": ("XnnpackExecutionProvider", "CPUExecutionProvider"),
    "onnxruntime:qnn": ("QNNExecutionProvider", "CPUExecutionProvider"),
}

JOINING: Final = frozenset({"onnxruntime:cuda"})
"""Backends on which many rows take hardly longer than one, so that calls that come at once are
joined into one run: see `edge_ser.runtime.joined_runs`. A processor gains nothing by it."""

BACKENDS: Final[tuple[str, ...]] = (*_PROVIDERS, "tensorrt", "tensorrt-rtx")
"""Every name that `open_session` takes."""


def open_session(
    graph: Path | GraphContent,
    inputs: Mapping[str, TensorSpec] | None = None,
    outputs: Mapping[str, TensorSpec] | None = None,
    backend: str = DEFAULT_BACKEND,
    *,
    threads: int = 1,
    cache: EngineCache | None = None,
    shapes: Shapes | None = None,
    device: int = 0,
    build_missing: bool = False,
) -> Session:
    """Load a graph in the backend of that name.

    Nothing falls back: what was asked for runs, or an error says why it cannot.

    Args:
        graph: the ONNX file, or what was read of it.
        inputs: the manifest's inputs; None takes the graph's own word.
        outputs: likewise.
        backend: one of `BACKENDS`; ``onnxruntime`` is the CPU.
        threads: threads that one run may use on the CPU.
        cache: where compiled or optimised forms of the graph are kept. For ONNX Runtime, None
            keeps none; for TensorRT, None is the default folder.
        shapes: shapes of every input that the engine must take, see
            `edge_ser.runtime.shape_profiles`; only TensorRT needs them.
        device: index of the CUDA device, for TensorRT.
        build_missing: whether TensorRT builds an engine that the cache does not hold for this
            very graph, release, device and shapes, or raises.

    Raises:
        ConfigError: the name is unknown, or TensorRT was given no shapes.
        MissingExtraError: TensorRT or its CUDA layer is not installed.
        EngineError: the backend is not installed, its device is missing, or the graph does not
            load.
    """
    check_backend(backend)
    if backend not in _PROVIDERS:
        return _open_tensorrt(
            graph, inputs, outputs, backend, cache, shapes, device, build_missing=build_missing
        )
    from edge_ser.runtime.onnxruntime import OnnxRuntimeSession

    return OnnxRuntimeSession(
        graph,
        inputs,
        outputs,
        providers=_PROVIDERS[backend],
        threads=threads,
        cache=cache,
    )


def _open_tensorrt(
    graph: Path | GraphContent,
    inputs: Mapping[str, TensorSpec] | None,
    outputs: Mapping[str, TensorSpec] | None,
    backend: str,
    cache: EngineCache | None,
    shapes: Shapes | None,
    device: int,
    *,
    build_missing: bool,
) -> Session:
    from edge_ser.runtime.tensorrt.api import as_tensorrt_backend, load_tensorrt
    from edge_ser.runtime.tensorrt.session import TensorRtSession

    if inputs is None or outputs is None or shapes is None:
        path = graph if isinstance(graph, Path) else graph.path
        raise ConfigError(
            f"{path}: the backend {backend!r} needs the graph's inputs, outputs and shapes; "
            "give those of the bundle's manifest"
        )
    return TensorRtSession(
        graph,
        inputs,
        outputs,
        shapes,
        api=load_tensorrt(as_tensorrt_backend(backend)),
        cache=cache,
        device=device,
        on_missing="build" if build_missing else "error",
    )


def is_tensorrt(backend: str) -> bool:
    """Whether engines are compiled for this backend, so that it needs shapes."""
    return backend in BACKENDS and backend not in _PROVIDERS


def check_backend(backend: str) -> None:
    """Raise `ConfigError`, which lists the known names, unless `backend` is one of them."""
    if backend not in BACKENDS:
        raise ConfigError(
            f"there is no backend {backend!r}; the backends are {', '.join(BACKENDS)}"
        )
