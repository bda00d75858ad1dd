"""Predictions of a model on people who were held out, fold by fold: what every score is made of."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import numpy.typing as npt

from edge_ser.errors import ConfigError
from edge_ser.files import write_atomically

LogProbabilities = npt.NDArray[np.float64]
"""float64 [items, labels]."""


@dataclass(frozen=True)
class FoldResult:
    """Predictions on the test part of one fold."""

    fold: str
    labels: tuple[str, ...]
    protocol: str
    warning: str
    """A sentence on what the parts of the split share; empty where they share nothing."""
    names: tuple[str, ...]
    speakers: tuple[str, ...]
    """Of each item; empty texts where nobody is named."""
    sexes: tuple[str, ...]
    true: npt.NDArray[np.int64]
    log_probabilities: LogProbabilities
    parameters: int
    seconds: float
    """How long the fold was trained, or evaluated where nothing was trained."""
    subsets: Mapping[str, LogProbabilities] = field(default_factory=dict)
    """The same items with fewer modalities: by name of what was left, for instance ``audio``."""
    notes: tuple[str, ...] = ()
    """What a reader of the scores must know: items that were left out, and why."""

    @property
    def predicted(self) -> npt.NDArray[np.int64]:
        """The likeliest label of each item."""
        return np.asarray(self.log_probabilities.argmax(1), np.int64)


@dataclass(frozen=True)
class RunResult:
    """Predictions of every fold."""

    name: str
    labels: tuple[str, ...]
    folds: tuple[FoldResult, ...]


def write_fold(path: Path, result: FoldResult) -> None:
    """Write a fold's predictions, atomically."""
    document = {
        "fold": result.fold,
        "labels": result.labels,
        "protocol": result.protocol,
        "warning": result.warning,
        "names": result.names,
        "speakers": result.speakers,
        "sexes": result.sexes,
        "true": result.true.tolist(),
        "log_probabilities": _rounded(result.log_probabilities),
        "parameters": result.parameters,
        "seconds": round(result.seconds, 1),
        "subsets": {name: _rounded(rows) for name, rows in result.subsets.items()},
        "notes": result.notes,
    }
    write_atomically(path, json.dumps(document).encode(), parents=True)


def read_fold(path: Path) -> FoldResult:
    """Read what `write_fold` wrote.

    Raises:
        ConfigError: if the file is damaged.
    """
    try:
        document = json.loads(path.read_text("utf-8"))
        return FoldResult(
            document["fold"],
            tuple(document["labels"]),
            document["protocol"],
            document["warning"],
            tuple(document["names"]),
            tuple(document["speakers"]),
            tuple(document["sexes"]),
            np.array(document["true"], np.int64),
            np.array(document["log_probabilities"], np.float64),
            int(document["parameters"]),
            float(document["seconds"]),
            {
                name: np.array(rows, np.float64)
                for name, rows in document.get("subsets", {}).items()
            },
            tuple(document.get("notes", ())),
        )
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ConfigError(
            f"{path} is damaged ({error}); delete it and train the fold again"
        ) from error


def _rounded(rows: LogProbabilities) -> list[list[float]]:
    return [[round(float(x), 5) for x in row] for row in rows]
