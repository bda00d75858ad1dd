"""`edge-ser export`: a checkpoint of a training run becomes a bundle."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from edge_ser.cli.options import SpeechWeights, TokenCache
from edge_ser.cli.train import require_training
from edge_ser.shown.terminal import Terminal


def export(
    checkpoint: Annotated[
        Path,
        typer.Argument(
            help="last.ckpt of a run, or a fold's folder: its seeds are averaged in one graph."
        ),
    ],
    output: Annotated[Path, typer.Argument(help="Folder of the bundle.")],
    data: Annotated[
        Path | None,
        typer.Option(help="Folder with the data sets: calibrates, and puts scores into the card."),
    ] = None,
    base: Annotated[
        Path | None,
        typer.Option(help="Bundle that gives the other graphs (default: the one that ships)."),
    ] = None,
    name: Annotated[str | None, typer.Option(help="Of the bundle (default: the run's).")] = None,
    version: Annotated[str, typer.Option(help="Of the bundle.")] = "0.1.0",
    licence: Annotated[
        str | None, typer.Option(help="Of the weights (default: names the data's).")
    ] = None,
    cache: TokenCache = None,
    speech: SpeechWeights = None,
) -> None:
    """Export a trained fusion and its encoders, prove every graph, write a bundle.

    A complete command: edge-ser export runs/my-run/fold-1 my-bundle --data my-data
    """
    require_training("Export")
    from edge_ser.export.bundle_export import ExportOptions, export_bundle

    console = Terminal(stderr=True)
    bundle = export_bundle(
        checkpoint,
        output,
        base=base,
        data=data,
        cache=cache,
        speech=speech,
        options=ExportOptions(name=name, version=version, licence=licence),
        console=console,
    )
    manifest = bundle.manifest
    typer.echo(
        f"{bundle.folder}: {manifest.name} {manifest.version}, {bundle.size() / 1e6:.1f} MB, "
        f"labels {', '.join(manifest.labels)}"
    )
