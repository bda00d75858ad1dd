"""What `edge-ser build-engine` prints when it is done."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

from rich.box import SIMPLE_HEAD
from rich.table import Table

from edge_ser.shown.terminal import Terminal

if TYPE_CHECKING:
    from edge_ser.bundles.schema import GraphName
    from edge_ser.export.comparison.gate import Verdict
    from edge_ser.export.engines.compiling import EngineReport
    from edge_ser.export.variants.typed_bundle import TypedBundle

_WORST = 10


def show_summary(
    console: Terminal,
    typed: TypedBundle,
    engines: Sequence[EngineReport],
    cpu_times: Mapping[GraphName, tuple[float, float]],
) -> None:
    """One row for each graph and target.

    Args:
        console: where to.
        typed: the graphs.
        engines: that were built or found; empty where none is built.
        cpu_times: milliseconds in fp32 and as written, where ONNX Runtime's CPU is the target.
    """
    where = "calibration clips" if typed.calibrated else "synthetic probes"
    title = f"Errors are against fp32, on {where}"
    table = Table(title=title, title_justify="left", box=SIMPLE_HEAD)
    for heading in ("graph", "precision", "target"):
        table.add_column(heading, overflow="fold")
    for heading in ("MB", "build time", "largest error", "relative", "in float", "speed"):
        table.add_column(heading, justify="right", overflow="fold")
    for name, graph in typed.graphs.items():
        apart = graph.difference
        errors = (f"{apart.largest:.2g}", f"{apart.relative:.2%}", str(len(graph.left_in_float)))
        precision = graph.precision + (" (forced)" if name in typed.forced else "")
        for target, size, built, speed in _forms(name, typed, engines, cpu_times):
            table.add_row(name, precision, target, f"{size / 1e6:.2f}", built, *errors, speed)
    console.print(table)
    for graph in typed.graphs.values():
        for finding in graph.warnings:
            console.print(f"{graph.name}: {finding}", style="yellow", soft_wrap=True)


def _forms(
    name: GraphName,
    typed: TypedBundle,
    engines: Sequence[EngineReport],
    cpu_times: Mapping[GraphName, tuple[float, float]],
) -> Iterator[tuple[str, int, str, str]]:
    """Target, bytes, build time and speed of every form of a graph."""
    written = f"{typed.seconds[name]:.1f} s"
    if name in cpu_times:
        before, after = cpu_times[name]
        faster = f"{after:.2f} ms, {before / after:.2f} x fp32"
        yield "cpu", len(typed.contents[name]), written, faster
        return
    found = [engine for engine in engines if engine.graph == name]
    if not found:
        yield "not built", len(typed.contents[name]), written, "-"
    for engine in found:
        built = "in the cache" if engine.cached else f"{engine.seconds:.1f} s"
        ran = "no such GPU here"
        if engine.milliseconds is not None:
            ran = f"{engine.milliseconds:.2f} ms"
        yield engine.target, engine.size, built, ran


def show_sensitivity(console: Terminal, typed: TypedBundle) -> None:
    """Of each graph that was measured, the layers that int8 costs the most."""
    for graph in typed.graphs.values():
        if not graph.sensitivity:
            continue
        title = f"{graph.name}: layers by what each alone costs in int8 ({_WORST} worst)"
        table = Table("layer", "operator", title=title, title_justify="left", box=SIMPLE_HEAD)
        for heading in ("weights", "relative error", "largest error", "left in float"):
            table.add_column(heading, justify="right")
        for row in graph.sensitivity[:_WORST]:
            left = "yes" if row.layer in graph.left_in_float else ""
            cells = [f"{row.weights}", f"{row.relative:.2%}", f"{row.largest:.2g}", left]
            table.add_row(row.layer, row.operator, *cells)
        console.print(table)


def show_verdicts(console: Terminal, verdicts: Mapping[str, Verdict]) -> None:
    """What held-out people lose, with paired intervals."""
    table = Table(title="Held-out people", title_justify="left", box=SIMPLE_HEAD)
    for heading in ("modalities", "clips", "people", "metric"):
        table.add_column(heading)
    for heading in ("fp32", "value", "loss", "95 % interval", "bound", "gate"):
        table.add_column(heading, justify="right", no_wrap=True)
    for subset, verdict in verdicts.items():
        for index, loss in enumerate(verdict.losses):
            who = (subset, str(verdict.clips), str(verdict.people)) if index == 0 else ("", "", "")
            table.add_row(
                *who,
                loss.metric,
                f"{loss.reference:.4f}",
                f"{loss.value:.4f}",
                f"{loss.loss:+.4f}",
                f"{loss.low:+.4f} {loss.high:+.4f}",
                f"{verdict.bound:.3f}",
                str(verdict) if index == 0 else "",
            )
    console.print(table)
