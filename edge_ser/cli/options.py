"""Options that several commands take, and lists with commas, declared once."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, TypeAlias

import typer

from edge_ser.errors import ConfigError

BundleFolder: TypeAlias = Annotated[
    Path | None, typer.Option(help="A bundle's folder (default: the one that ships).")
]
BackendName: TypeAlias = Annotated[str, typer.Option(help="What runs the graphs.")]
BackendNames: TypeAlias = Annotated[str, typer.Option(help="Backends, with commas.")]
PrecisionNames: TypeAlias = Annotated[
    str,
    typer.Option(help="bundle, fp32, fp16, int8, int8-fp16, with commas; first is reference."),
]
AsJson: TypeAlias = Annotated[bool, typer.Option("--json", help="Print JSON.")]
AcceptLeak: TypeAlias = Annotated[
    bool, typer.Option("--accept-leak", help="Take people of the training too, and say so.")
]
HeldOutClips: TypeAlias = Annotated[
    Path | None, typer.Option("--clips", help="Folder of clips of held-out people.")
]
DataSets: TypeAlias = Annotated[Path, typer.Option(help="Folder with the data sets.")]
Int8Clips: TypeAlias = Annotated[
    Path | None,
    typer.Option("--calibration", help="Folder of clips that int8 ranges are measured on."),
]
PersonProfile: TypeAlias = Annotated[
    Path | None, typer.Option(help="Profile of the person who speaks (edge-ser profile).")
]
SpeechGate: TypeAlias = Annotated[
    bool, typer.Option(help="Whether sound in which nobody speaks counts as absent.")
]
Risk: TypeAlias = Annotated[
    float | None,
    typer.Option(
        metavar="SHARE",
        help="Share of the answers that may be wrong, for instance 0.25: abstain where more would "
        "be (default: the bundle's own thresholds).",
    ),
]
SiteFile: TypeAlias = Annotated[
    Path | None,
    typer.Option(help="Calibration of this place, written by `edge-ser calibrate --site`."),
]
ChannelName: TypeAlias = Annotated[
    str,
    typer.Option(
        metavar="mix|left|right|N|each",
        help="Channel that is heard, N from 1 on; each decides for every channel.",
    ),
]
OneChannel: TypeAlias = Annotated[
    str,
    typer.Option(
        "--channel", metavar="mix|left|right|N", help="Channel that is heard, N from 1 on."
    ),
]
AudioTrackNumber: TypeAlias = Annotated[
    int | None,
    typer.Option(min=1, help="Sound track of a file, from 1 on (default: as a player would)."),
]
SpeechWeights: TypeAlias = Annotated[
    Path | None, typer.Option(help="Whisper weights (default: the installed package).")
]
TokenCache: TypeAlias = Annotated[Path | None, typer.Option(help="Folder of encoded tokens.")]


def names(text: str) -> tuple[str, ...]:
    """The names in a list with commas; none are left empty."""
    return tuple(filter(None, (name.strip() for name in text.split(","))))


def numbers(option: str, text: str) -> tuple[int, ...]:
    """The whole numbers in a list with commas.

    Raises:
        ConfigError: if one is none; it names the option.
    """
    try:
        return tuple(int(name) for name in names(text))
    except ValueError as error:
        raise ConfigError(f"{option} takes whole numbers with commas, not {text!r}") from error
