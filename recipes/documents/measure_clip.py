"""Measure a cold process that recognises one clip on one core, and write the figures down.

    python -m recipes.documents.measure_clip CLIP --transcript "what is said" [--write README.md]

Each run is a new process pinned to one core: it imports edge_ser, loads the default bundle and
recognises the clip. The table holds medians and the range over the runs, with host and versions.
`--write` puts it between the lines `<!-- measured -->` and `<!-- /measured -->` of a document.
"""

from __future__ import annotations

import json
import os
import platform
import re
import statistics
import subprocess
import sys
from collections.abc import Sequence
from importlib import metadata
from pathlib import Path
from typing import Annotated

import typer

from recipes.command_line import run
from recipes.documents.measured_section import write_section

CHILD = """
import json, os, resource, sys, time
started = time.perf_counter()
if hasattr(os, "sched_setaffinity"):
    os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})
t0 = time.perf_counter()
import edge_ser
t1 = time.perf_counter()
from edge_ser import EdgeRecognizer
t2 = time.perf_counter()
recognizer = EdgeRecognizer()
t3 = time.perf_counter()
decision = recognizer.recognize(sys.argv[1], transcript=sys.argv[2] or None)
t4 = time.perf_counter()
warm = []
for _ in range(3):
    begun = time.perf_counter()
    recognizer.recognize(sys.argv[1], transcript=sys.argv[2] or None)
    warm.append(time.perf_counter() - begun)
peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
print(json.dumps({
    "import edge_ser": t1 - t0,
    "load the default bundle": t3 - t1,
    "recognize, first call": t4 - t3,
    "recognize, warm": min(warm),
    "memory": peak / (1024 if sys.platform != "darwin" else 1024 * 1024),
    "present": list(decision.present),
}))
"""
BARS = {
    "import edge_ser": "0.30 s",
    "load the default bundle": "1.5 s",
    "whole process, cold": "2.5 s",
    "memory": "400 MB",
}


def run_once(clip: Path, transcript: str) -> dict[str, float]:
    """Figures of one cold process, in seconds and MB."""
    import time

    begun = time.perf_counter()
    outcome = subprocess.run(  # noqa: S603
        [sys.executable, "-c", CHILD, str(clip), transcript],
        check=True,
        capture_output=True,
        text=True,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
    )
    whole = time.perf_counter() - begun
    figures: dict[str, float] = json.loads(outcome.stdout)
    figures["whole process, cold"] = whole - 3 * figures["recognize, warm"]
    return figures


def host() -> str:
    """Processor, system and versions, as figures must carry them."""
    processor = platform.processor() or platform.machine()
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.exists():
        found = re.search(r"model name\s*:\s*(.+)", cpuinfo.read_text())
        processor = found.group(1) if found else processor
    versions = ", ".join(f"{p} {metadata.version(p)}" for p in ("edge-ser", "onnxruntime", "av"))
    system = f"{platform.system()}, Python {platform.python_version()}"
    return f"{processor}, one core, {system}, {versions}"


def table(clip: Path, runs: list[dict[str, float]]) -> str:
    """The figures as Markdown."""
    lines = ["| | median | range | bar |", "|---|---|---|---|"]
    order = (
        "import edge_ser",
        "load the default bundle",
        "recognize, first call",
        "recognize, warm",
        "whole process, cold",
        "memory",
    )
    for name in order:
        values = [run[name] for run in runs]
        unit, form = ("MB", "{:.0f}") if name == "memory" else ("s", "{:.2f}")
        low, high = form.format(min(values)), form.format(max(values))
        middle = form.format(statistics.median(values))
        lines.append(f"| {name} | {middle} {unit} | {low} to {high} | {BARS.get(name, '')} |")
    present = ", ".join(runs[0]["present"])  # type: ignore[arg-type]
    lines.append("")
    lines.append(
        f"`{clip.name}`, modalities present: {present}; {len(runs)} cold processes; {host()}."
    )
    return "\n".join(lines)


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
    text = table(clip, [run_once(clip, transcript) for _ in range(runs)])
    typer.echo(text)
    if write is not None:
        write_section(write, "measured", text)


def main(arguments: Sequence[str] | None = None) -> int:
    """The command; gives the exit code."""
    return run(command, arguments)


if __name__ == "__main__":
    sys.exit(main())
