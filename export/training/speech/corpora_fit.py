"""Fit a speech encoder on several corpora, or go on with a fit that was stopped."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

import torch
from torch.utils.data import DataLoader

from edge_ser.export.encoders.speech import SpeechEncoder, SpeechEncoderConfig
from edge_ser.export.training.resumable import EpochOrder, Loop, train
from edge_ser.export.training.speech.config import CorporaTraining
from edge_ser.export.training.speech.corpora import (
    CorporaExamples,
    CorporaTask,
    Corpus,
    collate_corpora,
)

LOUDEST: Final = 1.0
"""Of a log-mel in Whisper's scale: that of ordinary speech at an ordinary level."""


def corpora_sizes(layers: Sequence[int], config: CorporaTraining) -> SpeechEncoderConfig:
    """Of an encoder that is trained on several corpora: it does not hear the level."""
    sizes = SpeechEncoderConfig.of_layers(layers, dropout=0.5 * config.dropout)
    return replace(sizes, loudest=LOUDEST)


def new_task(
    encoder: SpeechEncoder, labels: int, config: CorporaTraining, seed: int
) -> CorporaTask:
    """The encoder with a pooling and a classifier that know nothing yet."""
    # Labels are balanced by the draw.
    return CorporaTask(encoder, labels, config, config.steps, torch.ones(labels), seed)


def fit_corpora(
    encoder: SpeechEncoder,
    corpora: Mapping[str, Corpus],
    labels: int,
    config: CorporaTraining,
    folder: Path,
    *,
    seed: int = 0,
    threads: int = 1,
    progress: bool = False,
    trainer: Mapping[str, Any] | None = None,
) -> CorporaTask:
    """Train an encoder further on several corpora, resuming from `folder` if a fit stands there.

    Args:
        encoder: changed in place.
        corpora: those that train, by name.
        labels: how many there are.
        config: of the training.
        folder: for checkpoints and logs.
        seed: of everything.
        threads: of the CPU.
        progress: whether a progress bar is drawn.
        trainer: further arguments of Lightning's Trainer.

    Returns:
        Encoder, pooling and classifier with the average of the weights, on the CPU.
    """
    examples = CorporaExamples(corpora, labels, config, seed)
    task = new_task(encoder, labels, config, seed)
    loader = DataLoader(
        examples,
        config.batch_size,
        sampler=EpochOrder(examples, seed),
        collate_fn=collate_corpora,
    )
    train(
        task.train(),
        loader,
        None,
        folder,
        Loop(
            epochs=config.epochs,
            average=config.average,
            checkpoint_minutes=3,
            threads=threads,
            progress=progress,
            trainer=trainer or {},
        ),
    )
    return task.cpu().eval()
