"""`edge-ser build-engine`: precision into graphs, graphs into engines."""

from __future__ import annotations

from enum import Enum
from pathlib import Path
from typing import Annotated

import typer
from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

from edge_ser.cli.engine_tables import show_sensitivity, show_summary, show_verdicts
from edge_ser.cli.options import BundleFolder, HeldOutClips, Int8Clips
from edge_ser.errors import MissingExtraError
from edge_ser.shown.terminal import Terminal

EXIT_NOT_BUILT = 3
"""Graphs were written, engines were not: there is no CUDA device to build them on."""


class Backend(str, Enum):
    """What the graphs are for."""

    tensorrt = "tensorrt"
    tensorrt_rtx = "tensorrt-rtx"
    onnxruntime = "onnxruntime"


class RangeMethod(str, Enum):
    """How ranges are picked from calibration clips."""

    minmax = "minmax"
    entropy = "entropy"
    percentile = "percentile"


def build_engine(
    fp16: Annotated[bool, typer.Option("--fp16", help="Half precision.")] = False,
    int8: Annotated[
        bool, typer.Option("--int8", help="8 bits; with --fp16 the rest in half precision.")
    ] = False,
    backend: Annotated[Backend, typer.Option(help="What runs the graphs.")] = Backend.tensorrt,
    target: Annotated[
        list[str] | None,
        typer.Option(help="sm86, sm89 ... or hardware-compatible; may be repeated."),
    ] = None,
    bundle: BundleFolder = None,
    output: Annotated[
        Path | None, typer.Option(help="Folder for the bundle with the new graphs.")
    ] = None,
    engines: Annotated[
        Path | None, typer.Option(help="Folder for engines (default: the engine cache).")
    ] = None,
    calibration: Int8Clips = None,
    method: Annotated[
        RangeMethod, typer.Option(help="How ranges are picked from the clips.")
    ] = RangeMethod.percentile,
    exclude: Annotated[
        list[str] | None,
        typer.Option(metavar="GRAPH:LAYER", help="Layer to leave in float; may be repeated."),
    ] = None,
    sensitivity: Annotated[
        bool, typer.Option("--sensitivity", help="Measure what each int8 layer alone costs.")
    ] = False,
    everything: Annotated[
        bool, typer.Option("--everything", help="On a CPU, int8 also where it is not faster here.")
    ] = False,
    clips: HeldOutClips = None,
    rebuild: Annotated[
        bool, typer.Option("--rebuild", help="Ignore engines in the cache.")
    ] = False,
    force: Annotated[
        bool,
        typer.Option(
            "--force",
            help="Go on when an error is too large or the gate fails (recorded); fp16 on a CPU.",
        ),
    ] = False,
) -> None:
    """Write fp16 or int8 into a bundle's graphs and compile them to engines.

    A complete command: edge-ser build-engine --fp16 --backend tensorrt-rtx --target sm86
    """
    try:
        from edge_ser.export.engines.build import BuildRequest, build
        from edge_ser.export.engines.compiling import NO_DEVICE
    except ModuleNotFoundError as error:
        raise MissingExtraError("build-engine", "engines") from error
    from edge_ser.bundles.loading import load_bundle

    console = Terminal()
    request = BuildRequest(
        backend=backend.value,
        fp16=fp16,
        int8=int8,
        targets=target or (),
        output=output,
        engines=engines,
        calibration=calibration,
        method=method.value,
        exclude=exclude or (),
        sensitivity=sensitivity,
        everything=everything,
        clips=clips,
        rebuild=rebuild,
        force=force,
    )
    with _progress(console) as progress:
        task = progress.add_task(f"precision {request.precision}", total=None)
        built = build(
            load_bundle(bundle), request, lambda line: progress.update(task, description=line)
        )
    show_summary(console, built.typed, built.engines, built.milliseconds)
    show_sensitivity(console, built.typed)
    if built.verdicts:
        show_verdicts(console, built.verdicts)
    elif request.precision != "fp32":
        console.print("the gate was not run: no clips of held-out people were given (--clips)")
    console.print(f"bundle with these graphs: {built.bundle.folder}", soft_wrap=True)
    if built.without_device:
        for name in built.typed.graphs:
            console.print(f"{name}: {NO_DEVICE}", style="yellow")
        raise typer.Exit(EXIT_NOT_BUILT)


def _progress(console: Terminal) -> Progress:
    columns = (SpinnerColumn(), TextColumn("{task.description}", markup=False), TimeElapsedColumn())
    return Progress(*columns, console=console, transient=True)
