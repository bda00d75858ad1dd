"""What a run answered for recordings, in a file."""

from __future__ import annotations

import io
import zipfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from edge_ser.errors import ConfigError
from edge_ser.export.scoring.metrics import score
from edge_ser.files import write_atomically


@dataclass(frozen=True)
class Answers:
    """Logits float64 [n, labels], labels [n], and whose voice each is of."""

    logits: npt.NDArray[np.float64]
    true: npt.NDArray[np.int64]
    people: tuple[str, ...]
    sexes: tuple[str, ...]
    """"female", "male" or "" where it is not known."""

    def of(self, chosen: npt.NDArray[np.bool_]) -> Answers:
        """Those of the clips where bool [n] is true."""
        numbers = np.flatnonzero(chosen)
        return Answers(
            self.logits[numbers],
            self.true[numbers],
            tuple(self.people[i] for i in numbers),
            tuple(self.sexes[i] for i in numbers),
        )

    def recall(self) -> float:
        """Unweighted average recall over the labels that occur."""
        return score(self.logits.argmax(1), self.true, self.logits.shape[1]).recall


def write_answers(file: Path, answers: Answers) -> None:
    """Write answers, atomically."""
    held = io.BytesIO()
    np.savez(
        held,
        logits=answers.logits,
        true=answers.true,
        people=np.array(answers.people),
        sexes=np.array(answers.sexes),
    )
    write_atomically(file, held.getvalue())


def read_answers(file: Path) -> Answers:
    """Read answers.

    Raises:
        ConfigError: if the file is missing or damaged.
    """
    try:
        with np.load(file, allow_pickle=False) as held:
            return Answers(
                held["logits"],
                held["true"],
                tuple(held["people"].tolist()),
                tuple(held["sexes"].tolist()),
            )
    except (OSError, ValueError, KeyError, zipfile.BadZipFile) as error:
        raise ConfigError(f"{file} cannot be read: {error}; train the run first") from error


def joined(several: list[Answers]) -> Answers:
    """Answers of several parts as one."""
    return Answers(
        np.concatenate([a.logits for a in several]),
        np.concatenate([a.true for a in several]),
        tuple(p for a in several for p in a.people),
        tuple(s for a in several for s in a.sexes),
    )
