"""Train and score one configuration over its folds."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from pydantic import ValidationError
from rich.console import Console
from torch import Tensor

from edge_ser.bundles.schema import smaller_subsets
from edge_ser.errors import ConfigError
from edge_ser.export.data.items import content_hash
from edge_ser.export.data.leakage import require_no_leak
from edge_ser.export.data.splits import PARTS, Split
from edge_ser.export.models.config import FusionConfig
from edge_ser.export.models.fusion import Fusion
from edge_ser.export.training.config import TrainingConfig, load_config
from edge_ser.export.training.corpora import DrawnClips
from edge_ser.export.training.examples import Clips, ExampleSource, column_statistics
from edge_ser.export.training.fit import Fitting, average_predictions, fit
from edge_ser.export.training.prediction import predict
from edge_ser.export.training.predictions import FoldResult, RunResult, read_fold, write_fold
from edge_ser.export.training.resumable import fixed_threads
from edge_ser.export.training.run_data import RunData, load_run_data
from edge_ser.export.training.speech.tuned import with_tuned_speech
from edge_ser.files import make_folder, write_atomically

PREDICTIONS = "predictions.json"
CONFIG = "config.json"
FOLDS = "folds.json"
"""Names of a run's folds, in their order."""


@fixed_threads(1)
def train(
    config: TrainingConfig | Path,
    data: Path,
    output: Path | None = None,
    *,
    cache: Path | None = None,
    speech: Path | None = None,
    folds: Sequence[str] | None = None,
    trainer: Mapping[str, Any] | None = None,
    console: Console | None = None,
) -> RunResult:
    """Train every fold and seed of a configuration and predict the test parts.

    A run that was stopped goes on where it was: finished folds are read back, an unfinished one
    continues from its last epoch. Where all that is asked for is finished, the data are not needed.

    Args:
        config: a configuration, or the YAML file of one.
        data: folder with the data sets.
        output: folder of the run; None takes ``runs/NAME``.
        cache: folder for encoded tokens; None takes ``runs/cache``.
        speech: Whisper weights; None takes the installed package.
        folds: names of the folds to train; None trains all.
        trainer: further arguments of Lightning's Trainer.
        console: for progress; None shows none.

    Raises:
        ConfigError: if configuration, data or splits cannot be used, there is no such fold, or
            `output` holds a run with another configuration.
    """
    if isinstance(config, Path):
        config = load_config(config)
    output = output or Path("runs") / config.name
    guard_configuration(output, config)
    finished = _finished(output, folds)
    if finished:
        if console is not None:
            console.print(f"{config.name}: finished, read from {output}")
        return RunResult(config.name, finished[0].labels, finished)
    cache = cache or Path("runs") / "cache"
    loaded = load_run_data(config, data, cache, speech=speech, console=console)
    names = [split.name for split in loaded.splits]
    unknown = sorted(set(folds or ()) - set(names))
    if unknown:
        raise ConfigError(f"there is no fold {', '.join(unknown)}; there are {', '.join(names)}")
    write_atomically(output / FOLDS, json.dumps(names).encode())
    results = []
    for split in loaded.splits:
        if folds is not None and split.name not in folds:
            continue
        leaks = require_no_leak(loaded.items, split, accept=config.accept_leaks)
        kept = output / split.name / PREDICTIONS
        if not kept.is_file():
            started = time.monotonic()
            own = with_tuned_speech(
                config,
                loaded,
                split,
                output / split.name,
                cache,
                speech=speech,
                trainer=trainer,
                console=console,
            )
            result = _fold(config, own, split, leaks.warning, output, trainer, console)
            result = replace(result, seconds=time.monotonic() - started)
            write_fold(kept, result)
        results.append(read_fold(kept))
        if console is not None:
            hits = results[-1].predicted == results[-1].true
            console.print(f"{config.name} {split.name}: accuracy {hits.mean():.3f}")
    return RunResult(config.name, loaded.labels, tuple(results))


def _finished(output: Path, folds: Sequence[str] | None) -> tuple[FoldResult, ...]:
    """Predictions of the folds that are asked for; empty where one is missing."""
    try:
        names = json.loads((output / FOLDS).read_text("utf-8"))
        files = [output / name / PREDICTIONS for name in names if folds is None or name in folds]
    except (OSError, ValueError, TypeError):
        return ()
    if len(files) < len(set(folds or names)) or not all(file.is_file() for file in files):
        return ()
    return tuple(read_fold(file) for file in files)


def guard_configuration(output: Path, config: TrainingConfig) -> None:
    """Write the configuration into the run's folder, or refuse a folder of another one.

    Configurations are compared by their values: one that was written before a field existed is the
    same as one that holds the field's default.
    """
    make_folder(output)
    if (output / CONFIG).is_file():
        if read_configuration(output) != config:
            raise ConfigError(
                f"{output} holds a run with another configuration; choose another output folder"
            )
        return
    write_atomically(output / CONFIG, config.model_dump_json(indent=2).encode())


def read_configuration(run: Path) -> TrainingConfig:
    """Read the configuration that a run's folder holds.

    Raises:
        ConfigError: if there is none, or it is damaged.
    """
    try:
        return TrainingConfig.model_validate_json((run / CONFIG).read_text("utf-8"))
    except (OSError, ValueError) as error:
        raise ConfigError(f"{run} holds no run: {error}") from error


