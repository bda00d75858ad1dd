"""The gate: a precision ships only if people who were held out lose next to nothing by it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from edge_ser.errors import ConfigError
from edge_ser.export.scoring.metrics import Labels, Probabilities, calibration_error, score

BOUNDS: Final = {"fp32": 0.0, "fp16": 0.003, "int8": 0.01, "mixed": 0.01}
"""Largest loss against fp32 of accuracy, macro F1 and calibration error, as shares of 1."""

RESAMPLES: Final = 2000


@dataclass(frozen=True)
class Predictions:
    """Answers of one variant for the same clips in the same order.

    Attributes:
        probabilities: float64 [n, labels], rows sum to 1.
        true: int64 [n].
        people: [n]; who each clip is of.
    """

    probabilities: Probabilities
    true: Labels
    people: npt.NDArray[Any]


@dataclass(frozen=True)
class Loss:
    """What one metric loses: positive is worse than fp32.

    Attributes:
        metric: ``accuracy``, ``macro F1`` or ``calibration error``.
        reference: its value in fp32.
        value: its value in the other precision.
        loss: how much worse.
        low: lower end of the paired 95 % interval of the loss.
        high: its upper end.
    """

    metric: str
    reference: float
    value: float
    loss: float
    low: float
    high: float


@dataclass(frozen=True)
class Verdict:
    """What the gate says of one precision on one set of clips.

    Attributes:
        passed: every loss is within the bound.
        proven: every interval lies within the bound too: with few people it may not.
        bound: the largest loss allowed.
        agreement: share of clips with the same label as in fp32.
        clips: how many there are.
        people: of how many people.
        losses: one a metric.
    """

    passed: bool
    proven: bool
    bound: float
    agreement: float
    clips: int
    people: int
    losses: tuple[Loss, ...]

    def __str__(self) -> str:
        state = "passed" if self.passed else "FAILED"
        return state if self.proven or not self.passed else f"{state} (interval is wider)"


def judge(reference: Predictions, other: Predictions, precision: str, seed: int = 0) -> Verdict:
    """Compare a precision with fp32 on the same clips.

    Intervals come from a paired bootstrap over people (both variants are resampled together, and
    all clips of a person together), percentile method.

    Args:
        reference: fp32.
        other: the precision in question.
        precision: one of `BOUNDS`.
        seed: of the resampling.

    Raises:
        ConfigError: the two are not of the same clips, or there is none.
    """
    if precision not in BOUNDS:
        raise ConfigError(f"there is no precision {precision!r}; they are {', '.join(BOUNDS)}")
    same = (
        reference.probabilities.shape == other.probabilities.shape
        and np.array_equal(reference.true, other.true)
        and np.array_equal(reference.people, other.people)
    )
    if not same or not len(reference.true):
        raise ConfigError("a precision is compared with fp32 on the same clips, at least one")
    rng = np.random.default_rng(seed)
    groups = [np.flatnonzero(reference.people == p) for p in np.unique(reference.people)]
    draws = [
        np.concatenate([groups[i] for i in rng.integers(0, len(groups), len(groups))])
        for _ in range(RESAMPLES)
    ]
    everything = np.arange(len(reference.true))
    before, after = _metrics(reference, everything), _metrics(other, everything)
    changes = np.array([_losses(reference, other, draw) for draw in draws])
    low, high = np.percentile(changes, [2.5, 97.5], axis=0)
    point = _losses(reference, other, everything)
    losses = tuple(
        Loss(name, before[i], after[i], float(point[i]), float(low[i]), float(high[i]))
        for i, name in enumerate(("accuracy", "macro F1", "calibration error"))
    )
    bound = BOUNDS[precision]
    # Sums of floats: a loss of exactly the bound passes.
    passed = all(loss.loss <= bound + 1e-9 for loss in losses)
    agreement = (reference.probabilities.argmax(1) == other.probabilities.argmax(1)).mean()
    return Verdict(
        passed=passed,
        proven=passed and all(loss.high <= bound + 1e-9 for loss in losses),
        bound=bound,
        agreement=float(agreement),
        clips=len(everything),
        people=len(groups),
        losses=losses,
    )


def _metrics(predictions: Predictions, chosen: npt.NDArray[Any]) -> tuple[float, float, float]:
    probabilities, true = predictions.probabilities[chosen], predictions.true[chosen]
    found = score(probabilities.argmax(1), true, probabilities.shape[1])
    return found.accuracy, found.f1, calibration_error(probabilities, true)


def _losses(
    reference: Predictions, other: Predictions, chosen: npt.NDArray[Any]
) -> tuple[float, float, float]:
    before, after = _metrics(reference, chosen), _metrics(other, chosen)
    return before[0] - after[0], before[1] - after[1], after[2] - before[2]


def people_of(names: Sequence[str]) -> npt.NDArray[Any]:
    """Names of people as `Predictions` takes them."""
    return np.asarray(names, dtype=np.str_)
