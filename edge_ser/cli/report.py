"""`edge-ser report`: the page that a device or a bundle is signed off with."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from edge_ser.cli.options import (
    AcceptLeak,
    BackendNames,
    BundleFolder,
    Int8Clips,
    PrecisionNames,
    SpeechGate,
    names,
    numbers,
)
from edge_ser.cli.progress import step_progress
from edge_ser.errors import MissingExtraError
from edge_ser.shown.terminal import Terminal

EXIT_BUDGET = 4
"""The report was made, and a budget is not kept."""


def report(
    output: Annotated[Path, typer.Option(help="The page; its data go beside it as .json.")] = Path(
        "report.html"
    ),
    bundle: BundleFolder = None,
    data: Annotated[
        Path | None, typer.Option(help="Labelled clips of held-out people; without: latency alone.")
    ] = None,
    precisions: PrecisionNames = "bundle",
    backends: BackendNames = "onnxruntime",
    budget: Annotated[
        str, typer.Option(help="Limits, with commas: latency_p99=150,ece=0.08,accuracy_drop=1.0")
    ] = "",
    sign_off: Annotated[
        str, typer.Option(help="Precisions that must keep the budgets (default: all).")
    ] = "",
    compare: Annotated[
        Path | None, typer.Option(help="An older report's .json: show what changed.")
    ] = None,
    threads: Annotated[
        str, typer.Option(help="Threads of a graph, with commas (default: 1 and all cores).")
    ] = "",
    streams: Annotated[str, typer.Option(help="Conversations at once, with commas.")] = "1,4",
    decisions: Annotated[
        int, typer.Option(min=10, help="Decisions per distribution; p99.9 wants 1000.")
    ] = 100,
    processes: Annotated[int, typer.Option(min=1, help="Fresh processes of each variant.")] = 3,
    hop: Annotated[
        float | None,
        typer.Option(
            help="Seconds between live decisions (default: what the device keeps up with)."
        ),
    ] = None,
    clip: Annotated[
        Path | None, typer.Option(help="Clip that latency is measured with (default: the demo).")
    ] = None,
    int8_clips: Int8Clips = None,
    limit: Annotated[int, typer.Option(min=1, help="At most so many labelled clips.")] = 500,
    robustness: Annotated[
        bool, typer.Option(help="With --data: also noise, dim light, wrong words, offset.")
    ] = True,
    accept_leak: AcceptLeak = False,
    speech_gate: SpeechGate = True,
    seed: Annotated[int, typer.Option(min=0, help="Of everything that is drawn.")] = 0,
) -> None:
    """Measure a bundle on this device and write one page: verdict, plots, tables.

    Exit code 4 when a budget is not kept. An interrupted run goes on where it stopped.

    A complete command: edge-ser report --budget latency_p99=150,memory=400 --output report.html
    """
    try:
        from edge_ser.calibration.report.budget import parse_budgets
        from edge_ser.calibration.report.make import failed, make_report
        from edge_ser.calibration.report.request import ReportRequest
    except ModuleNotFoundError as error:
        raise MissingExtraError("report", "report") from error

    given = {"threads": numbers("--threads", threads)} if threads else {}
    request = ReportRequest(
        output=output,
        bundle=bundle,
        data=data,
        precisions=names(precisions),
        backends=names(backends),
        limits=parse_budgets(budget),
        sign_off=names(sign_off),
        compare=compare,
        streams=numbers("--streams", streams),
        decisions=decisions,
        processes=processes,
        hop=hop,
        clip=clip,
        int8_clips=int8_clips,
        clips=limit,
        accept_leak=accept_leak,
        speech_gate=speech_gate,
        robustness=robustness,
        seed=seed,
        **given,
    )
    console = Terminal(stderr=True)
    with step_progress(console) as tell:
        made = make_report(request, tell)
    typer.echo(f"{output} ({output.with_suffix('.json').name} beside it), {made.seconds:.0f} s")
    if made.no_accuracy is not None:
        typer.echo(made.no_accuracy)
    for line in failed(made):
        typer.echo(f"FAILED {line}")
    if made.passed is False:
        raise typer.Exit(EXIT_BUDGET)
    typer.echo("no budget was given" if made.passed is None else "passed: every budget is kept")
