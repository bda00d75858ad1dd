"""`edge-ser compare`: what each backend and precision costs and gains."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.box import SIMPLE_HEAD
from rich.table import Table
from rich.text import Text

from edge_ser.cli.options import (
    AsJson,
    BackendNames,
    HeldOutClips,
    Int8Clips,
    PrecisionNames,
    names,
)
from edge_ser.errors import MissingExtraError
from edge_ser.shown.terminal import Terminal

if TYPE_CHECKING:
    from edge_ser.export.comparison.compare import VariantReport

EXIT_GATE = 1


def compare(
    bundle: Annotated[
        Path | None,
        typer.Argument(metavar="[BUNDLE]", help="A bundle's folder (default: the one that ships)."),
    ] = None,
    backends: BackendNames = "onnxruntime",
    precisions: PrecisionNames = "fp32,bundle",
    clips: HeldOutClips = None,
    calibration: Int8Clips = None,
    limit: Annotated[int | None, typer.Option(help="At most so many clips.")] = None,
    rounds: Annotated[int, typer.Option(min=1, help="How often times are taken.")] = 5,
    as_json: AsJson = False,
    gate: Annotated[
        bool, typer.Option("--gate", help="Exit with 1 if a precision fails the gate.")
    ] = False,
) -> None:
    """Compare precisions and backends: accuracy, differences and times, side by side.

    A complete command: edge-ser compare --precisions fp32,int8 --clips held_out --calibration set
    """
    try:
        from edge_ser.export.comparison.compare import compare as run
        from edge_ser.export.data.clip_set import read_clips
        from edge_ser.export.variants.variant import Variant
    except ModuleNotFoundError as error:
        raise MissingExtraError("compare", "engines") from error
    from edge_ser.bundles.loading import load_bundle

    loaded = load_bundle(bundle)
    variants = [Variant(b, p) for b in names(backends) for p in names(precisions)]
    console = Terminal(stderr=as_json)
    with console.status("reading clips") as status:
        found = read_clips(clips, loaded.manifest, limit) if clips is not None else []
        reports = run(
            loaded,
            variants,
            found,
            calibration=calibration,
            rounds=rounds,
            progress=lambda line: status.update(Text(line)),
        )
    if as_json:
        typer.echo(json.dumps([asdict(report) for report in reports], indent=2))
    else:
        _show(console, reports, len(found))
    if gate and not all(report.passed for report in reports):
        raise typer.Exit(EXIT_GATE)


def _show(console: Terminal, reports: list[VariantReport], clips: int) -> None:
    ran = [report for report in reports if report.not_run is None]
    _show_graphs(console, ran)
    whole = Table(title="Every graph, for one decision", title_justify="left", box=SIMPLE_HEAD)
    whole.add_column("variant")
    whole.add_column("decision about")
    for heading in ("MB", "p50 ms", "p95 ms", "p99 ms", "times as fast"):
        whole.add_column(heading, justify="right")
    for report in ran:
        kinds = (
            ("3 s of a clip", report.pipeline, ran[0].pipeline),
            ("the next 0.5 s, live", report.live, ran[0].live),
        )
        for index, (about, times, first) in enumerate(kinds):
            if times is not None and first is not None:
                cells = ["" if index else f"{report.megabytes:.1f}", f"{times.p50:.2f}"]
                cells += [f"{times.p95:.2f}", f"{times.p99:.2f}", f"{first.p50 / times.p50:.2f}"]
                whole.add_row("" if index else str(report.variant), about, *cells)
    console.print(whole)
    if clips:
        _show_verdicts(console, ran)
    else:
        console.print("no clips were given: nothing is said about accuracy (--clips)")
    for report in reports:
        if report.not_run is not None:
            console.print(f"{report.variant}: not run: {report.not_run}", soft_wrap=True)
        if report.forced:
            names = ", ".join(report.forced)
            console.print(f"{report.variant}: over the tolerance of its precision: {names}")


def _show_graphs(console: Terminal, reports: list[VariantReport]) -> None:
    table = Table(
        "graph",
        "variant",
        title="Graphs: differences from the first variant, and times",
        title_justify="left",
        box=SIMPLE_HEAD,
    )
    for heading in ("largest", "mean", "p50 ms", "p95 ms", "p99 ms"):
        table.add_column(heading, justify="right")
    for graph in reports[0].graphs if reports else ():
        for report in reports:
            row = report.graphs[graph]
            table.add_row(
                graph,
                str(report.variant),
                f"{row.largest:.2g}",
                f"{row.mean:.2g}",
                *(f"{t:.2f}" for t in (row.times.p50, row.times.p95, row.times.p99)),
            )
    console.print(table)


def _show_verdicts(console: Terminal, reports: list[VariantReport]) -> None:
    for subset in reports[0].verdicts if reports else ():
        first = reports[0].verdicts[subset]
        table = Table("variant", "metric", box=SIMPLE_HEAD, title_justify="left")
        table.title = f"{subset}: {first.clips} clips of {first.people} held-out people"
        for heading in ("value", "loss", "95 % interval", "gate"):
            table.add_column(heading, justify="right", no_wrap=True)
        for report in reports:
            verdict = report.verdicts[subset]
            for index, loss in enumerate(verdict.losses):
                table.add_row(
                    str(report.variant) if index == 0 else "",
                    loss.metric,
                    f"{loss.value:.4f}",
                    f"{loss.loss:+.4f}",
                    f"{loss.low:+.4f} {loss.high:+.4f}",
                    str(verdict) if index == 0 else "",
                )
            table.add_row("", "same label", f"{verdict.agreement:.2%}", "", "", "")
        console.print(table)
