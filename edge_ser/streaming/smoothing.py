"""A label that does not flicker: smoothed probabilities and a threshold for leaving a label."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, Literal, get_args

from edge_ser.constants import SAMPLE_RATE
from edge_ser.errors import ConfigError
from edge_ser.result import Decision

Smoothing = Literal["off", "light", "strong"]


@dataclass(frozen=True)
class SmoothingOptions:
    """How hard a label is held."""

    time_constant: int
    """Samples after which a decision counts 1 / e of what a fresh one does."""
    margin: float
    """A challenger's smoothed probability must exceed the held label's by this much."""
    hold: int
    """Samples for which the label is kept while the decisions abstain."""


SMOOTHING: Final[Mapping[Smoothing, SmoothingOptions]] = {
    "off": SmoothingOptions(time_constant=0, margin=0.0, hold=0),
    "light": SmoothingOptions(time_constant=SAMPLE_RATE, margin=0.05, hold=SAMPLE_RATE),
    "strong": SmoothingOptions(time_constant=3 * SAMPLE_RATE, margin=0.15, hold=3 * SAMPLE_RATE),
}
"""What the names mean."""


def smoothing_options(name: str) -> SmoothingOptions:
    """Look a smoothing up by its name.

    Raises:
        ConfigError: if there is none of that name.
    """
    for known, options in SMOOTHING.items():
        if known == name:
            return options
    raise ConfigError(
        f"there is no smoothing {name!r}; choose one of {', '.join(get_args(Smoothing))}"
    )


class LabelSmoother:
    """Follows one conversation's decisions. Thread contract: belongs to one thread.

    The calibrated probabilities of decisions that did not abstain are averaged with weights that
    fall exponentially with age. The held label changes when another's average exceeds its own by
    the margin (hysteresis), and is let go when decisions have abstained for the holding time.
    """

    def __init__(self, options: SmoothingOptions) -> None:
        self._options = options
        self._average: dict[str, float] = {}
        self._weight = 0.0
        self._updated = 0
        self._label: str | None = None

    @property
    def probabilities(self) -> Mapping[str, float] | None:
        """What the held label rests on: the average, which sums to 1; None while there is none."""
        return None if self._label is None else self._average

    def update(self, decision: Decision, moment: int) -> str | None:
        """Take a decision for `moment` (in samples, never before the last); give the held label."""
        if decision.abstained:
            if moment - self._updated >= self._options.hold:
                self._label = None
                self._weight = 0.0
            return self._label
        self._average_in(decision.probabilities, moment)
        best = max(self._average, key=lambda label: self._average[label])
        held = self._label
        if held is None or self._average[best] > self._average[held] + self._options.margin:
            self._label = best
        return self._label

    def _average_in(self, probabilities: Mapping[str, float], moment: int) -> None:
        constant = self._options.time_constant
        kept = self._weight
        if constant > 0:
            kept *= math.exp(-max(moment - self._updated, 0) / constant)
        else:
            kept = 0.0
        total = kept + 1.0
        self._average = {
            label: (kept * self._average.get(label, 0.0) + value) / total
            for label, value in probabilities.items()
        }
        self._weight = total
        self._updated = moment
