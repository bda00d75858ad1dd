"""Fit one fusion: loaders, checkpoints, logs, exact resume."""

from __future__ import annotations

import logging
import math
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

import lightning
import torch
from lightning.pytorch.callbacks import Callback, EarlyStopping, ModelCheckpoint
from lightning.pytorch.loggers import CSVLogger, TensorBoardLogger
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
from edge_ser.export.training.whole_checkpoints import WholeCheckpoints

LAST = "last.ckpt"


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
    callbacks: list[Callback] = []
    loggers: list[Any] = []
    if folder is not None:
        folder.mkdir(parents=True, exist_ok=True)
        callbacks.append(
            ModelCheckpoint(
                dirpath=folder,
                filename="epoch",
                save_last=True,
                save_top_k=1,
                save_on_train_epoch_end=True,
            )
        )
        loggers = [CSVLogger(folder, "", "csv"), TensorBoardLogger(folder, "", "tensorboard")]
    if validation is not None and fitting.optimisation.patience < fitting.optimisation.epochs:
        callbacks.append(
            EarlyStopping("validation_recall", mode="max", patience=fitting.optimisation.patience)
        )
    with warnings.catch_warnings(), fixed_threads(fitting.optimisation.threads):
        # Advice on worker processes and short logs, which does not fit cached tokens.
        warnings.filterwarnings("ignore", module="lightning.*")
        logging.getLogger("lightning.pytorch").setLevel(logging.WARNING)
        trainer = lightning.Trainer(
            **{
                "accelerator": "cpu",
                "devices": 1,
                "max_epochs": fitting.optimisation.epochs,
                "gradient_clip_val": fitting.optimisation.gradient_clip,
                "callbacks": callbacks,
                "logger": loggers or False,
                "plugins": [WholeCheckpoints()],
                "enable_checkpointing": folder is not None,
                "enable_progress_bar": fitting.progress,
                "enable_model_summary": False,
                "num_sanity_val_steps": 0,
                "log_every_n_steps": max(len(loader), 1),
                **(fitting.trainer or {}),
            }
        )
        last = None if folder is None else folder / LAST
        if last is not None and last.is_file():
            # Lightning fetches the first batch before it tells the sampler which epoch it is.
            done = int(torch.load(last, map_location="cpu", weights_only=True)["epoch"]) + 1
            order = loader.sampler
            if isinstance(order, EpochOrder):
                order.set_epoch(done)
        trainer.fit(
            task,
            loader,
            None if validation is None else _loader(validation, 2 * batch, shuffle=False, seed=0),
            ckpt_path=str(last) if last is not None and last.is_file() else None,
            weights_only=True,
        )
    return task.best.cpu().eval()


@contextmanager
def fixed_threads(threads: int) -> Iterator[None]:
    """Let torch compute with a number of threads, and with as many as before afterwards."""
    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    try:
        yield
    finally:
        torch.set_num_threads(before)


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


class EpochExamples(Protocol):
    """Examples that depend on the epoch."""

    epoch: int

    def __len__(self) -> int:
        """Examples an epoch."""


class EpochOrder(torch.utils.data.Sampler[int]):
    """A permutation that depends on the seed and the epoch alone, so that a run can be resumed."""

    def __init__(self, examples: EpochExamples, seed: int) -> None:
        self._examples = examples
        self._seed = seed
        self._epoch = 0

    def set_epoch(self, epoch: int) -> None:
        """Lightning calls this before every epoch, also when a run is resumed."""
        self._epoch = epoch
        self._examples.epoch = epoch

    def __len__(self) -> int:
        """Examples an epoch."""
        return len(self._examples)

    def __iter__(self) -> Any:
        """The indices in this epoch's order."""
        generator = torch.Generator().manual_seed((self._seed << 20) + self._epoch)
        yield from torch.randperm(len(self._examples), generator=generator).tolist()
