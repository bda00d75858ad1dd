"""Live decision latency: a clip replayed in real time into streams that share a recognizer."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from edge_ser.calibration.performance.clip import LIVE_FRAMES_PER_SECOND, LatencyClip
from edge_ser.calibration.performance.result import LiveLatency, WarmLatency
from edge_ser.calibration.performance.statistics import distribution, in_blocks
from edge_ser.calibration.performance.warm import Candidate
from edge_ser.capture.replay import ReplaySource
from edge_ser.clock import milliseconds, monotonic_samples
from edge_ser.constants import SAMPLE_RATE
from edge_ser.errors import EngineError
from edge_ser.recognizer import DEFAULT_HOP, DEFAULT_WINDOW, EdgeRecognizer
from edge_ser.result import LiveDecision

DENSE_HOPS: Final = (0.1, 0.2, DEFAULT_HOP)
"""Seconds between decisions of a single stream, from which `dense_hop` picks."""
_ROOM: Final = 1.4
"""A hop must be this many times as long as the work of one decision."""
_LONGEST_SHARE: Final = 3.0
"""A measurement lasts at most so many times as long as it should."""
_SETTLED: Final = DEFAULT_WINDOW + 0.5
"""Seconds until the first window is full, and a little more."""


@dataclass(frozen=True)
class LivePlan:
    """One measurement.

    Attributes:
        streams: conversations at once.
        hop: seconds between two decisions of a stream.
        decisions: wanted from all streams together.
    """

    streams: int
    hop: float
    decisions: int

    @property
    def seconds(self) -> float:
        """How long the replay lasts, with the time until the first window is full."""
        return _SETTLED + max(1, -(-self.decisions // self.streams)) * self.hop


def dense_hop(warm: WarmLatency, pictures: int) -> float:
    """The shortest hop that a device keeps up with, for many decisions in little time.

    Args:
        warm: what whole decisions cost on it; a stream looks at each picture only once.
        pictures: that such a decision looks at.
    """
    seconds = 0.0
    for stage in warm.stages:
        once = stage.stage in ("face_detection", "face")
        seconds += stage.p50 / 1000 / (max(pictures, 1) if once else 1)
    return next((hop for hop in DENSE_HOPS if hop >= _ROOM * seconds), DEFAULT_HOP)


def measure_live(candidate: Candidate, clip: LatencyClip, plan: LivePlan) -> LiveLatency:
    """Replay the clip into `plan.streams` streams, and take the latency of their decisions.

    Decisions before the first window is full are not counted.

    Args:
        candidate: must run here.
        clip: replayed again and again, without gaps.
        plan: how many streams, how often they decide, and how long.

    Raises:
        EngineError: no decision came at all.
    """
    taken: list[list[LiveDecision]] = [[] for _ in range(plan.streams)]
    with candidate.open() as recognizer:
        _warm_up(recognizer, clip)
        streams = [
            recognizer.stream(hop=plan.hop, on_decision=got.append, smoothing="off", consent=True)
            for got in taken
        ]
        sources = [_source(clip) for _ in streams]
        began, used = time.perf_counter(), time.process_time()
        first = monotonic_samples() + round(_SETTLED * SAMPLE_RATE)
        for stream, source in zip(streams, sources, strict=True):
            source.start(stream)
            # People do not begin to speak at the same moment.
            time.sleep(plan.hop / plan.streams)
        # A device that leaves decisions out gets more time to make as many as are wanted.
        while (past := time.perf_counter() - began) < _LONGEST_SHARE * plan.seconds:
            counted = sum(d.capture_time >= first for got in taken for d in list(got))
            if past >= plan.seconds and counted >= plan.decisions:
                break
            time.sleep(0.05)
        for source in sources:
            source.stop()
        elapsed, used = time.perf_counter() - began, time.process_time() - used
        for stream in streams:
            stream.close()
    decisions = [d for got in taken for d in got if d.capture_time >= first]
    decisions = [d for d in decisions if d.latency_ms is not None]
    if not decisions:
        raise EngineError(
            f"{candidate.backend} {candidate.precision}: no live decision in {elapsed:.0f} s with "
            f"{plan.streams} stream(s): this device is too slow or too busy to be measured"
        )
    decisions.sort(key=lambda d: d.capture_time)
    return _summary(candidate, plan, taken, decisions, elapsed, used)


def _summary(
    candidate: Candidate,
    plan: LivePlan,
    taken: Sequence[Sequence[LiveDecision]],
    decisions: Sequence[LiveDecision],
    elapsed: float,
    used: float,
) -> LiveLatency:
    healths = [got[-1].health for got in taken if got]
    lost = sum(h.audio_overflow_samples + h.audio_lost_samples for h in healths)
    ages = [d.oldest_age_ms for d in decisions if d.oldest_age_ms is not None]
    return LiveLatency(
        precision=candidate.precision,
        backend=candidate.backend,
        threads=candidate.threads,
        streams=plan.streams,
        window_seconds=DEFAULT_WINDOW,
        hop_ms=plan.hop * 1000,
        seconds=max(elapsed - _SETTLED, 0.0),
        latency=distribution(in_blocks([d.latency_ms or 0.0 for d in decisions])),
        compute=distribution(in_blocks([d.timing_ms["total"] for d in decisions])),
        oldest_age_ms=float(np.median(ages)),
        hops_skipped=sum(h.hops_skipped for h in healths),
        pictures_shed=sum(h.pictures_shed for h in healths),
        audio_lost_ms=milliseconds(lost),
        degraded=tuple(sorted({d.health.load for d in decisions if d.health.load})),
        processor_percent=100 * used / elapsed,
    )


def _source(clip: LatencyClip) -> ReplaySource:
    return ReplaySource(
        clip.replayed(),
        loop=True,
        frames_per_second=LIVE_FRAMES_PER_SECOND,
        transcript=clip.transcript,
    )


def _warm_up(recognizer: EdgeRecognizer, clip: LatencyClip) -> None:
    window = clip.window(recognizer.bundle.manifest)
    for _ in range(3):
        recognizer.recognize(window, clip.transcript)
