"""`edge-ser score`: an archive of recordings in, one Parquet file of decisions out."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.table import Table
from rich.text import Text

from edge_ser.cli.options import (
    AsJson,
    AudioTrackNumber,
    BackendName,
    BundleFolder,
    ChannelName,
    Risk,
    SpeechGate,
)
from edge_ser.cli.progress import step_progress
from edge_ser.errors import ConfigError, MediaError
from edge_ser.shown.terminal import Terminal

if TYPE_CHECKING:
    from edge_ser.score.scoring import Scored


def score(
    inputs: Annotated[
        list[str],
        typer.Argument(
            metavar="INPUT...",
            help="Files, folders, patterns, manifests (.csv, .jsonl), Parquet files of paths.",
        ),
    ],
    output: Annotated[Path, typer.Option(help="The Parquet file.")],
    resume: Annotated[
        bool, typer.Option("--resume", help="Go on with what an interrupted run has scored.")
    ] = False,
    window: Annotated[
        float | None,
        typer.Option(help="Seconds that a row looks at (default: the bundle's longest window)."),
    ] = None,
    hop: Annotated[
        float | None, typer.Option(help="Seconds between rows (default: the window).")
    ] = None,
    channel: ChannelName = "mix",
    audio_track: AudioTrackNumber = None,
    asr: Annotated[
        bool, typer.Option("--asr", help="Transcribe clips without a transcript.")
    ] = False,
    speech_gate: SpeechGate = True,
    risk: Risk = None,
    workers: Annotated[
        int | None,
        typer.Option(min=1, help="Processes, or actors, that score (default: one a processor)."),
    ] = None,
    ray: Annotated[
        str | None,
        typer.Option(metavar="ADDRESS|auto", help="Let actors of this Ray cluster score."),
    ] = None,
    as_json: AsJson = False,
    bundle: BundleFolder = None,
    backend: BackendName = "onnxruntime",
) -> None:
    """Score many clips into one Parquet file: a row a window and channel.

    A clip that cannot be used is a row with its error. What is done stays in OUTPUT.parts until
    the file is whole; the exit code is 2 where every clip failed.

    A complete command: edge-ser score recordings --output scores.parquet --resume
    """
    from edge_ser.score.scoring import score_clips

    try:
        with step_progress(Terminal(stderr=True)) as tell:
            scored = score_clips(
                inputs,
                output,
                bundle=bundle,
                backend=backend,
                risk=risk,
                window=window,
                hop=hop,
                channel=channel,
                audio_track=audio_track,
                asr=asr,
                speech_gate=speech_gate,
                workers=workers,
                ray=ray,
                resume=resume,
                progress=tell,
            )
    except KeyboardInterrupt:
        raise ConfigError(
            "stopped; what is scored is kept: the same command with --resume goes on"
        ) from None
    if as_json:
        typer.echo(json.dumps(scored.to_dict(), indent=2))
    else:
        _show(scored, Terminal())
    summary = scored.summary
    if summary.failed == summary.rows:
        raise MediaError(f"every clip failed: {summary.first_errors[0]}")


def _show(scored: Scored, console: Terminal) -> None:
    summary = scored.summary
    console.print(
        Text(f"{scored.output}: {summary.rows} rows of {summary.clips} clips")
        + Text(f", {scored.resumed} of them scored before" if scored.resumed else "")
    )
    table = Table("rows", "of all", "", box=None, padding=(0, 2, 0, 0))
    named = [(label, count) for label, count in summary.labels.most_common()]
    others = [("no emotion named", summary.abstained), ("failed", summary.failed)]
    for what, count in (*named, *others):
        table.add_row(str(count), f"{100 * count / summary.rows:.1f} %", Text(what))
    console.print(table)
    for error in summary.first_errors:
        console.print(Text(f"failed: {error}", "yellow"), soft_wrap=True)
