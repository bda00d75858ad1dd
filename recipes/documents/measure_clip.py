"""Measure a cold process that recognises one clip on one core, and write the figures down.

    python -m recipes.documents.measure_clip CLIP --transcript "what is said" [--write README.md]

Each run is a new process pinned to one core: it starts, imports edge_ser, loads the default bundle
and recognises the clip, as the cold starts of `edge-ser report` do. The table holds medians and the
range over the runs, with host and versions.
"""

from __future__ import annotations

import os
import shutil
import statistics
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import psutil
import typer

from edge_ser.bundles.loading import load_bundle
from edge_ser.calibration.performance.cold import DECISIONS, fresh_process
from edge_ser.calibration.performance.warm import Candidate
from edge_ser.files import write_atomically
from recipes.command_line import run
from recipes.documents.markdown import table
from recipes.documents.measured_section import host, write_section

BARS = {
    "interpreter, import edge_ser": "0.30 s",
    "load the default bundle": "1.5 s",
    "whole process, cold": "2.5 s",
    "memory": "400 MB",
}


def run_once(clip: Path) -> dict[str, float]:
    """Figures of one cold process, in seconds and MB."""
    figures = {
        name: value or 0.0
        for name, value in fresh_process(
            Candidate("bundle", "onnxruntime", 1, load_bundle()), clip
        ).items()
    }
    return {
        "interpreter, import edge_ser": figures["interpreter"] / 1000,
        "load the default bundle": (figures["imports"] + figures["load"]) / 1000,
        "recognize, first call": figures["first_decision"] / 1000,
        "recognize, warm": figures["repeated"] / DECISIONS / 1000,
        "whole process, cold": figures["whole"] / 1000,
        "memory": figures["resident_peak"],
    }


def document(clip: Path, runs: Sequence[dict[str, float]]) -> str:
    """The figures as Markdown."""
    rows = []
    for name in runs[0]:
        values = [figures[name] for figures in runs]
        unit, digits = ("MB", 0) if name == "memory" else ("s", 2)
        middle = f"{statistics.median(values):.{digits}f} {unit}"
        spread = f"{min(values):.{digits}f} to {max(values):.{digits}f}"
        rows.append((name, middle, spread, BARS.get(name, "")))
    lines = table(("", "median", "range", "bar"), rows)
    where = host(("edge-ser", "onnxruntime", "av"))
    return "\n".join([*lines, "", f"`{clip.name}`; {len(runs)} cold processes, one core; {where}."])


def command(
    clip: Annotated[Path, typer.Argument(help="A file with sound, pictures or both.")],
    transcript: Annotated[str, typer.Option(help="What is said.")] = "",
    runs: Annotated[int, typer.Option(min=1, help="Cold processes.")] = 7,
    write: Annotated[
        Path | None, typer.Option(help="Document with the lines <!-- measured -->.")
    ] = None,
) -> None:
    """Measure a cold process that recognises one clip on one core.

    A complete command: python -m recipes.documents.measure_clip clip.mp4 --transcript "so glad"
    """
    # Children run where their parent may.
    process = psutil.Process()
    process.cpu_affinity(process.cpu_affinity()[-1:])
    os.environ["OMP_NUM_THREADS"] = "1"
    with tempfile.TemporaryDirectory() as folder:
        beside = Path(shutil.copy(clip, folder))
        write_atomically(beside.with_suffix(".txt"), transcript.encode())
        text = document(clip, [run_once(beside) for _ in range(runs)])
    typer.echo(text)
    if write is not None:
        write_section(write, "measured", text)


if __name__ == "__main__":
    sys.exit(run(command))
