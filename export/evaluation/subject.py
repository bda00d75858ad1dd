"""What is evaluated: a bundle, a checkpoint, or the folder of a finished run."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from rich.console import Console

from edge_ser.bundles.loading import load_bundle
from edge_ser.bundles.schema import MANIFEST_NAME
from edge_ser.constants import Modality
from edge_ser.errors import ConfigError
from edge_ser.export.evaluation.bundle_trial import run_trial
from edge_ser.export.evaluation.protocols import People, Seen, Trial, make_trial, seen_of
from edge_ser.export.evaluation.runs import read_run
from edge_ser.export.evaluation.trained import held_out_part, log_probabilities
from edge_ser.export.training.checkpoint import TrainedFusion, read_trained
from edge_ser.export.training.predictions import FoldResult, RunResult
from edge_ser.export.training.run import CONFIG
from edge_ser.export.training.tokens.of_run import encode_items, presence
from edge_ser.runtime.backend import DEFAULT_BACKEND


def evaluate_model(
    model: Path,
    data: Path | None,
    *,
    protocol: str | None = None,
    people: People = "unseen",
    accept_leaks: bool = False,
    modalities: Sequence[Modality] | None = None,
    backend: str = DEFAULT_BACKEND,
    speech_gate: bool = True,
    cache: Path | None = None,
    speech: Path | None = None,
    console: Console | None = None,
) -> RunResult:
    """Predictions of a model on people that it never saw.

    Args:
        model: a bundle's folder (runs through the runtime), a checkpoint or a fold's folder (runs
            in torch), or the folder of a run (its predictions are read).
        data: folder with the data sets; a run needs none.
        protocol: see `edge_ser.export.evaluation.protocols`; None tests a checkpoint on the fold
            that held its people out.
        people: `unseen` or `all`.
        accept_leaks: score known people; every table says so.
        modalities: that are shown; None takes the protocol's.
        backend: what runs a bundle's graphs.
        speech_gate: whether a bundle takes sound in which nobody speaks for absent.
        cache: folder of encoded tokens; None takes ``runs/cache``.
        speech: Whisper weights; None takes the installed package.
        console: for progress.

    Raises:
        ConfigError: if something that is needed was not given, or a leak was not accepted.
        BundleError: if a bundle is damaged.
    """
    if (model / MANIFEST_NAME).is_file():
        bundle = load_bundle(model)
        if data is None or protocol is None:
            raise ConfigError("a bundle is tested with --data and --protocol")
        trial = make_trial(
            protocol,
            data,
            bundle.manifest.labels,
            seen_of(bundle.manifest.splits),
            people=people,
            accept_leaks=accept_leaks,
            modalities=modalities,
            maximum_seconds=bundle.manifest.frontend.audio.maximum_seconds,
        )
        fold = run_trial(bundle, trial, backend=backend, speech_gate=speech_gate, console=console)
        return RunResult(bundle.manifest.name, bundle.manifest.labels, (fold,))
    if (model / CONFIG).is_file():
        if protocol is not None:
            raise ConfigError(
                f"{model} is a whole run, one model a fold: name one of its checkpoints to test it "
                "by another protocol"
            )
        return read_run(model)
    trained = read_trained(model)
    if data is None:
        raise ConfigError("a checkpoint is tested with --data")
    if protocol is None:
        part = held_out_part(
            trained, data, cache, accept_leaks=accept_leaks, speech=speech, console=console
        )
        return RunResult(trained.config.name, trained.labels, (part.result,))
    trial = make_trial(
        protocol,
        data,
        trained.labels,
        _seen(trained),
        people=people,
        accept_leaks=accept_leaks,
        modalities=modalities,
    )
    fold = _checkpoint_trial(trained, trial, data, cache, speech, console)
    return RunResult(trained.config.name, trained.labels, (fold,))


def _seen(trained: TrainedFusion) -> dict[str, Seen]:
    parts = ("train", "validation")
    return {
        trained.data: Seen(
            frozenset(x for part in parts for x in trained.speakers.get(part, ())),
            frozenset(x for part in parts for x in trained.contents.get(part, ())),
        )
    }


def _checkpoint_trial(
    trained: TrainedFusion,
    trial: Trial,
    data: Path,
    cache: Path | None,
    speech: Path | None,
    console: Console | None,
) -> FoldResult:
    started = time.monotonic()
    of = trained.config.data
    if trained.config.finetune is not None:
        raise ConfigError(
            "this run trained its speech encoder further: export it, and test the bundle by "
            "--protocol"
        )
    encoded = encode_items(
        of,
        trial.items,
        data,
        cache or Path("runs") / "cache",
        augment=False,
        speech=speech,
        console=console,
    )
    if not encoded.items:
        reason = encoded.problems[0].reason if encoded.problems else "nothing was read"
        raise ConfigError(f"nothing of {trial.data.name} can be encoded for this run: {reason}")
    shown = {m: x for m, x in encoded.variants.items() if m in trial.modalities}
    if not shown:
        raise ConfigError(
            f"the run knows {trained.modalities}, of which {trial.data.name} shows nothing"
        )
    every = range(len(encoded.items))
    names = tuple(item.name for item in encoded.items)
    notes = [*trial.notes, *presence(encoded)]
    if encoded.problems:
        notes.append(f"{len(encoded.problems)} items cannot be read")
    full = trained.logits(shown, every)
    fewer = trained.subset_logits(shown, every) if len(shown) > 1 else {}
    return FoldResult(
        fold=trained.fold,
        labels=trained.labels,
        protocol=f"{trial.sentence}; {'+'.join(shown)}, in torch",
        warning=trial.warning,
        names=names,
        speakers=tuple(item.speaker or "" for item in encoded.items),
        sexes=tuple(item.sex or "" for item in encoded.items),
        true=np.array([trained.labels.index(item.label) for item in encoded.items], np.int64),
        log_probabilities=log_probabilities(full),
        parameters=trained.parameters + encoded.encoder_parameters,
        seconds=time.monotonic() - started,
        subsets={name: log_probabilities(rows) for name, rows in fewer.items()},
        notes=tuple(notes),
    )
