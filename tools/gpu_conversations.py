"""How many conversations one device serves: simulated ones, in real time, on one recognizer."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

import numpy as np

from edge_ser.bundles.loading import load_bundle
from edge_ser.calibration.performance.clip import LatencyClip, load_latency_clip
from edge_ser.calibration.performance.live import LivePlan, measure_live
from edge_ser.calibration.performance.result import LiveLatency
from edge_ser.calibration.performance.warm import Candidate
from edge_ser.export.variants.variant import Variant, bundle_of
from edge_ser.media.clip import MemoryClip, VideoFrame
from edge_ser.recognizer import DEFAULT_HOP
from recipes.documents.markdown import table

COUNTS: Final = (1, 50, 200)
BACKEND: Final = "onnxruntime:cuda"
DECISIONS: Final = 8
"""Of each conversation that are counted, one every half second."""
_EVERY: Final = 3
"""One picture of so many: five a second, which is what a stream looks at."""
_SMALLER: Final = 4
"""Pictures are that much smaller: hundreds of full ones a second would measure the memory."""


@dataclass(frozen=True)
class Crowd:
    """So many conversations at once, with their runs joined or each alone."""

    joined: bool
    live: LiveLatency

    def cells(self) -> tuple[str, ...]:
        """A row of the table."""
        live = self.live
        times = (live.latency.p50, live.latency.p95, live.latency.p99)
        return (
            str(live.streams),
            "joined" if self.joined else "alone",
            *("" if time is None else f"{time:.0f}" for time in times),
            f"{live.compute.p50:.1f}",
            str(live.hops_skipped),
            str(live.pictures_shed),
            f"{live.processor_percent:.0f}",
        )


def measure_crowds(
    attempt: Callable[[str, Callable[[], Crowd | None], None], Crowd | None],
    counts: Sequence[int] = COUNTS,
) -> list[Crowd]:
    """Measure the default bundle in fp16, for each count with joined runs and without.

    Args:
        attempt: does one measurement and keeps what it raises, as `tools.gpu_check.Report` does.
        counts: of conversations.
    """
    clip = _small(load_latency_clip())
    crowds = []
    with TemporaryDirectory(prefix="edge-ser-") as folder:
        bundle, _ = bundle_of(load_bundle(), Variant(BACKEND, "fp16"), Path(folder) / "fp16")
        for count in counts:
            for joined in (False, True):
                candidate = Candidate("fp16", BACKEND, 1, bundle, join=joined)
                plan = LivePlan(count, DEFAULT_HOP, count * DECISIONS)
                crowd = attempt(
                    f"{count} conversations, {'joined' if joined else 'alone'}",
                    lambda c=candidate, p=plan, j=joined: Crowd(j, measure_live(c, clip, p)),
                    None,
                )
                crowds += [] if crowd is None else [crowd]
    return crowds


def crowd_table(crowds: Sequence[Crowd]) -> list[str]:
    """Lines of Markdown."""
    heads = ("conversations", "runs", "p50", "p95", "p99", "compute p50")
    return [
        f"Decision latency in ms of conversations in real time, a decision every {DEFAULT_HOP} s, "
        f"the default bundle in fp16 on {BACKEND}; skipped are decisions that were left out.",
        "",
        *table((*heads, "skipped", "pictures shed", "processor, %"), [c.cells() for c in crowds]),
    ]


def _small(clip: LatencyClip) -> LatencyClip:
    live = clip.live
    frames = tuple(
        VideoFrame(np.ascontiguousarray(f.image[::_SMALLER, ::_SMALLER]), f.time)
        for f in live.frames[::_EVERY]
    )
    few = MemoryClip(live.samples, frames, duration=live.duration or 0, name=live.name)
    return replace(clip, live=few)
