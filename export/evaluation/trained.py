"""A trained fusion on the people that its own fold held out."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from rich.console import Console
from torch import Tensor

from edge_ser.errors import ConfigError
from edge_ser.export.data.leakage import require_no_leak
from edge_ser.export.data.splits import Split
from edge_ser.export.training.checkpoint import TrainedFusion
from edge_ser.export.training.predictions import FoldResult
from edge_ser.export.training.run_data import RunData, load_run_data
from edge_ser.export.training.speech.tuned import SPEECH_WEIGHTS, with_tuned_speech

Logits = npt.NDArray[np.float64]
Labels = npt.NDArray[np.int64]


class Answers(NamedTuple):
    """Logits [n, labels] with the labels [n] and who each item is of."""

    logits: Logits
    true: Labels
    people: tuple[str, ...]


@dataclass(frozen=True)
class HeldOut:
    """What a trained fusion answers on people that it did not train on."""

    result: FoldResult
    """On the test part, with every smaller subset of the modalities."""
    validation: Mapping[str, Answers]
    """On the validation part, by subset of the modalities; only items that show any of it."""


def held_out_part(
    trained: TrainedFusion,
    data: Path,
    cache: Path | None = None,
    *,
    accept_leaks: bool = False,
    speech: Path | None = None,
    console: Console | None = None,
) -> HeldOut:
    """Read the run's data again and predict the parts that its fold held out.

    Args:
        trained: of one fold.
        data: folder with the data sets.
        cache: folder for encoded tokens; None takes ``runs/cache``.
        accept_leaks: score a leaky split; the result carries the warning.
        speech: Whisper weights; None takes the installed package.
        console: for progress.

    Raises:
        ConfigError: if the data are not those of the run, or the split is leaky and not accepted.
    """
    started = time.monotonic()
    cache = cache or Path("runs") / "cache"
    loaded = load_run_data(trained.config, data, cache, speech=speech, console=console)
    split = _same_split(trained, loaded)
    require_speech(trained)
    loaded = with_tuned_speech(
        trained.config, loaded, split, trained.folder, cache, speech=speech, console=console
    )
    leaks = require_no_leak(loaded.items, split, accept=accept_leaks or trained.config.accept_leaks)
    tested = [loaded.items[i] for i in split.test]
    targets = loaded.targets
    logits = trained.logits(loaded.variants, split.test)
    fewer = trained.subset_logits(loaded.variants, split.test)
    result = FoldResult(
        split.name,
        loaded.labels,
        split.protocol,
        leaks.warning,
        tuple(x.name for x in tested),
        tuple(x.speaker or "" for x in tested),
        tuple(x.sex or "" for x in tested),
        np.array([targets[i] for i in split.test], np.int64),
        log_probabilities(logits),
        trained.parameters + loaded.encoder_parameters,
        time.monotonic() - started,
        {name: log_probabilities(rows) for name, rows in fewer.items()},
    )
    return HeldOut(result, _validation(trained, loaded, split, targets))


def require_speech(trained: TrainedFusion) -> None:
    """Refuse a checkpoint whose own speech encoder was left behind.

    Raises:
        ConfigError: if the run trained one and it is not in the fold's folder.
    """
    file = trained.folder / SPEECH_WEIGHTS
    if trained.config.finetune is not None and not file.is_file():
        raise ConfigError(
            f"the run trained its speech encoder further, and {file} is missing: keep the "
            "checkpoint inside its run"
        )


def _validation(
    trained: TrainedFusion, loaded: RunData, split: Split, targets: list[int]
) -> dict[str, Answers]:
    if not split.validation:
        return {}
    every = {
        trained.modalities: trained.logits(loaded.variants, split.validation),
        **trained.subset_logits(loaded.variants, split.validation),
    }
    true = np.array([targets[i] for i in split.validation], np.int64)
    items = [loaded.items[i] for i in split.validation]
    made = {}
    for name, rows in every.items():
        own = [x for m, x in loaded.variants.items() if m in name.split("+")]
        shown = np.array([any(len(x[i][0]) for x in own) for i in split.validation])
        people = tuple(
            item.speaker or item.name for item, there in zip(items, shown, strict=True) if there
        )
        made[name] = Answers(rows.double().numpy()[shown], true[shown], people)
    return made


def _same_split(trained: TrainedFusion, loaded: RunData) -> Split:
    found = [split for split in loaded.splits if split.name == trained.fold]
    if loaded.labels != trained.labels or not found:
        raise ConfigError(
            f"the data are not those of the run: the labels are {', '.join(loaded.labels)} in "
            f"{len(loaded.splits)} folds; name the folder that the run was trained on"
        )
    people = {loaded.items[i].speaker or "" for i in found[0].test} - {""}
    if people != set(trained.speakers["test"]):
        raise ConfigError(
            f"the people of {trained.fold} are others than when the run was trained: the data "
            "have changed since, and a score would not be on people that it never saw"
        )
    return found[0]


def log_probabilities(logits: Tensor) -> Logits:
    """Logits [items, labels] to log-probabilities, float64."""
    return np.asarray(logits.log_softmax(1).double().numpy(), np.float64)
