"""`edge-ser bench kernels`: what the kernels cost on this machine."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer
from rich.table import Table

from edge_ser.cli.options import AsJson
from edge_ser.shown.terminal import Terminal

app = typer.Typer(help="Measure this machine.", no_args_is_help=True)


@app.callback()
def _bench() -> None:
    """Measure this machine."""


@app.command("kernels", epilog="A complete command: edge-ser bench kernels --rounds 31 --json")
def kernels(
    as_json: AsJson = False,
    rounds: Annotated[
        int, typer.Option(min=1, max=1000, help="Runs of every implementation, in turn.")
    ] = 15,
    audio: Annotated[
        Path | None,
        typer.Option(help="Take this recording's sound instead of a synthetic one, 1 s or more."),
    ] = None,
) -> None:
    """Time the sound kernels, beside librosa, kaldi-native-fbank and Praat where installed.

    Medians of the processor time of interleaved runs, through Python. The peers come with
    pip install "edge-ser[bench]".
    """
    # Numba and the peers are slow to import: only this verb needs them.
    from edge_ser.machine.kernel_bench import OURS, recorded_samples, report

    figures = report(rounds, None if audio is None else recorded_samples(audio))
    if as_json:
        typer.echo(json.dumps(figures, indent=2))
        return
    table = Table(title=f"Kernels at {figures['simd']}, median of {rounds} interleaved runs")
    table.add_column("task")
    table.add_column("implementation")
    table.add_column("microseconds", justify="right")
    table.add_column("per")
    table.add_column("edge-ser is faster by", justify="right")
    for task in figures["tasks"]:
        for name, value in task["microseconds"].items():
            first = name == OURS
            speedup = "" if first else f"{task['speedups'][name]:.1f} x"
            table.add_row(
                task["name"] if first else "", name, f"{value:.2f}", task["unit"], speedup
            )
    console = Terminal()
    console.print(table)
    quality = Table(title="Quality of the resamplers")
    for column in (
        "task",
        "implementation",
        "passes (of Nyquist)",
        "stops by (dB)",
        "lags by (ms)",
    ):
        quality.add_column(column, justify="right" if "(" in column else "left")
    for task in figures["tasks"]:
        for name, of in task["quality"].items():
            quality.add_row(
                task["name"] if name == OURS else "",
                name,
                f"{of['pass_band']:.4f}",
                f"{of['rejection_db']:.1f}",
                f"{of['latency_ms']:.1f}",
            )
    if quality.row_count:
        console.print(quality)
