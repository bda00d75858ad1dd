"""`edge-ser export-triton`: a bundle into a model repository of Triton Inference Server."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from edge_ser.cli.options import BackendName, SpeechGate
from edge_ser.triton_repository.repository import DEFAULT_NAME


def export_triton(
    bundle: Annotated[Path, typer.Argument(metavar="BUNDLE", help="The bundle's folder.")],
    repository: Annotated[Path, typer.Argument(metavar="REPOSITORY", help="Folder of models.")],
    name: Annotated[str, typer.Option(help="Of the model.")] = DEFAULT_NAME,
    instances: Annotated[
        int, typer.Option(min=1, help="Processes that decide at the same time.")
    ] = 1,
    speech_gate: SpeechGate = True,
    backend: BackendName = "onnxruntime",
) -> None:
    """Write a bundle into a model repository of Triton, for its python backend.

    A complete command: edge-ser export-triton my-bundle models --instances 4
    """
    from edge_ser.triton_repository import repository as triton

    written = triton.export_triton(
        bundle,
        repository,
        name=name,
        instances=instances,
        backend=backend,
        speech_gate=speech_gate,
    )
    typer.echo(f"written: {written}")
    typer.echo(
        "the server's Python needs edge-ser: pip install edge-ser, then "
        f"tritonserver --model-repository {repository}"
    )
