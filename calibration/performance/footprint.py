"""Room that a bundle takes on disk: its files, its graphs, its compiled engines."""

from __future__ import annotations

from edge_ser.bundles.loading import Bundle
from edge_ser.bundles.schema import GRAPHS
from edge_ser.runtime.backend import is_tensorrt
from edge_ser.runtime.engine_cache import EngineCache


def graph_megabytes(bundle: Bundle) -> dict[str, float]:
    """Size of each ONNX graph, in 10^6 bytes."""
    return {name: bundle.graph_path(name).stat().st_size / 1e6 for name in GRAPHS}


def engine_megabytes(
    bundle: Bundle, backend: str, cache: EngineCache | None = None
) -> float | None:
    """Size of the engines in the cache that were compiled from a bundle's graphs, in 10^6 bytes.

    Args:
        bundle: a verified bundle.
        backend: as `open_session` takes it.
        cache: where engines lie; None for the default folder.

    Returns:
        None for a backend that compiles no engines, or whose engines are kept elsewhere.
    """
    if not is_tensorrt(backend):
        return None
    hashes = {bundle.manifest.graphs[name].sha256 for name in GRAPHS}
    entries = (EngineCache() if cache is None else cache).entries()
    sizes = [e.size for e in entries if e.key.graph_sha256 in hashes and e.key.backend == backend]
    return sum(sizes) / 1e6
