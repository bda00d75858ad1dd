"""The gate: a precision ships only if people who were held out lose next to nothing by it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np

from edge_ser.errors import ConfigError
from edge_ser.export.scoring.differences import differences
from edge_ser.export.scoring.people_draws import draw_people
from edge_ser.export.scoring.result import Difference
from edge_ser.export.trials.answers import Predictions

BOUNDS: Final = {"fp32": 0.0, "fp16": 0.003, "int8": 0.01, "mixed": 0.01}
"""Largest loss against fp32 of accuracy, macro F1 and calibration error, as shares of 1."""


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
        and reference.people == other.people
    )
    if not same or not len(reference.true):
        raise ConfigError("a precision is compared with fp32 on the same clips, at least one")
    before, after = reference.probabilities, other.probabilities
    found = differences(
        before, after, reference.true, draw_people(reference.people, seed), before.shape[1]
    )
    losses = tuple(_loss(difference) for difference in found)
    bound = BOUNDS[precision]
    # Sums of floats: a loss of exactly the bound passes.
    passed = all(loss.loss <= bound + 1e-9 for loss in losses)
    return Verdict(
        passed=passed,
        proven=passed and all(loss.high <= bound + 1e-9 for loss in losses),
        bound=bound,
        agreement=float((before.argmax(1) == after.argmax(1)).mean()),
        clips=len(reference.true),
        people=len(set(reference.people)),
        losses=losses,
    )


def _loss(found: Difference) -> Loss:
    apart = found.difference
    if found.metric == "calibration error":
        return Loss(found.metric, found.reference, found.value, apart.value, apart.low, apart.high)
    return Loss(found.metric, found.reference, found.value, -apart.value, -apart.high, -apart.low)
