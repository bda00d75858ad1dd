"""`edge-ser build-engine`: precision into graphs, graphs into engines."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer
from rich.console import Console
from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

from edge_ser.cli.engine_tables import show_sensitivity, show_summary, show_verdicts
from edge_ser.errors import ConfigError, EngineError, MissingExtraError

if TYPE_CHECKING:
    from edge_ser.export.comparison.gate import Verdict
    from edge_ser.export.variants.engine_build import EngineReport
    from edge_ser.export.variants.typed_bundle import TypedBundle

EXIT_NOT_BUILT = 3
"""Graphs were written, engines were not: there is no CUDA device to build them on."""


_GATES: Final = {"fp32": "fp32", "fp16": "fp16", "int8": "int8", "int8-fp16": "mixed"}
"""Whose bounds a precision of the command line must keep."""


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
    clips: Annotated[
        Path | None,
        typer.Option(help="Folder of clips of held-out people, on whom it must pass the gate."),
    ] = None,
    rebuild: Annotated[
        bool, typer.Option("--rebuild", help="Ignore engines in the cache.")
    ] = False,
    force: Annotated[
        bool,
        typer.Option(
            "--force", help="Go on when an error is too large or the gate fails; recorded."
        ),
    ] = False,
) -> None:
    """Write fp16 or int8 into a bundle's graphs and compile them to engines.

    A complete command: edge-ser build-engine --fp16 --backend tensorrt-rtx --target sm86
    """
    try:
        from edge_ser.export.bundles.derived import check_output, write_derived
        from edge_ser.export.comparison.bundle_gate import gate_report, judge_bundle
        from edge_ser.export.data.clip_set import read_clips
        from edge_ser.export.variants.engine_build import (
            NO_DEVICE,
            cpu_milliseconds,
            device_capability,
        )
        from edge_ser.export.variants.typed_bundle import PrecisionOptions, typed_bundle
    except ModuleNotFoundError as error:
        raise MissingExtraError("build-engine", "engines") from error
    from edge_ser.bundles.loading import load_bundle

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
    held_out = read_clips(clips, manifest) if clips is not None else []
    verdicts: dict[str, Verdict] = {}
    with _progress(console) as progress:
        task = progress.add_task(f"precision {precision}", total=None)

        def tell(graph: str, step: str) -> None:
            progress.update(task, description=f"{graph}: {step}")

        typed = typed_bundle(source, options, tell)
        if held_out:
            progress.update(task, description=f"gate: recognising {len(held_out)} clips twice")
            verdicts = judge_bundle(source, typed, _GATES[precision], held_out)
            typed = _passed(typed, verdicts, precision, force=force)
        progress.update(task, description="writing the bundle")
        gate = gate_report(verdicts) if verdicts else None
        written = write_derived(source, folder, typed.new_graphs(), typed.report(options, gate))
        reports: list[EngineReport] = []
        capability = device_capability()
        not_built = backend is Backend.tensorrt and capability is None
        if backend is not Backend.onnxruntime and not not_built:
            reports = _compile(
                written, typed, backend, target or (), engines, capability, rebuild, progress, task
            )
        times = {}
        if backend is Backend.onnxruntime:
            progress.update(task, description="timing")
            times = {name: cpu_milliseconds(typed, name) for name in typed.graphs}
    show_summary(console, typed, reports, times)
    show_sensitivity(console, typed)
    if verdicts:
        show_verdicts(console, verdicts)
    elif precision != "fp32":
        console.print("the gate was not run: no clips of held-out people were given (--clips)")
    console.print(f"bundle with these graphs: {folder}", soft_wrap=True)
    if not_built:
        for name in typed.graphs:
            console.print(f"{name}: {NO_DEVICE}", style="yellow")
        raise typer.Exit(EXIT_NOT_BUILT)


def _passed(
    typed: TypedBundle, verdicts: Mapping[str, Verdict], precision: str, *, force: bool
) -> TypedBundle:
    from edge_ser.export.comparison.bundle_gate import failures

    failed = failures(verdicts)
    if not failed:
        return typed
    if not force:
        raise EngineError(
            f"{precision} does not pass the gate: {'; '.join(failed)}; nothing was written. Give "
            "more calibration clips, leave layers in float (--sensitivity shows which, --exclude), "
            "or go on with --force, which is recorded in the bundle"
        )
    return replace(typed, forced=(*typed.forced, "gate"))


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
    from edge_ser.export.variants.engine_build import build_engines, build_targets
    from edge_ser.runtime.engine_cache import EngineCache
    from edge_ser.runtime.tensorrt.api import as_tensorrt_backend, load_tensorrt

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
