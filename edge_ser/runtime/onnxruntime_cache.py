"""Optimised graphs of ONNX Runtime's CPU provider, kept between runs.

Optimising takes most of the time in which a session opens. What comes out depends on the release
and on the instructions of the processor (the layout of convolutions), so both are in the key.

Each is a model file of its own in the folder of the engine cache, since ONNX Runtime opens a file
faster than bytes, and in less memory. Its name holds the key and the CRC-32 of its content, which
tells damage; that nobody else put it there is known by who may write it.
"""

from __future__ import annotations

import hashlib
import logging
import platform
import time
import zlib
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import Final

from edge_ser.bundles.graph_content import GraphContent
from edge_ser.errors import ConfigError, EngineError
from edge_ser.files import WRITING, beside, make_folder
from edge_ser.runtime.engine_cache import EngineCache, EngineKey
from edge_ser.runtime.onnxruntime_sessions import Graph, onnxruntime, open_graph

_LOG = logging.getLogger(__name__)

_MOST_BYTES: Final = 512 << 20
_YOUNG: Final = 24 * 3600.0
"""Of all optimised graphs together; beyond it those go that are older than so many seconds, first
the oldest. A graph that is still in use is made again when it is opened."""

_ROOM: Final = 4
"""Times the size of a graph that must be free: weights in half precision are kept in full."""


def cached_graph(graph: GraphContent, engines: EngineCache, *, threads: int = 1) -> Graph:
    """A session over a graph, from the cache if its optimised form is there, else into it.

    The cache only ever saves time: a damaged entry is made again, which is logged as a warning, and
    one that cannot be read, written or held is left alone.

    Args:
        graph: what was read of the ONNX file.
        engines: the cache.
        threads: intra-op threads, 1 or more.

    Raises:
        EngineError: if the graph cannot be loaded.
    """
    name = str(graph.path)
    key = EngineKey(
        graph=graph.path.stem,
        graph_sha256=graph.sha256,
        backend="onnxruntime",
        backend_version=onnxruntime().__version__,
        device=processor(),
    )
    stem = engines.stem(key)
    try:
        engines.check()
    except EngineError as error:
        _LOG.warning("%s: the graph is optimised at every start: %s", name, error)
        return open_graph(graph.content, name, threads=threads)
    # Processes that were the first at once may have kept a graph each.
    for kept in [file for file in engines.graphs() if file.name.startswith(f"{stem}-")]:
        try:
            engines.check(kept)
            if kept != _named(stem, kept):
                raise EngineError(f"{kept}: this optimised graph is damaged")
            return open_graph(kept, name, threads=threads, optimise="none")
        except (EngineError, OSError) as error:
            _LOG.warning("%s; the graph is optimised again", error)
            with suppress(OSError):
                kept.unlink(missing_ok=True)
    if engines.room() < _ROOM * len(graph.content):
        return open_graph(graph.content, name, threads=threads)
    written = beside(engines.folder / stem, WRITING)
    try:
        make_folder(engines.folder, mode=0o700)
        engines.clear_leftovers()
        session = open_graph(graph.content, name, threads=threads, write_to=written)
        written.replace(_named(stem, written))
        _drop_oldest(engines)
        return session
    except (ConfigError, EngineError, OSError) as error:
        _LOG.warning("%s: the optimised graph is not kept: %s", name, error)
    finally:
        with suppress(OSError):
            written.unlink(missing_ok=True)
    return open_graph(graph.content, name, threads=threads)


def _named(stem: str, path: Path) -> Path:
    """What a file with this content is called.

    Raises:
        OSError: if it cannot be read.
    """
    checksum = 0
    with path.open("rb") as stream:
        while piece := stream.read(1 << 20):
            checksum = zlib.crc32(piece, checksum)
    return path.with_name(f"{stem}-{checksum:08x}.onnx")


def _drop_oldest(engines: EngineCache) -> None:
    found = []
    for path in engines.graphs():
        with suppress(OSError):
            facts = path.stat()
            found.append((facts.st_mtime, facts.st_size, path))
    total = 0
    for made, size, path in sorted(found, reverse=True):
        total += size
        if total > _MOST_BYTES and time.time() - made > _YOUNG:
            with suppress(OSError):
                path.unlink()


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
