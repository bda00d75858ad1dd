"""All graphs of a bundle: kept for the next time or not, and none stays open behind a failure."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path

import pytest

from edge_ser.bundles.graph_content import GraphContent
from edge_ser.bundles.loading import load_bundle
from edge_ser.bundles.schema import GRAPHS
from edge_ser.errors import EngineError
from edge_ser.runtime import bundle_sessions
from edge_ser.runtime.bundle_sessions import open_graphs
from edge_ser.runtime.engine_cache import EngineCache


@pytest.fixture(autouse=True)
def empty_cache(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("EDGE_SER_CACHE", str(tmp_path))


@pytest.mark.parametrize("passing", [False, True])
def test_the_graphs_of_a_trial_are_not_kept(passing: bool) -> None:
    with ExitStack() as stack:
        sessions = open_graphs(load_bundle(), "onnxruntime", stack, passing=passing)
        assert tuple(sessions) == GRAPHS
    kept = {path.name.split("-")[0] for path in EngineCache().graphs()}
    assert kept == (set() if passing else set(GRAPHS))
    with pytest.raises(EngineError, match="closed"):
        sessions["face"].run({})


def test_what_was_opened_before_a_failure_is_closed(monkeypatch: pytest.MonkeyPatch) -> None:
    opened = []
    real = bundle_sessions.open_session

    def until_the_face(graph: GraphContent, *rest: object, **options: object) -> object:
        if graph.path.stem == "face":
            raise EngineError("no")
        opened.append(real(graph, *rest, **options))  # type: ignore[arg-type]
        return opened[-1]

    monkeypatch.setattr(bundle_sessions, "open_session", until_the_face)
    with pytest.raises(EngineError, match="no"), ExitStack() as stack:
        open_graphs(load_bundle(), "onnxruntime", stack)
    assert len(opened) == len(GRAPHS) - 1
    for session in opened:
        with pytest.raises(EngineError, match="closed"):
            session.run({})
