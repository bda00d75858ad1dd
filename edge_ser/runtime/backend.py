"""Choice of the backend that runs a graph, by name."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Final

from edge_ser.bundle_schema import TensorSpec
from edge_ser.errors import ConfigError
from edge_ser.runtime.session import Session

if TYPE_CHECKING:
    from edge_ser.runtime.engine_cache import EngineCache

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

BACKENDS: Final[tuple[str, ...]] = tuple(_PROVIDERS)
"""Every name that `open_session` takes."""


def open_session(
    path: Path,
    inputs: Mapping[str, TensorSpec] | None = None,
    outputs: Mapping[str, TensorSpec] | None = None,
    backend: str = DEFAULT_BACKEND,
    *,
    threads: int = 1,
    cache: EngineCache | None = None,
) -> Session:
    """Load a graph in the backend of that name.

    Nothing falls back: what was asked for runs, or an error says why it cannot.

    Args:
        path: the ONNX graph.
        inputs: the manifest's inputs; None takes the graph's own word.
        outputs: likewise.
        backend: one of `BACKENDS`; ``onnxruntime`` is the CPU.
        threads: threads that one run may use on the CPU.
        cache: where compiled or optimised forms of the graph are kept.

    Raises:
        ConfigError: the name is unknown.
        EngineError: the backend is not installed, its device is missing, or the graph does not
            load.
    """
    check_backend(backend)
    from edge_ser.runtime.onnxruntime import OnnxRuntimeSession

    return OnnxRuntimeSession(
        path, inputs, outputs, providers=_PROVIDERS[backend], threads=threads, cache=cache
    )


def check_backend(backend: str) -> None:
    """Raise `ConfigError`, which lists the known names, unless `backend` is one of them."""
    if backend not in BACKENDS:
        raise ConfigError(
            f"there is no backend {backend!r}; the backends are {', '.join(BACKENDS)}"
        )
