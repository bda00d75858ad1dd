"""`edge-ser build-engine`: precision into graphs, graphs into engines."""

from __future__ import annotations

from collections.abc import Sequence
from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console
from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn
from rich.table import Table

from edge_ser.errors import ConfigError, MissingExtraError

if TYPE_CHECKING:
    from edge_ser.export.engine_build import EngineReport
    from edge_ser.export.typed_bundle import TypedBundle

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
    bundle: Annotated[Path | None, typer.Option(help="A bundle's folder.")] = None,
    output: Annotated[
        Path | None, typer.Option(help="Folder for the bundle with the new graphs.")
    ] = None,
    engines: Annotated[
        Path | None, typer.Option(help="Folder for engines [default: the engine cache].")
    ] = None,
    calibration: Annotated[
        Path | None, typer.Option(help="Folder of clips that int8 ranges are measured on.")
    ] = None,
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
    rebuild: Annotated[
        bool, typer.Option("--rebuild", help="Ignore engines in the cache.")
    ] = False,
    force: Annotated[
        bool, typer.Option("--force", help="Go on when a graph's error is too large; recorded.")
    ] = False,
) -> None:
    """Write fp16 or int8 into a bundle's graphs and compile them to engines.

    A complete command: edge-ser build-engine --fp16 --backend tensorrt-rtx --target sm86
    """
    try:
        from edge_ser.export.derived_bundle import check_output, write_derived
        from edge_ser.export.engine_build import NO_DEVICE, device_capability
        from edge_ser.export.typed_bundle import PrecisionOptions, typed_bundle
    except ModuleNotFoundError as error:
        raise MissingExtraError("build-engine", "train") from error
    from edge_ser.bundle import load_bundle

    console = Console(highlight=False)
    source = load_bundle(bundle)
    precision = "-".join(n for n, on in (("int8", int8), ("fp16", fp16)) if on) or "fp32"
    manifest = source.manifest
    folder = output or Path(f"{manifest.name}-{manifest.version}-{backend.value}-{precision}")
    check_output(folder, source)
    if target and backend is Backend.onnxruntime:
        raise ConfigError("--target names a GPU; the backend onnxruntime builds no engine")
    options = PrecisionOptions(
        target="onnxruntime" if backend is Backend.onnxruntime else "tensorrt",
        fp16=fp16,
        int8=int8,
        calibration=calibration,
        method=method.value,
        exclude=_excluded(exclude or (), list(manifest.graphs)),
        sensitivity=sensitivity,
        everything=everything,
        force=force,
    )
    with _progress(console) as progress:
        task = progress.add_task(f"precision {precision}", total=None)
        typed = typed_bundle(
            source, options, lambda g, step: progress.update(task, description=f"{g}: {step}")
        )
        progress.update(task, description="writing the bundle")
        written = write_derived(source, folder, typed.new_graphs(), typed.report(options))
        reports: list[EngineReport] = []
        capability = device_capability()
        not_built = backend is Backend.tensorrt and capability is None
        if backend is not Backend.onnxruntime and not not_built:
            reports = _compile(
                written, typed, backend, target or (), engines, capability, rebuild, progress, task
            )
    _show_graphs(console, typed, backend)
    _show_sensitivity(console, typed)
    _show_engines(console, reports)
    console.print(f"bundle with these graphs: {folder}", soft_wrap=True)
    if not_built:
        for name in typed.graphs:
            console.print(f"{name}: {NO_DEVICE}", style="yellow")
        raise typer.Exit(EXIT_NOT_BUILT)


