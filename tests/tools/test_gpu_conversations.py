"""Conversations at once, joined and alone: what is measured, over a replay that is not run."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from fixtures.report_factory import latency

from edge_ser.bundles.loading import Bundle, load_bundle
from edge_ser.calibration.performance.clip import LatencyClip
from edge_ser.calibration.performance.live import LivePlan
from edge_ser.calibration.performance.result import LiveLatency
from edge_ser.calibration.performance.warm import Candidate
from edge_ser.errors import EngineError
from tools import gpu_conversations
from tools.gpu_conversations import COUNTS, Crowd, crowd_table, measure_crowds


def test_each_count_is_measured_joined_and_alone_and_one_that_fails_leaves_the_others(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    asked: list[tuple[int, bool | None]] = []

    def measured(candidate: Candidate, clip: LatencyClip, plan: LivePlan) -> LiveLatency:
        asked.append((plan.streams, candidate.join))
        assert candidate.backend == "onnxruntime:cuda"
        assert plan.decisions == 8 * plan.streams
        # Hundreds of large pictures a second would measure the memory.
        assert len(clip.live.frames) > 1
        assert all(f.image.size < 400_000 for f in clip.live.frames)
        if asked[-1] == (50, True):
            raise EngineError("no memory left")
        return latency().live[0].model_copy(update={"streams": plan.streams})

    def written(bundle: Bundle, *_: object) -> tuple[Bundle, tuple[str, ...]]:
        return bundle, ()

    failed: list[str] = []

    def attempt(part: str, work: Callable[[], Crowd | None], otherwise: None) -> Crowd | None:
        try:
            return work()
        except EngineError:
            failed.append(part)
            return otherwise

    monkeypatch.setattr(gpu_conversations, "measure_live", measured)
    monkeypatch.setattr(gpu_conversations, "bundle_of", written)
    crowds = measure_crowds(attempt)
    assert asked == [(count, joined) for count in COUNTS for joined in (False, True)]
    assert failed == ["50 conversations, joined"]
    assert len(crowds) == 5
    table = "\n".join(crowd_table(crowds))
    assert "| 200 | alone |" in table
    assert "| 200 | joined |" in table


def test_a_candidate_opens_its_recognizer_joined_or_not() -> None:
    for join in (True, False):
        with Candidate("bundle", "onnxruntime", 1, load_bundle(), join=join).open() as opened:
            assert opened._join is join
