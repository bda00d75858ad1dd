"""Small graphs that capture itself needs, on one core of the processor."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from edge_ser.errors import EngineError


def open_graph(path: Path, threads: int = 1) -> Any:
    """Open an ONNX or ORT file for ``session.run``.

    The graphs of a bundle go through `edge_ser.runtime`; these take optional and boolean tensors,
    which the bundle's schema does not know, and never run anywhere but on the processor.

    Raises:
        EngineError: if the file is missing or is no graph that ONNX Runtime can run.
    """
    import onnxruntime

    if not path.is_file():
        raise EngineError(f"no such graph: {path}; install the package again")
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.log_severity_level = 4
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    try:
        return onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    except Exception as error:  # ONNX Runtime raises classes of its own, without a common base
        raise EngineError(f"{path} cannot be run: {error}") from error
