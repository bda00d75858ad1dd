"""The one training loop: checkpoints, logs, the best state, going on where a run stopped.

A run that was killed and started again by any process ends with the weights of one that was not:
every task seeds each step by itself, batches know where they stand, and the number of threads is
the configuration's.
"""

from __future__ import annotations

import logging
import threading
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any, Final, Protocol

import lightning
import torch
from lightning.pytorch.callbacks import (
    Callback,
    EarlyStopping,
    EMAWeightAveraging,
    ModelCheckpoint,
)
from lightning.pytorch.loggers import CSVLogger, TensorBoardLogger

from edge_ser.errors import ConfigError
from edge_ser.export.training.whole_checkpoints import WholeCheckpoints
from edge_ser.files import make_folder, write_atomically, writing

LAST: Final = "last.ckpt"
"""The whole state of a run, as it was last written."""
_BEST: Final = "best"


@dataclass(frozen=True)
class Loop:
    """How a task is trained.

    Attributes:
        epochs: at most.
        monitor: logged figure that chooses the state which is kept, the higher the better; None
            keeps the last.
        patience: validations without a better figure before the run ends; None never ends it.
        early_stopping: figure that `patience` looks at; None is `monitor`.
        checkpoint_minutes: time between checkpoints; None writes one after every epoch.
        stop_after: epochs after which the run ends, wherever its schedule stands.
        average: decay a step of an exponential moving average of the weights, which is what is
            judged and kept; 0 for none.
        gradient_clip: largest norm of the gradient.
        threads: of the CPU; sums parted among others give other last digits.
        progress: whether a progress bar is drawn.
        callbacks: run beside the loop's own.
        trainer: further arguments of Lightning's Trainer, for instance devices and strategy.
    """

    epochs: int
    monitor: str | None = None
    patience: int | None = None
    early_stopping: str | None = None
    checkpoint_minutes: float | None = None
    stop_after: int | None = None
    average: float = 0.0
    gradient_clip: float = 1.0
    threads: int = 1
    progress: bool = False
    callbacks: Sequence[Callback] = ()
    trainer: Mapping[str, Any] = field(default_factory=dict)


def train(
    task: lightning.LightningModule,
    training: Any,
    validation: Any,
    folder: Path | None,
    loop: Loop,
    *,
    logs: Path | None = None,
) -> lightning.Trainer:
    """Train a task, going on with what stands in a folder, and leave the chosen state in it.

    Args:
        task: changed in place.
        training: batches; an `EpochOrder` among them is told which epoch comes next.
        validation: batches, or None.
        folder: of the checkpoints; None writes nothing.
        loop: how.
        logs: folder of the logs (CSV and TensorBoard); None is that of the checkpoints.

    Returns:
        Lightning's trainer, when it has ended.
    """
    callbacks = list(loop.callbacks)
    best: ModelCheckpoint | None = None
    last: Path | None = None
    if folder is not None:
        make_folder(folder)
        callbacks.append(_recent(folder, loop.checkpoint_minutes))
        last = folder / LAST if (folder / LAST).is_file() else None
        if loop.monitor is not None:
            best = ModelCheckpoint(folder, _BEST, monitor=loop.monitor, mode="max")
            callbacks.append(best)
    watched = loop.early_stopping or loop.monitor
    if loop.patience is not None and watched is not None:
        callbacks.append(EarlyStopping(watched, mode="max", patience=loop.patience))
    if loop.average:
        callbacks.append(EMAWeightAveraging(decay=loop.average))
    with warnings.catch_warnings(), fixed_threads(loop.threads):
        # Advice on worker processes and short logs, which does not fit data in memory.
        warnings.filterwarnings("ignore", module="lightning.*")
        logging.getLogger("lightning.pytorch").setLevel(logging.WARNING)
        trainer = lightning.Trainer(
            **{
                "accelerator": "cpu",
                "devices": 1,
                "max_epochs": min(loop.epochs, loop.stop_after or loop.epochs),
                "gradient_clip_val": loop.gradient_clip,
                "callbacks": callbacks,
                "logger": _loggers(logs or folder),
                "plugins": [WholeCheckpoints()],
                "enable_checkpointing": folder is not None,
                "enable_progress_bar": loop.progress,
                "enable_model_summary": False,
                "num_sanity_val_steps": 0,
                "log_every_n_steps": max(len(training), 1),
                **loop.trainer,
            }
        )
        order = getattr(training, "sampler", None)
        if last is not None and isinstance(order, EpochOrder):
            # Lightning fetches the first batch before it tells the sampler which epoch it is.
            done = torch.load(last, map_location="cpu", weights_only=True)["epoch"]
            order.set_epoch(int(done) + 1)
        # All data are in memory: what the system refuses are checkpoints and logs.
        with writing(logs or folder or Path()), _told_once():
            trainer.fit(
                task,
                training,
                validation,
                ckpt_path=None if last is None else str(last),
                weights_only=True,
            )
    if best is not None:
        state = torch.load(best.best_model_path, map_location="cpu", weights_only=True)
        task.load_state_dict(state["state_dict"])
    return trainer


@contextmanager
def _told_once() -> Iterator[None]:
    """What the system refuses TensorBoard's thread is raised in ours, and not printed as well."""
    before = threading.excepthook

    def told(failed: threading.ExceptHookArgs) -> None:
        if not isinstance(failed.exc_value, OSError):
            before(failed)

    threading.excepthook = told
    try:
        yield
    finally:
        threading.excepthook = before


def claim(folder: Path, configuration: str) -> None:
    """Make a folder a run's own, or find that it is the run which goes on.

    Args:
        folder: of the run; it is made if it is not there.
        configuration: everything that decides what comes out, as text.

    Raises:
        ConfigError: if the folder holds a run with another configuration.
    """
    file = folder / "config.json"
    with writing(file):
        other = file.is_file() and file.read_text(encoding="utf-8") != configuration
    if other:
        raise ConfigError(
            f"{folder} holds a run with another configuration; choose a new folder, or remove it"
        )
    write_atomically(file, configuration.encode(), parents=True)


@contextmanager
def fixed_threads(threads: int) -> Iterator[None]:
    """Let torch compute with a number of threads, and with as many as before afterwards."""
    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    try:
        yield
    finally:
        torch.set_num_threads(before)


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


def _recent(folder: Path, minutes: float | None) -> ModelCheckpoint:
    when: dict[str, Any] = (
        {"save_on_train_epoch_end": True}
        if minutes is None
        else {"train_time_interval": timedelta(minutes=minutes)}
    )
    name = LAST.removesuffix(".ckpt")
    return ModelCheckpoint(folder, name, save_top_k=1, enable_version_counter=False, **when)


def _loggers(folder: Path | None) -> Any:
    if folder is None:
        return False
    return [CSVLogger(folder, "", "csv"), TensorBoardLogger(folder, "", "tensorboard")]
