"""`edge-ser recognize`: one clip in, one decision out."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.progress_bar import ProgressBar
from rich.table import Table

from edge_ser.cli.options import AsJson, BackendName, BundleFolder, PersonProfile, SpeechGate
from edge_ser.constants import MODALITIES

if TYPE_CHECKING:
    from edge_ser.result import Decision


def recognize(
    clip: Annotated[Path, typer.Argument(help="A file with sound, pictures or both.")],
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
    bundle: BundleFolder = None,
    backend: BackendName = "onnxruntime",
) -> None:
    """Recognise the emotion of a clip from its sound, words and faces.

    A complete command: edge-ser recognize clip.mp4 --transcript "I did not expect that" --json
    """
    from edge_ser.plots.clip import draw_clip
    from edge_ser.recognizer import EdgeRecognizer
    from edge_ser.speaker.profile import Profile

    person = None if profile is None else Profile.load(profile)
    with EdgeRecognizer(bundle, backend=backend) as recognizer:
        words = recognizer.transcribe(clip, transcript, asr=asr)
        decision = recognizer.recognize(clip, words, profile=person, speech_gate=speech_gate)
        if plot is not None:
            draw_clip(
                recognizer, clip, decision, words, plot, profile=person, speech_gate=speech_gate
            )
    if as_json:
        typer.echo(decision.to_json(indent=2))
    else:
        show(decision, Console(highlight=False))
        if plot is not None:
            typer.echo(f"picture: {plot}")


def show(decision: Decision, console: Console) -> None:
    """Print a decision for people."""
    for note in decision.notes:
        console.print(f"[yellow]note[/]: {note}")
    if decision.label is None:
        console.print(f"[bold]no emotion is named[/]: {decision.abstain_reason}")
    else:
        console.print(f"[bold]{decision.label}[/]  probability {decision.confidence:.2f}")
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
    console.print(f"[dim]{total:.0f} ms ({stages}); contribution = change of the log-odds[/]")
