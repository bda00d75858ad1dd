"""`edge-ser evaluate`: a bundle, a checkpoint or a finished run, on people that it never saw."""

from __future__ import annotations

import json
from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from edge_ser.cli.options import (
    AcceptLeak,
    AsJson,
    BackendName,
    SpeechGate,
    SpeechWeights,
    TokenCache,
    names,
)
from edge_ser.cli.train import require_training
from edge_ser.constants import MODALITIES, Modality
from edge_ser.errors import ConfigError
from edge_ser.shown.terminal import Terminal

if TYPE_CHECKING:
    from edge_ser.export.training.predictions import RunResult


class People(str, Enum):
    """Whom a model is tested on."""

    unseen = "unseen"
    all = "all"


def evaluate(
    model: Annotated[
        Path, typer.Argument(help="A bundle's folder, a checkpoint, or a finished run's folder.")
    ],
    data: Annotated[Path | None, typer.Option(help="Folder with the data sets.")] = None,
    protocol: Annotated[
        str | None,
        typer.Option(
            help="ravdess, emodb-original, emodb-cut, fer2013, goemotions, meld or manifest:FILE. "
            "A checkpoint is tested on its own fold without it."
        ),
    ] = None,
    people: Annotated[
        People, typer.Option(help="unseen leaves out whom the model was trained on.")
    ] = People.unseen,
    accept_leak: AcceptLeak = False,
    speech_gate: SpeechGate = True,
    modalities: Annotated[
        str | None, typer.Option(help="What is shown, with commas (default: the protocol's).")
    ] = None,
    output: Annotated[
        Path | None, typer.Option(help="Folder for scores.md, scores.json and plots.")
    ] = None,
    backend: BackendName = "onnxruntime",
    cache: TokenCache = None,
    speech: SpeechWeights = None,
    as_json: AsJson = False,
) -> None:
    """Score a model: every label, confusion, people, sexes, and each modality removed.

    A complete command: edge-ser evaluate runs/ravdess-audio --output scores
    """
    require_training("Evaluation")
    from edge_ser.export.evaluation.subject import evaluate_model
    from edge_ser.export.evaluation.tables import markdown, scores

    console = Terminal(stderr=True)
    result: RunResult = evaluate_model(
        model,
        data,
        protocol=protocol,
        people=people.value,
        accept_leaks=accept_leak,
        speech_gate=speech_gate,
        modalities=_modalities(modalities),
        backend=backend,
        cache=cache,
        speech=speech,
        console=console,
    )
    scored = scores(result)
    typer.echo(json.dumps(scored.to_dict()) if as_json else markdown(scored))
    if output is not None:
        from edge_ser.export.evaluation.plots import write_report

        for file in write_report(scored, output):
            console.print(f"written: {file}", soft_wrap=True)


def _modalities(text: str | None) -> tuple[Modality, ...] | None:
    if text is None:
        return None
    wanted = set(names(text))
    if not wanted or not wanted <= set(MODALITIES):
        raise ConfigError(f"--modalities takes some of {', '.join(MODALITIES)}, not {text!r}")
    return tuple(m for m in MODALITIES if m in wanted)
