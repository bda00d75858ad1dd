"""Cold processes that recognise one clip on one core.

Each is new and pinned to one core: it starts, imports edge_ser, loads the default bundle and
recognises the clip, as the cold starts of `edge-ser report` do.
"""

from __future__ import annotations

import os
import shutil
import statistics
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import psutil

from edge_ser.bundles.loading import load_bundle
from edge_ser.calibration.performance.cold import DECISIONS, fresh_process
from edge_ser.calibration.performance.warm import Candidate
from edge_ser.files import write_atomically
from edge_ser.media.transcript import find_sidecar

Figures = Mapping[str, float]
"""Of one process, in seconds and MB."""

MEMORY: Final = "memory"
BARS: Final[Mapping[str, str]] = {
    "interpreter, import edge_ser": "0.30 s",
    "load the default bundle": "1.5 s",
    "whole process, cold": "2.5 s",
    MEMORY: "400 MB",
}


def cold_processes(clip: Path, transcript: str | None, count: int) -> list[Figures]:
    """Run so many cold processes, one after the other, on one core.

    Args:
        clip: a file with sound, pictures or both.
        transcript: what is said; None takes the file beside the clip.
        count: of processes.

    Raises:
        EngineError: a process fails.
    """
    with _one_core(), tempfile.TemporaryDirectory() as folder:
        beside = Path(shutil.copy(clip, folder))
        words = find_sidecar(clip)
        if transcript is not None:
            write_atomically(beside.with_suffix(".txt"), transcript.encode())
        elif words is not None:
            shutil.copy(words, folder)
        candidate = Candidate("bundle", "onnxruntime", 1, load_bundle())
        return [_figures(candidate, beside) for _ in range(count)]


def spread_of(name: str, runs: Sequence[Figures]) -> tuple[str, str]:
    """Median and range of a figure over the processes, with its unit."""
    values = [figures[name] for figures in runs]
    unit, digits = ("MB", 0) if name == MEMORY else ("s", 2)
    middle = f"{statistics.median(values):.{digits}f} {unit}"
    return middle, f"{min(values):.{digits}f} to {max(values):.{digits}f}"


def _figures(candidate: Candidate, clip: Path) -> Figures:
    figures = {name: value or 0.0 for name, value in fresh_process(candidate, clip).items()}
    return {
        "interpreter, import edge_ser": figures["interpreter"] / 1000,
        "load the default bundle": (figures["imports"] + figures["load"]) / 1000,
        "recognize, first call": figures["first_decision"] / 1000,
        "recognize, warm": figures["repeated"] / DECISIONS / 1000,
        "whole process, cold": figures["whole"] / 1000,
        MEMORY: figures["resident_peak"],
    }


@contextmanager
def _one_core() -> Iterator[None]:
    """Children run where their parent may."""
    process, threads = psutil.Process(), os.environ.get("OMP_NUM_THREADS")
    allowed = process.cpu_affinity()
    process.cpu_affinity(allowed[-1:])
    os.environ["OMP_NUM_THREADS"] = "1"
    try:
        yield
    finally:
        process.cpu_affinity(allowed)
        if threads is None:
            del os.environ["OMP_NUM_THREADS"]
        else:
            os.environ["OMP_NUM_THREADS"] = threads
