"""`edge-ser recognize`: one clip in, one decision out; of several a line each."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator
from importlib import import_module
from pathlib import Path
from threading import Thread
from typing import TYPE_CHECKING, Annotated

import typer
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from edge_ser.cli.options import (
    AsJson,
    AudioTrackNumber,
    BackendName,
    BundleFolder,
    ChannelName,
    PersonProfile,
    Risk,
    SiteFile,
    SpeechGate,
)
from edge_ser.cli.progress import Tell, step_progress
from edge_ser.constants import MODALITIES
from edge_ser.errors import ConfigError, MediaError
from edge_ser.shown.terminal import Terminal

if TYPE_CHECKING:
    from edge_ser.result import Decision, FileDecision


def recognize(
    clips: Annotated[
        list[str],
        typer.Argument(metavar="CLIP...", help="Files with sound, pictures or both; folders."),
    ],
    transcript: Annotated[
        str | None,
        typer.Option(help="What is said, or its file; else a sidecar (clip.txt) is looked for."),
    ] = None,
    asr: Annotated[
        bool, typer.Option("--asr", help="Transcribe on this device when there is no transcript.")
    ] = False,
    as_json: AsJson = False,
    plot: Annotated[
        Path | None, typer.Option(help="Draw the clip to this .png, .svg or .pdf file.")
    ] = None,
    profile: PersonProfile = None,
    speech_gate: SpeechGate = True,
    channel: ChannelName = "mix",
    audio_track: AudioTrackNumber = None,
    risk: Risk = None,
    site: SiteFile = None,
    bundle: BundleFolder = None,
    backend: BackendName = "onnxruntime",
) -> None:
    """Recognise the emotion of a clip from its sound, words and faces.

    Several files, folders (all media files below) and patterns give a table, with --json one line
    each; where some fail the rest is done, and the exit code is 2.

    A complete command: edge-ser recognize clip.mp4 --transcript "I did not expect that" --json
    """
    from edge_ser.media.channels import checked_channel
    from edge_ser.media.folders import is_one_clip
    from edge_ser.recognizer import EdgeRecognizer
    from edge_ser.speaker.profile import Profile

    # What reads files is loaded while the graphs are opened.
    Thread(target=import_module, args=("av",)).start()
    alone = is_one_clip(clips)
    if not alone and (transcript is not None or plot is not None):
        raise ConfigError(
            "--transcript and --plot are for one clip; the words of several lie beside each of "
            "them, clip.txt beside clip.wav"
        )
    each = channel == "each"
    if each and (plot is not None or not alone):
        raise ConfigError("--channel each is for one clip, without --plot")
    heard = "mix" if each else checked_channel(channel)
    person = None if profile is None else Profile.load(profile)
    with EdgeRecognizer(bundle, backend=backend, risk=risk, site=site) as recognizer:
        if not alone:
            from edge_ser.pipeline.batch import recognize_files

            _show_several(
                lambda tell: recognize_files(
                    recognizer,
                    clips,
                    asr=asr,
                    profile=person,
                    speech_gate=speech_gate,
                    channel=heard,
                    audio_track=audio_track,
                    progress=tell,
                ),
                as_json,
            )
            return
        if each:
            decisions = recognizer.recognize_channels(
                clips[0],
                transcript,
                asr=asr,
                profile=person,
                speech_gate=speech_gate,
                audio_track=audio_track,
            )
            _show_channels(decisions, as_json)
            return
        words = recognizer.transcribe(
            clips[0], transcript, asr=asr, channel=heard, audio_track=audio_track
        )
        decision = recognizer.recognize(
            clips[0],
            words,
            profile=person,
            speech_gate=speech_gate,
            channel=heard,
            audio_track=audio_track,
        )
        if plot is not None:
            from edge_ser.plots.clip import draw_clip

            draw_clip(
                recognizer,
                clips[0],
                decision,
                words,
                plot,
                profile=person,
                speech_gate=speech_gate,
                channel=heard,
                audio_track=audio_track,
            )
    if as_json:
        typer.echo(decision.to_json(indent=2))
    else:
        show(decision, Terminal())
        if plot is not None:
            typer.echo(f"picture: {plot}")


def show(decision: Decision, console: Terminal) -> None:
    """Print a decision for people."""
    for note in decision.notes:
        console.print(Text.assemble(("note", "yellow"), f": {note}"))
    if decision.label is None:
        console.print(
            Text.assemble(("no emotion is named", "bold"), f": {decision.abstain_reason}")
        )
    else:
        console.print(
            Text.assemble((decision.label, "bold"), f"  probability {decision.confidence:.2f}")
        )
    chart = Table.grid(padding=(0, 1))
    for label, value in sorted(decision.probabilities.items(), key=lambda item: -item[1]):
        chart.add_row(label, ProgressBar(total=1.0, completed=value, width=30), f"{value:.3f}")
    console.print(chart)
    table = Table("modality", "contribution", "notes", box=None, padding=(0, 2, 0, 0))
    for modality in MODALITIES:
        report = decision.modalities[modality]
        brought = "absent" if report.contribution is None else f"{report.contribution:+.2f}"
        table.add_row(modality, brought, "; ".join(filter(None, (report.reason, *report.notes))))
    console.print(table)
    stages = ", ".join(
        f"{name} {value:.0f}" for name, value in decision.timing_ms.items() if name != "total"
    )
    total = decision.timing_ms["total"]
    console.print(f"{total:.0f} ms ({stages}); contribution = change of the log-odds", style="dim")


def _show_channels(decisions: dict[int, Decision], as_json: bool) -> None:
    """Print a decision a channel: JSON by the channel's number, or one after the other."""
    if as_json:
        typer.echo(json.dumps({n: json.loads(d.to_json()) for n, d in decisions.items()}, indent=2))
        return
    console = Terminal()
    for number, decision in decisions.items():
        console.print(f"channel {number}", style="bold")
        show(decision, console)


def _show_several(decide: Callable[[Tell], Iterator[FileDecision]], as_json: bool) -> None:
    """Print decisions as they come (JSON) or as a table at the end.

    Raises:
        MediaError: if files failed, once all are done; it says how many and why the first did.
    """
    table = Table("file", "emotion", "probability", "rests on", "notes", box=None)
    failed: list[str] = []
    done = 0
    # A bar would run through lines that go to the same terminal.
    bar = Terminal(stderr=True, quiet=as_json and sys.stdout.isatty())
    try:
        with step_progress(bar) as tell:
            for outcome in decide(tell):
                done += 1
                if outcome.error is not None:
                    failed.append(outcome.error)
                if as_json:
                    typer.echo(outcome.to_json())
                else:
                    table.add_row(*_row(outcome))
    finally:  # also where something ended it early
        if table.row_count:
            Terminal().print(table)
    if failed:
        others = "; why the others did stands above" if len(failed) > 1 else ""
        raise MediaError(f"{len(failed)} of {done} files failed: {failed[0]}{others}")


def _row(outcome: FileDecision) -> tuple[Text, ...]:
    """Cells of a file."""
    decision = outcome.decision
    if decision is None:
        return Text(outcome.file), Text("failed", "red"), Text(), Text(), Text(outcome.error or "")
    notes = filter(None, (decision.abstain_reason, *decision.notes))
    named = decision.label is not None
    return (
        Text(outcome.file),
        Text(decision.label or "none named", "bold" if named else "yellow"),
        Text(f"{decision.confidence:.2f}" if named else ""),
        Text("+".join(decision.present)),
        Text("; ".join(notes)),
    )
