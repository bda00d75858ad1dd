"""Optimised graphs of ONNX Runtime's CPU provider, kept between runs.

Optimising takes most of the time in which a session opens. What comes out depends on the release
and on the instructions of the processor (the layout of convolutions), so both are in the key.
"""

from __future__ import annotations

import hashlib
import logging
import platform
import tempfile
from functools import cache
from pathlib import Path
from typing import Any

from edge_ser.errors import EngineError
from edge_ser.files import file_sha256
from edge_ser.runtime.engine_cache import EngineCache, EngineKey
from edge_ser.runtime.onnxruntime_sessions import onnxruntime, open_graph

_LOG = logging.getLogger(__name__)


def cached_graph(
    path: Path, engines: EngineCache, *, threads: int = 1, sha256: str | None = None
) -> Any:
    """A session over `path`, from the cache if its optimised form is there, else into it.

    A damaged or unusable entry is replaced, which is logged as a warning; a cache that cannot be
    written costs nothing.

    Args:
        path: the ONNX file.
        engines: the cache.
        threads: intra-op threads, 1 or more.
        sha256: of the file, where it is known.

    Raises:
        EngineError: if the graph cannot be loaded.
    """
    key = EngineKey(
        graph=path.stem,
        graph_sha256=sha256 or file_sha256(path),
        backend="onnxruntime",
        backend_version=onnxruntime().__version__,
        device=processor(),
    )
    try:
        blob = engines.load(key)
        if blob is not None:
            return open_graph(blob, str(path), threads=threads, optimise="none")
    except EngineError as error:
        _LOG.warning("%s; optimising the graph again", error)
    if not engines.writable():
        return open_graph(path, threads=threads)
    with tempfile.TemporaryDirectory(prefix="edge-ser-") as folder:
        written = Path(folder) / "optimised.onnx"
        session = open_graph(path, threads=threads, write_to=written)
        try:
            engines.store(key, written.read_bytes(), {"kind": "optimised graph"})
        except (EngineError, OSError) as error:
            _LOG.warning("%s: the optimised graph was not kept: %s", path, error)
    return session


@cache
def processor() -> str:
    """A name for this processor that changes when its instructions do."""
    text = f"{platform.machine()} {platform.processor()}"
    name = platform.machine()
    try:
        lines = Path("/proc/cpuinfo").read_text("utf-8", errors="replace").splitlines()
    except OSError:
        lines = []
    facts: dict[str, str] = {}
    for line in lines:
        field, _, value = line.partition(":")
        facts.setdefault(field.strip(), value.strip())
    for field in ("flags", "Features", "CPU part", "model name"):
        text += f" {facts.get(field, '')}"
    name = facts.get("model name") or platform.processor() or name
    return f"cpu {name} {hashlib.sha256(text.encode()).hexdigest()[:8]}"
