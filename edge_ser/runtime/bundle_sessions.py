"""All graphs of a bundle, opened at once."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack

from edge_ser.bundles.loading import Bundle
from edge_ser.bundles.schema import GRAPHS, GraphName
from edge_ser.runtime.backend import is_tensorrt, open_session
from edge_ser.runtime.engine_cache import EngineCache
from edge_ser.runtime.joined_runs import JoinedRuns, joinable
from edge_ser.runtime.session import Session
from edge_ser.runtime.shape_profiles import graph_shapes


def open_graphs(
    bundle: Bundle,
    backend: str,
    stack: ExitStack,
    *,
    threads: int = 1,
    passing: bool = False,
    join: bool = False,
) -> dict[GraphName, Session]:
    """Open every graph of a bundle.

    Args:
        bundle: a verified bundle.
        backend: one of `edge_ser.runtime.backend.BACKENDS`.
        stack: closes the sessions.
        threads: threads that one run of a graph may use on the CPU.
        passing: whether the bundle is there for a trial only: ONNX Runtime's optimised graphs are
            not kept, and engines that are not in the cache are built.
        join: whether calls that come at once are joined into one run, for graphs that allow it.

    Raises:
        ConfigError: the backend's name is unknown.
        MissingExtraError: what runs the backend is not installed.
        EngineError: the backend cannot run a graph.
    """
    tensorrt = is_tensorrt(backend)

    def opened(name: GraphName) -> Session:
        entry = bundle.manifest.graphs[name]
        graph = bundle.graph(name)
        session = open_session(
            graph,
            entry.inputs,
            entry.outputs,
            backend,
            threads=threads,
            cache=None if passing else EngineCache(),
            shapes=graph_shapes(bundle.manifest, name) if tensorrt else None,
            build_missing=passing,
        )
        stack.callback(session.close)
        if join and joinable(session, graph.content):
            return JoinedRuns(session)
        return session

    if tensorrt:  # a CUDA context may belong to the thread that made it
        return {name: opened(name) for name in GRAPHS}
    # ONNX Runtime lets other threads run while it reads a graph.
    with ThreadPoolExecutor(len(GRAPHS)) as pool:
        return dict(zip(GRAPHS, pool.map(opened, GRAPHS), strict=True))
