"""`edge-ser profile enroll|show|delete`: what is kept of a person's voice, and its end."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from edge_ser.cli.options import AudioTrackNumber, BackendName, BundleFolder, OneChannel

app = typer.Typer(
    help="Speaker profiles: statistics of a person's voice, never sound.", no_args_is_help=True
)

FileArgument = Annotated[Path, typer.Argument(metavar="FILE", help="The profile.")]


@app.command(epilog="A complete command: edge-ser profile enroll anna1.wav --profile anna.json")
def enroll(
    clips: Annotated[list[Path], typer.Argument(help="Clips in which only this person speaks.")],
    profile: Annotated[
        Path, typer.Option(help="Where it goes; one that is there is gone on from.")
    ],
    channel: OneChannel = "mix",
    audio_track: AudioTrackNumber = None,
    bundle: BundleFolder = None,
    backend: BackendName = "onnxruntime",
) -> None:
    """Make the profile of a person from clips; the person must have agreed."""
    from edge_ser.files import is_there
    from edge_ser.media.channels import checked_channel
    from edge_ser.recognizer import EdgeRecognizer
    from edge_ser.speaker.profile import Profile

    with EdgeRecognizer(bundle, backend=backend) as recognizer:
        earlier = Profile.load(profile) if is_there(profile) else None
        heard = checked_channel(channel)
        made = recognizer.enroll(list(clips), earlier, channel=heard, audio_track=audio_track)
        made.save(profile)
    typer.echo(f"{profile}: {made.seconds:.1f} s of speech")


@app.command(epilog="A complete command: edge-ser profile show anna.json")
def show(file: FileArgument) -> None:
    """Tell what a profile holds and which bundle it belongs to."""
    from edge_ser.speaker.profile import Profile

    profile = Profile.load(file)
    typer.echo(f"{profile.seconds:.1f} s of speech, {profile.tokens} tokens")
    typer.echo(f"mean and deviation of {len(profile.columns)} columns; no sound, no words")
    typer.echo(f"acoustic graph {profile.acoustic_sha256}")


@app.command(epilog="A complete command: edge-ser profile delete anna.json")
def delete(file: FileArgument) -> None:
    """Delete a profile; any other file is left alone."""
    from edge_ser.speaker.profile import Profile

    Profile.delete(file)
    typer.echo(f"{file} is deleted")