def _compile(
    bundle: Any,
    typed: TypedBundle,
    backend: Backend,
    targets: Sequence[str],
    engines: Path | None,
    capability: str | None,
    rebuild: bool,
    progress: Progress,
    task: Any,
) -> list[EngineReport]:
    from edge_ser.export.engine_build import build_engines, build_targets
    from edge_ser.runtime.engine_cache import EngineCache
    from edge_ser.runtime.tensorrt_api import as_tensorrt_backend, load_tensorrt

    name = as_tensorrt_backend(backend.value)
    api = load_tensorrt(name)
    return build_engines(
        bundle,
        typed,
        api,
        build_targets(name, targets, api, capability),
        cache=EngineCache(engines),
        capability=capability,
        rebuild=rebuild,
        facts={"bundle": bundle.manifest.name, "forced": list(typed.forced)},
        progress=lambda g, step: progress.update(task, description=f"{g}: {step}"),
    )


def _excluded(pairs: Sequence[str], graphs: Sequence[str]) -> dict[str, list[str]]:
    layers: dict[str, list[str]] = {}
    for pair in pairs:
        graph, colon, layer = pair.partition(":")
        if not colon or not layer or graph not in graphs:
            raise ConfigError(
                f"--exclude takes GRAPH:LAYER with a graph out of {', '.join(graphs)}, not {pair!r}"
            )
        layers.setdefault(graph, []).append(layer)
    return layers


def _progress(console: Console) -> Progress:
    columns = (SpinnerColumn(), TextColumn("{task.description}"), TimeElapsedColumn())
    return Progress(*columns, console=console, transient=True)


def _show_graphs(console: Console, typed: TypedBundle, backend: Backend) -> None:
    from edge_ser.export.engine_build import cpu_milliseconds

    where = "calibration clips" if typed.calibrated else "synthetic probes"
    table = Table(title=f"Graphs (errors on {where})", title_justify="left")
    table.add_column("graph")
    table.add_column("precision")
    headings = ["MB", "largest error", "mean error", "relative", "left in float"]
    speed = backend is Backend.onnxruntime
    if speed:
        headings += ["float ms", "ms", "times as fast"]
    for heading in headings:
        table.add_column(heading, justify="right")
    for name, graph in typed.graphs.items():
        apart = graph.difference
        row = [
            name,
            graph.precision + (" (forced)" if name in typed.forced else ""),
            f"{len(typed.contents[name]) / 1e6:.2f}",
            f"{apart.largest:.2g}",
            f"{apart.mean:.2g}",
            f"{apart.relative:.2%}",
            str(len(graph.left_in_float)),
        ]
        if speed:
            before, after = cpu_milliseconds(typed, name)
            row += [f"{before:.2f}", f"{after:.2f}", f"{before / after:.2f}"]
        table.add_row(*row)
    console.print(table)
    for graph in typed.graphs.values():
        for finding in graph.warnings:
            console.print(f"{graph.name}: {finding}", style="yellow", soft_wrap=True, markup=False)


def _show_engines(console: Console, reports: Sequence[EngineReport]) -> None:
    if not reports:
        return
    table = Table("graph", "target", title="Engines", title_justify="left")
    for heading in ("MB", "built in", "run"):
        table.add_column(heading, justify="right")
    for report in reports:
        built = "in the cache" if report.cached else f"{report.seconds:.1f} s"
        ran = "no such GPU here" if report.milliseconds is None else f"{report.milliseconds:.2f} ms"
        table.add_row(report.graph, report.target, f"{report.size / 1e6:.2f}", built, ran)
    console.print(table)


def _show_sensitivity(console: Console, typed: TypedBundle) -> None:
    for graph in typed.graphs.values():
        if not graph.sensitivity:
            continue
        title = f"{graph.name}: layers by what each alone costs in int8 (10 worst)"
        table = Table("layer", "operator", title=title, title_justify="left")
        for heading in ("weights", "relative error", "largest error", "left in float"):
            table.add_column(heading, justify="right")
        for row in graph.sensitivity[:10]:
            left = "yes" if row.layer in graph.left_in_float else ""
            cells = [f"{row.weights}", f"{row.relative:.2%}", f"{row.largest:.2g}", left]
            table.add_row(row.layer, row.operator, *cells)
        console.print(table)
