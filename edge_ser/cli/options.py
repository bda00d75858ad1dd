"""Options that several commands take, declared once."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, TypeAlias

import typer

BundleFolder: TypeAlias = Annotated[Path | None, typer.Option(help="A bundle's folder.")]
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
SpeechWeights: TypeAlias = Annotated[
    Path | None, typer.Option(help="Whisper weights [default: the installed package].")
]
TokenCache: TypeAlias = Annotated[Path | None, typer.Option(help="Folder of encoded tokens.")]
