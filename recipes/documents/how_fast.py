"""Renew every figure of speed in the documents: measured by one command, on one day, peers beside.

    python -m recipes.documents.how_fast CLIP --transcript "what is said" --write

It measures, one after the other, on a machine that should do nothing else: the kernels beside
their peers (docs/kernels.md), cold processes that recognise a clip and one live conversation
(README.md, with the kernels in short), and builds of engines (docs/engines.md). What int8 costs in
accuracy needs data and has a command of its own (`recipes.default_bundle.precision`).
"""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from datetime import datetime, timezone
from pathlib import Path
from typing import Annotated, Any, Final

import typer
from rich.console import Console

from edge_ser.bundles.loading import default_bundle_path, load_bundle
from edge_ser.calibration.device.host import Watch
from edge_ser.calibration.performance.clip import load_latency_clip
from edge_ser.calibration.performance.live import LivePlan, measure_live
from edge_ser.calibration.performance.result import LiveLatency
from edge_ser.calibration.performance.warm import Candidate
from edge_ser.constants import DEMO_CLIP
from edge_ser.errors import ConfigError, EdgeSerError
from edge_ser.machine.kernel_bench import OURS
from edge_ser.recognizer import DEFAULT_HOP
from recipes.command_line import run
from recipes.documents import engine_times, measure_kernels
from recipes.documents.cold_clip import BARS, Figures, cold_processes, spread_of
from recipes.documents.markdown import table
from recipes.documents.measured_section import host, write_section

SECTION: Final = "measured: how fast"
PACKAGES: Final = ("edge-ser", "onnxruntime", "av", "librosa", "kaldi-native-fbank", "soxr")
REPOSITORY: Final = Path(__file__).resolve().parents[2]
DOCUMENTS: Final[Mapping[str, tuple[str, str]]] = {
    "README.md": ("README.md", SECTION),
    "kernels": ("docs/kernels.md", "measured"),
    "engines": ("docs/engines.md", engine_times.SECTION),
}
"""Where each part is written: the document, and its section."""


def in_short(
    clip: str,
    cold: Sequence[Figures],
    live: LiveLatency,
    kernels: Mapping[str, Any],
    others: float | None,
) -> str:
    """What the README says: the whole and the kernels, with what is beside them.

    Args:
        clip: name of the clip.
        cold: of every cold process.
        live: of one conversation.
        kernels: as `edge_ser.machine.kernel_bench.report` gives them.
        others: percent of all cores that other programs took meanwhile; None: not known.
    """
    load = "" if others is None else f"; other programs took {others:.0f} % of all cores meanwhile"
    whole = [(name, *spread_of(name, cold), BARS.get(name, "")) for name in cold[0]]
    latency, compute = live.latency, live.compute
    for what, times in (("decision latency", latency), ("of it, computing", compute)):
        high = "" if times.p95 is None else f"95 % within {times.p95:.0f} ms"
        whole.append((f"live, {what}", f"{times.p50:.0f} ms", high, ""))
    rows = []
    for task in kernels["tasks"]:
        microseconds, ours = task["microseconds"], task["microseconds"][OURS]
        beside = [
            f"{name} {value:.2f} µs: {task['speedups'][name]:.1f} x"
            for name, value in microseconds.items()
            if name != OURS
        ]
        what = f"{task['name']}, per {task['unit']}"
        rows.append((what, f"{ours:.2f} µs", "; ".join(beside) or "none installed"))
    return "\n".join(
        [
            *table(("a clip, a conversation", "median", "range", "bar"), whole),
            "",
            *table(
                ("kernels", "edge-ser", "beside it in the same run: edge-ser is faster by"), rows
            ),
            "",
            f"{_today()}; `{clip}`, {len(cold)} cold processes on one core, {latency.count} live "
            f"decisions; kernels in {kernels['rounds']} interleaved rounds{load}; "
            f"{host(PACKAGES)}.",
        ]
    )


def _today() -> str:
    return f"{datetime.now(timezone.utc):%Y-%m-%d}"


def command(
    clip: Annotated[Path, typer.Argument(help="A file with sound and pictures.")] = DEMO_CLIP,
    transcript: Annotated[
        str | None, typer.Option(help="What is said; else the file beside the clip.")
    ] = None,
    processes: Annotated[int, typer.Option(min=1, help="Cold processes.")] = 7,
    decisions: Annotated[int, typer.Option(min=1, help="Live decisions.")] = 40,
    rounds: Annotated[int, typer.Option(min=1, help="Runs of every kernel and peer.")] = 31,
    hours: Annotated[float, typer.Option(help="Of sound through the kernels, 8 s each.")] = 72,
    engines: Annotated[
        bool, typer.Option(help="Build engines for docs/engines.md: minutes.")
    ] = True,
    write: Annotated[bool, typer.Option("--write", help="Write the documents.")] = False,
) -> None:
    """Measure everything that README.md, docs/kernels.md and docs/engines.md say of speed.

    A complete command: python -m recipes.documents.how_fast --write
    """
    console = Console(stderr=True, highlight=False)
    if write:
        # What cannot be written is told of before an hour is spent.
        for document, section in DOCUMENTS.values():
            text = (REPOSITORY / document).read_text(encoding="utf-8")
            if text.count(f"<!-- {section} -->") != 1:
                raise ConfigError(f"{document} needs the line <!-- {section} --> once")
    watch = Watch()
    console.print("kernels")
    # First, while the heap holds nothing that others have left behind.
    figures, found = measure_kernels.measure(rounds, hours, 20, None)
    written = {"kernels": found}
    bundle = load_bundle()
    console.print("cold processes")
    cold = cold_processes(clip, transcript, processes)
    console.print("one live conversation")
    live = measure_live(
        Candidate("bundle", "onnxruntime", 1, bundle),
        load_latency_clip(clip),
        LivePlan(1, DEFAULT_HOP, decisions),
    )
    machine = watch.finish()
    for warning in machine.warnings:
        console.print(warning, style="yellow")
    written["README.md"] = in_short(clip.name, cold, live, figures, machine.other_load_percent)
    if engines:
        try:
            rows = engine_times.build_all(
                load_bundle(default_bundle_path()), engine_times.TARGETS, None, console
            )
            written["engines"] = engine_times.markdown(rows)
        except EdgeSerError as error:
            console.print(f"engines are left as they were: {error}", style="yellow")
    for name, text in written.items():
        document, section = DOCUMENTS[name]
        if write:
            write_section(REPOSITORY / document, section, text)
        typer.echo(f"## {document}\n\n{text}\n")


if __name__ == "__main__":
    sys.exit(run(command))
