"""Cold starts: fresh processes that load a bundle and decide once, and the room that they take."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final

from edge_ser.calibration.performance.footprint import engine_megabytes, graph_megabytes
from edge_ser.calibration.performance.footprint_result import Footprint
from edge_ser.calibration.performance.result import ColdStart, Spread
from edge_ser.calibration.performance.statistics import spread
from edge_ser.calibration.performance.warm import Candidate
from edge_ser.errors import EngineError

DECISIONS: Final = 3
"""Decisions after the first, for the memory of a process that has been at work."""
_LONGEST: Final = 300.0
"""Seconds after which a process is given up."""

Figures = dict[str, "float | None"]


def measure_cold(
    candidates: Sequence[Candidate],
    clip: Path,
    processes: int,
    tick: Callable[[], None] | None = None,
) -> tuple[list[ColdStart], list[Footprint]]:
    """Run fresh processes of every candidate, in turn.

    Args:
        candidates: all of them must run here.
        clip: the file that each process decides about, with its words beside it.
        processes: of each candidate, at least one.
        tick: told after each process.

    Raises:
        EngineError: a process fails or hangs.
    """
    taken: list[list[Figures]] = [[] for _ in candidates]
    for _ in range(processes):
        for index, candidate in enumerate(candidates):
            taken[index].append(fresh_process(candidate, clip))
            if tick is not None:
                tick()
    starts = [_cold_start(c, runs) for c, runs in zip(candidates, taken, strict=True)]
    return starts, [_footprint(c, runs) for c, runs in zip(candidates, taken, strict=True)]


def _cold_start(candidate: Candidate, runs: Sequence[Figures]) -> ColdStart:
    return ColdStart(
        precision=candidate.precision,
        backend=candidate.backend,
        threads=candidate.threads,
        processes=len(runs),
        interpreter=_spread(runs, "interpreter"),
        imports=_spread(runs, "imports"),
        load=_spread(runs, "load"),
        first_decision=_spread(runs, "first_decision"),
        whole=_spread(runs, "whole"),
    )


def _footprint(candidate: Candidate, runs: Sequence[Figures]) -> Footprint:
    bundle = candidate.bundle
    return Footprint(
        precision=candidate.precision,
        backend=candidate.backend,
        threads=candidate.threads,
        bundle_mb=bundle.size() / 1e6,
        graphs_mb=graph_megabytes(bundle),
        engines_mb=engine_megabytes(bundle, candidate.backend),
        resident_imported_mb=_known(runs, "resident_imported"),
        resident_loaded_mb=_known(runs, "resident_loaded"),
        resident_deciding_mb=_known(runs, "resident_deciding"),
        resident_peak_mb=_known(runs, "resident_peak"),
        load_ms=_spread(runs, "load"),
    )


def _known(runs: Sequence[Figures], name: str) -> Spread | None:
    values = [value for run in runs if (value := run[name]) is not None]
    return spread(values) if values else None


def _spread(runs: Sequence[Figures], name: str) -> Spread:
    return spread([run[name] or 0.0 for run in runs])


def fresh_process(candidate: Candidate, clip: Path) -> Figures:
    """Figures of one fresh process, in milliseconds and megabytes.

    Those of `edge_ser.calibration.performance.process`, and ``whole`` without the repeated
    decisions, and ``interpreter``: what of it is none of the others.

    Raises:
        EngineError: it fails or hangs.
    """
    variant = f"{candidate.backend} {candidate.precision}"
    command = [
        sys.executable,
        "-m",
        "edge_ser.calibration.performance.process",
        str(clip),
        str(candidate.bundle.folder),
        candidate.backend,
        str(candidate.threads),
        str(DECISIONS),
    ]
    begun = time.perf_counter()
    try:
        outcome = subprocess.run(  # noqa: S603 - our own interpreter and module, no shell
            command, capture_output=True, text=True, timeout=_LONGEST, check=False
        )
    except subprocess.TimeoutExpired as error:
        raise EngineError(
            f"{variant}: a fresh process made no decision in {_LONGEST:.0f} s; "
            f"look at it with: edge-ser recognize {clip}"
        ) from error
    whole = (time.perf_counter() - begun) * 1000
    if outcome.returncode != 0:
        last = (outcome.stderr.strip().splitlines() or ["it said nothing"])[-1]
        raise EngineError(f"{variant}: a fresh process failed: {last}")
    figures: Figures = json.loads(outcome.stdout.strip().splitlines()[-1])
    whole -= figures["repeated"] or 0.0
    inside = sum(figures[name] or 0.0 for name in ("imports", "load", "first_decision"))
    return {**figures, "whole": whole, "interpreter": max(whole - inside, 0.0)}
