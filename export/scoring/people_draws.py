"""Bootstrap intervals that draw people, not clips, for all figures of an answer at once.

Every figure is a function of sums over clips, so a draw of people is a weighting of their sums: a
few thousand draws cost a matrix product.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from edge_ser.export.scoring.metrics import Floats, Labels
from edge_ser.export.scoring.result import Interval

DRAWS: Final = 2000

Figure = Callable[[Floats], Floats]
"""Sums [draws, columns] to a figure [draws]."""


@dataclass(frozen=True)
class PeopleDraws:
    """How often each person is drawn: float64 [draws, people], and who each clip is of."""

    weights: Floats
    person: npt.NDArray[np.int64]

    def sums(self, columns: Floats) -> Floats:
        """Sums over the drawn clips, [draws, columns], of columns [clips, columns]."""
        people = np.zeros((self.weights.shape[1], columns.shape[1]))
        np.add.at(people, self.person, columns)
        return self.weights @ people

    def interval(self, columns: Floats, figure: Figure, *, centred: bool = False) -> Interval:
        """A figure of all clips with its 95 % interval (percentile method).

        Args:
            columns: [clips, columns].
            figure: of their sums.
            centred: move the draws so that their median is the figure, and cut them at 0: for a
                figure that every drawing makes larger, as it does the calibration error.
        """
        value = float(figure(columns.sum(0, keepdims=True))[0])
        drawn = figure(self.sums(columns))
        drawn = drawn[np.isfinite(drawn)]
        if centred:
            drawn = np.maximum(drawn - np.median(drawn) + value, 0.0)
        low, high = np.percentile(drawn, [2.5, 97.5])
        return Interval(value=value, low=float(low), high=float(high))

    def mean(self, values: Floats) -> Interval:
        """The mean of the clips' values [clips] with its interval."""
        columns = np.stack([values, np.ones_like(values)], 1)
        return self.interval(columns, lambda sums: np.asarray(sums[:, 0] / sums[:, 1]))


def draw_people(people: Sequence[str], seed: int = 0) -> PeopleDraws:
    """Draw people with replacement, all clips of a person together.

    Args:
        people: who each clip is of.
        seed: of the draws: equal people and seeds are drawn alike, so that differences are paired.
    """
    names = sorted(set(people))
    place = {name: i for i, name in enumerate(names)}
    count = len(names)
    drawn = np.random.default_rng(seed).multinomial(count, np.full(count, 1 / count), size=DRAWS)
    return PeopleDraws(drawn.astype(np.float64), np.array([place[p] for p in people], np.int64))


def confusion_columns(answered: Labels, true: Labels, labels: int) -> Floats:
    """Columns [clips, labels * labels]: one 1 at (true, answered)."""
    columns = np.zeros((len(true), labels * labels))
    columns[np.arange(len(true)), true * labels + answered] = 1.0
    return columns


def accuracy_figure(labels: int) -> Figure:
    """Share of right answers."""

    def figure(sums: Floats) -> Floats:
        table = sums.reshape(-1, labels, labels)
        return np.asarray(np.trace(table, axis1=1, axis2=2) / table.sum((1, 2)))

    return figure


def recall_figure(labels: int) -> Figure:
    """Unweighted average recall over the labels that occur."""

    def figure(sums: Floats) -> Floats:
        table = sums.reshape(-1, labels, labels)
        return _mean_where(_diagonal(table), table.sum(2), table.sum(2) > 0)

    return figure


def precision_figure(labels: int) -> Figure:
    """Macro precision over the labels that occur."""

    def figure(sums: Floats) -> Floats:
        table = sums.reshape(-1, labels, labels)
        return _mean_where(_diagonal(table), table.sum(1), table.sum(2) > 0)

    return figure


def f1_figure(labels: int) -> Figure:
    """Macro F1 over the labels that occur."""

    def figure(sums: Floats) -> Floats:
        table = sums.reshape(-1, labels, labels)
        both = table.sum(1) + table.sum(2)
        return _mean_where(2 * _diagonal(table), both, table.sum(2) > 0)

    return figure


def difference_interval(
    draws: PeopleDraws, first: Floats, second: Floats, figure: Figure
) -> Interval:
    """A figure of the second columns less that of the first, paired over people."""
    both = np.concatenate([first, second], 1)
    width = first.shape[1]

    def apart(sums: Floats) -> Floats:
        return np.asarray(figure(sums[:, width:]) - figure(sums[:, :width]))

    return draws.interval(both, apart)


def _diagonal(table: Floats) -> Floats:
    return np.asarray(np.diagonal(table, axis1=1, axis2=2))


def _mean_where(above: Floats, below: Floats, there: npt.NDArray[np.bool_]) -> Floats:
    shares = np.where(there, above / np.maximum(below, 1e-12), 0.0)
    return np.asarray(shares.sum(1) / np.maximum(there.sum(1), 1))
