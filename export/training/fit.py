"""Fit one fusion."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.utils.data import DataLoader

from edge_ser.constants import Modality
from edge_ser.export.examples.token_augmentation import TokenAugmentation
from edge_ser.export.models.config import FusionConfig
from edge_ser.export.models.fusion import Fusion
from edge_ser.export.training.config import ModalityDropout, Optimisation
from edge_ser.export.training.examples import (
    ColumnStatistics,
    Examples,
    ExampleSource,
    collate,
)
from edge_ser.export.training.fusion_task import FusionTask
from edge_ser.export.training.resumable import EpochOrder, Loop, train


@dataclass(frozen=True)
class Fitting:
    """What a fit needs beside its data."""

    model: FusionConfig
    optimisation: Optimisation
    augmentation: TokenAugmentation = field(default_factory=TokenAugmentation)
    modality_dropout: ModalityDropout = field(default_factory=ModalityDropout)
    seed: int = 0
    neutral: int | None = None
    class_weights: Tensor | None = None
    description: Mapping[str, Any] | None = None
    """Plain data that every checkpoint carries under `DESCRIPTION`."""
    progress: bool = False
    speech_head: Mapping[str, Tensor] | None = None
    """State of the finished head that a model with `speech_head` takes."""
    trainer: Mapping[str, Any] | None = None
    """Further arguments of Lightning's Trainer, for instance accelerator, devices and strategy."""


def fit(
    fitting: Fitting,
    training: ExampleSource,
    validation: ExampleSource | None,
    statistics: Mapping[Modality, ColumnStatistics],
    folder: Path | None,
) -> Fusion:
    """Train a fusion, or go on with a run that was stopped.

    After every epoch the whole state is written to ``last.ckpt`` in `folder`; every epoch seeds
    itself, and the number of threads is the configuration's, so a run that was killed and started
    again by any process ends with the weights of one that was not.

    Args:
        fitting: sizes, optimiser, seed.
        training: examples.
        validation: examples that stop training early and choose nothing else, or None.
        statistics: of the training tokens of each modality.
        folder: where checkpoints and logs go; None writes nothing.

    Returns:
        The trained fusion in evaluation mode, on the CPU.
    """
    batch = fitting.optimisation.batch_size
    loader = _loader(training, batch, shuffle=True, seed=fitting.seed)
    steps = len(loader) * fitting.optimisation.epochs
    task = FusionTask(
        fitting.model,
        fitting.optimisation,
        fitting.modality_dropout,
        steps,
        neutral=fitting.neutral,
        class_weights=fitting.class_weights,
        noise=fitting.augmentation.noise,
        mixup=fitting.augmentation.mixup,
        seed=fitting.seed,
        description=fitting.description,
    )
    task.fit_statistics(statistics)
    if fitting.speech_head is not None:
        task.give_speech_head(fitting.speech_head)
    stops = validation is not None and fitting.optimisation.patience < fitting.optimisation.epochs
    train(
        task,
        loader,
        None if validation is None else _loader(validation, 2 * batch, shuffle=False, seed=0),
        folder,
        Loop(
            epochs=fitting.optimisation.epochs,
            early_stopping="validation_recall" if stops else None,
            patience=fitting.optimisation.patience if stops else None,
            gradient_clip=fitting.optimisation.gradient_clip,
            threads=fitting.optimisation.threads,
            progress=fitting.progress,
            trainer=fitting.trainer or {},
        ),
    )
    return task.best.cpu().eval()


def average_predictions(logits: Sequence[Tensor]) -> Tensor:
    """Log of the mean probability over several models' logits [items, labels]."""
    each = torch.stack([torch.log_softmax(x, 1) for x in logits])
    return each.logsumexp(0) - math.log(len(logits))


def _loader(source: ExampleSource, batch: int, *, shuffle: bool, seed: int) -> DataLoader[Any]:
    examples = Examples(source)
    return DataLoader(
        examples,
        batch_size=batch,
        shuffle=False,
        sampler=EpochOrder(examples, seed) if shuffle else None,
        collate_fn=collate,
        drop_last=shuffle and len(source) > batch,
    )