def fusion_config(config: TrainingConfig, loaded: RunData) -> FusionConfig:
    """The fusion's sizes: the configuration's, and the widths of the data's tokens.

    Raises:
        ConfigError: if the sizes do not fit each other or the data.
    """
    sizes = config.model
    try:
        return FusionConfig(
            kind=sizes.kind,
            head=sizes.head,
            labels=len(loaded.labels),
            inputs={m: int(own[0][0].shape[1]) for m, own in loaded.variants.items()},
            prosody=loaded.prosody,
            width=sizes.width,
            attention_heads=sizes.attention_heads,
            layers=sizes.layers,
            stride=sizes.stride,
            input_dropout=sizes.input_dropout,
            dropout=sizes.dropout,
            joint_dropout=sizes.joint_dropout,
            statistics=sizes.statistics,
            loudness_statistics=sizes.loudness_statistics,
        )
    except ValidationError as error:
        reasons = "; ".join(str(e["msg"]) for e in error.errors())
        raise ConfigError(f"the section model of {config.name} does not fit: {reasons}") from None


def fit_part(
    config: TrainingConfig,
    loaded: RunData,
    training: Sequence[int],
    validation: Sequence[int] | None,
    seed: int,
    folder: Path,
    *,
    description: Mapping[str, Any] | None = None,
    trainer: Mapping[str, Any] | None = None,
    progress: bool = False,
) -> Fusion:
    """Train one fusion on some items.

    Args:
        config: of the run.
        loaded: the run's data.
        training: indices of the items that train.
        validation: indices of the items that stop training early, where the configuration wants
            that; None for none.
        seed: of everything.
        folder: for checkpoints and logs; a stopped fit goes on from there.
        description: what the checkpoint says of itself.
        trainer: further arguments of Lightning's Trainer.
        progress: whether a progress bar is drawn.
    """
    targets = loaded.targets
    own = {m: [x[i] for i in training] for m, x in loaded.variants.items()}
    labels = [targets[i] for i in training]
    clips = Clips(own, labels, config.augmentation, seed)
    examples: ExampleSource = clips
    weights: Tensor | None = None
    if config.corpora:
        # The draw balances corpora and labels.
        whose = [loaded.items[i].corpus for i in training]
        count = len(loaded.labels)
        examples = DrawnClips(clips, labels, whose, config.corpora, count, seed)
    else:
        counts = np.bincount(labels, minlength=len(loaded.labels)).astype(np.float64)
        rarity = counts.sum() / np.maximum(counts, 1) / len(counts)
        weights = torch.tensor(rarity**config.optimisation.class_balance, dtype=torch.float32)
    early = config.optimisation.patience < config.optimisation.epochs
    held: Clips | None = None
    if validation is not None and early:
        if not validation:
            raise ConfigError("nobody is held out whom patience could look at; leave it out")
        held = Clips(
            {m: [x[i] for i in validation] for m, x in loaded.variants.items()},
            [targets[i] for i in validation],
        )
    model = fusion_config(config, loaded)
    return fit(
        Fitting(
            model,
            config.optimisation,
            config.augmentation,
            config.modality_dropout,
            seed,
            class_weights=weights,
            description=description,
            progress=progress,
            trainer=trainer,
        ),
        examples,
        held,
        {m: column_statistics(x, model.loudness_column(m)) for m, x in own.items()},
        folder,
    )


def describe(
    config: TrainingConfig, loaded: RunData, split: Split, model: FusionConfig, seed: int
) -> dict[str, Any]:
    """What a checkpoint says of itself, as plain data: enough to load, judge and export it."""
    early = config.optimisation.patience < config.optimisation.epochs
    return {
        "config": config.model_dump(mode="json"),
        "fusion": model.model_dump(mode="json"),
        "labels": list(loaded.labels),
        "fold": split.name,
        "protocol": split.protocol,
        "seed": seed,
        "data": loaded.data.name,
        "licence": loaded.data.licence,
        "validation_trains": not early,
        "speakers": {
            part: sorted({loaded.items[i].speaker or "" for i in split.part(part)} - {""})
            for part in PARTS
        },
        "contents": {
            part: sorted({content_hash(loaded.items[i])[:16] for i in split.part(part)})
            for part in PARTS
        },
    }


def _fold(
    config: TrainingConfig,
    loaded: RunData,
    split: Split,
    warning: str,
    output: Path,
    trainer: Mapping[str, Any] | None,
    console: Console | None,
) -> FoldResult:
    targets = loaded.targets
    early = config.optimisation.patience < config.optimisation.epochs
    # Where nothing is selected, the validation people train too.
    training = split.train if early else (*split.train, *split.validation)
    model = fusion_config(config, loaded)
    logits: list[Tensor] = []
    fewer: dict[str, list[Tensor]] = {name: [] for name in smaller_subsets(model.inputs)}
    parameters = loaded.encoder_parameters
    for seed in config.seeds:
        fusion = fit_part(
            config,
            loaded,
            training,
            split.validation if early else None,
            seed,
            output / split.name / f"seed-{seed}",
            description=describe(config, loaded, split, model, seed),
            trainer=trainer,
            progress=console is not None and console.is_terminal,
        )
        parameters += sum(p.numel() for p in fusion.parameters())
        logits.append(predict(fusion, loaded.variants, split.test))
        for name, several in fewer.items():
            left = {m: x for m, x in loaded.variants.items() if m in name.split("+")}
            several.append(predict(fusion, left, split.test))
    tested = [loaded.items[i] for i in split.test]
    return FoldResult(
        split.name,
        loaded.labels,
        split.protocol,
        warning,
        tuple(x.name for x in tested),
        tuple(x.speaker or "" for x in tested),
        tuple(x.sex or "" for x in tested),
        np.array([targets[i] for i in split.test], np.int64),
        average_predictions(logits).double().numpy(),
        parameters,
        0.0,
        {name: average_predictions(several).double().numpy() for name, several in fewer.items()},
    )
