"""Latency of a warm recognizer: whole decisions and their stages, all variants in turn."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Final

import numpy as np

from edge_ser.bundles.loading import Bundle
from edge_ser.calibration.performance.clip import LatencyClip
from edge_ser.calibration.performance.result import StageTime, WarmLatency
from edge_ser.calibration.performance.statistics import distribution
from edge_ser.media.clip import MemoryClip
from edge_ser.recognizer import EdgeRecognizer

WARM_UP: Final = 5
"""Decisions of each variant that are not counted, before the first block."""
BLOCKS: Final = 20
"""Rounds of turns: one at least should find the machine at rest."""
REST: Final = "everything else"
_STAGES: Final = (
    "transcript",
    "decode",
    "face_detection",
    "face",
    "text",
    "audio_features",
    "acoustic",
    "fusion",
)
"""The order in which a decision runs them."""

Tick = Callable[[int], None]
"""Told how many decisions were just made."""


@dataclass(frozen=True)
class Candidate:
    """A variant with its bundle, ready to be loaded.

    Attributes:
        precision: as the report names it.
        backend: as `open_session` takes it.
        threads: of one run of a graph.
        bundle: verified, in that precision.
        join: as `EdgeRecognizer` takes it.
    """

    precision: str
    backend: str
    threads: int
    bundle: Bundle
    join: bool | None = None

    def open(self) -> EdgeRecognizer:
        """Load it.

        Raises:
            EngineError: the backend cannot run here.
            MissingExtraError: a part of the backend is not installed.
        """
        return EdgeRecognizer(
            self.bundle, backend=self.backend, threads=self.threads, join=self.join
        )


def measure_warm(
    candidates: Sequence[Candidate],
    clip: LatencyClip,
    decisions: Sequence[int],
    seed: int,
    tick: Tick | None = None,
) -> list[WarmLatency]:
    """Time warm decisions of every candidate.

    All candidates are loaded together and take turns in `BLOCKS` rounds, each time in another
    order: what slows the machine down for a while slows all of them down.

    Args:
        candidates: at least one; all of them must run here.
        clip: what is decided about.
        decisions: of each candidate, rounded up to whole blocks.
        seed: of the order.
        tick: told of progress.

    Raises:
        EngineError: a graph fails.
    """
    tell = tick or (lambda *_: None)
    rng = np.random.default_rng(seed)
    shares = [max(1, -(-count // BLOCKS)) for count in decisions]
    times: list[list[list[dict[str, float]]]] = [[] for _ in candidates]
    with ExitStack() as stack:
        loaded = [stack.enter_context(candidate.open()) for candidate in candidates]
        windows = [clip.window(candidate.bundle.manifest) for candidate in candidates]
        for recognizer, window in zip(loaded, windows, strict=True):
            for _ in range(WARM_UP):
                decide_once(recognizer, window, clip)
        for _ in range(BLOCKS):
            for index in rng.permutation(len(candidates)):
                # The others have had the caches meanwhile.
                decide_once(loaded[index], windows[index], clip)
                block = [
                    decide_once(loaded[index], windows[index], clip)[0]
                    for _ in range(shares[index])
                ]
                times[index].append(block)
                tell(shares[index])
    return [_summary(c, t) for c, t in zip(candidates, times, strict=True)]


def decide_once(
    recognizer: EdgeRecognizer, window: MemoryClip, clip: LatencyClip
) -> tuple[dict[str, float], tuple[str, ...]]:
    """Milliseconds of each stage of one decision and in ``whole``, and what was present."""
    started = time.perf_counter()
    decision = recognizer.recognize(window, clip.transcript)
    whole = (time.perf_counter() - started) * 1000
    stages = {name: value for name, value in decision.timing_ms.items() if name != "total"}
    return {**stages, "whole": whole}, tuple(decision.present)


def _summary(candidate: Candidate, blocks: Sequence[Sequence[dict[str, float]]]) -> WarmLatency:
    flat = [decision for block in blocks for decision in block]
    whole = np.array([decision["whole"] for decision in flat])
    found = {name for decision in flat for name in decision} - {"whole"}
    order = [name for name in _STAGES if name in found] + sorted(found - set(_STAGES))
    stages = []
    left = whole.copy()
    for name in order:
        taken = np.array([decision.get(name, 0.0) for decision in flat])
        left -= taken
        stages.append(_stage(name, taken, whole))
    stages.append(_stage(REST, np.maximum(left, 0.0), whole))
    return WarmLatency(
        precision=candidate.precision,
        backend=candidate.backend,
        threads=candidate.threads,
        whole=distribution([[d["whole"] for d in block] for block in blocks]),
        stages=tuple(stages),
    )


def _stage(name: str, taken: np.ndarray, whole: np.ndarray) -> StageTime:
    p50, p95 = (float(v) for v in np.percentile(taken, [50, 95]))
    return StageTime(stage=name, p50=p50, p95=p95, share=float(taken.sum() / whole.sum()))
