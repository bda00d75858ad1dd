"""Speaker adaptation: a person's own statistics instead of everybody's.

A voice has a mean and a spread of its own in every column of the sound's tokens. Training and
runtime take both here: what is seen of a person is drawn towards the population by `shrunken`, and
`SpeakerMap` moves a person's tokens to the population's place and scale, where the fusion was
trained. With nothing seen it changes nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    from edge_ser.bundles.schema import SpeakerAdaptation

Columns = npt.NDArray[np.float64]
"""float64 [columns]."""

_SMALLEST = 1e-6


class RunningStatistics:
    """Mean and deviation of columns over all tokens so far.

    T. F. Chan, G. H. Golub, R. J. LeVeque, "Updating Formulae and a Pairwise Algorithm for
    Computing Sample Variances", 1979: nothing is kept but the count and two vectors.

    Thread contract: belongs to one thread.
    """

    def __init__(self, columns: int) -> None:
        """Begin with nothing seen."""
        self.count = 0
        self.mean: Columns = np.zeros(columns, np.float64)
        self._squares: Columns = np.zeros(columns, np.float64)

    @classmethod
    def of(cls, count: int, mean: npt.ArrayLike, deviation: npt.ArrayLike) -> RunningStatistics:
        """Go on from statistics that were kept: of `count` tokens, two vectors [columns]."""
        kept = np.asarray(mean, np.float64)
        made = cls(len(kept))
        made.count, made.mean = count, kept.copy()
        made._squares = np.square(np.asarray(deviation, np.float64)) * count
        return made

    def add(self, tokens: npt.NDArray[np.floating[Any]]) -> None:
        """Take float [n, columns] more tokens."""
        if len(tokens) == 0:
            return
        wide = tokens.astype(np.float64)
        own = wide.mean(axis=0)
        count = self.count + len(wide)
        shift = own - self.mean
        self._squares = (
            self._squares
            + np.square(wide - own).sum(axis=0)
            + np.square(shift) * (self.count * len(wide) / count)
        )
        self.mean = self.mean + shift * (len(wide) / count)
        self.count = count

    @property
    def deviation(self) -> Columns:
        """Standard deviation of every column; zeros before the second token."""
        return np.asarray(np.sqrt(self._squares / max(self.count, 1)), np.float64)


def shrunken(
    seen: RunningStatistics,
    mean: Columns,
    deviation: Columns,
    *,
    prior_count: float,
    prior_weight: float,
) -> tuple[Columns, Columns]:
    """Draw what was seen of a person towards the population.

    With trust t = n / (n + prior_count) for n tokens the mean is
    ``population + t * (own - population)``; of the deviation, which little speech tells less well,
    the population also keeps `prior_weight`.

    Args:
        seen: of one person.
        mean: of the population, [columns].
        deviation: of the population, [columns].
        prior_count: tokens at which person and population weigh the same; 0 trusts any number.
        prior_weight: 0 to 1, what the population's deviation keeps however much is seen.

    Returns:
        Mean and deviation, float64 [columns] each.
    """
    trust = seen.count / (seen.count + prior_count) if seen.count else 0.0
    return (
        mean + trust * (seen.mean - mean),
        deviation + trust * (1 - prior_weight) * (seen.deviation - deviation),
    )


class SpeakerMap:
    """Moves one person's tokens to the population's place and scale.

    ``(x - person_mean) * (population_deviation / person_deviation) + population_mean`` in the
    columns that the bundle names; the others stay as they are.

    Thread contract: immutable.
    """

    def __init__(
        self,
        adaptation: SpeakerAdaptation,
        seen: RunningStatistics,
        width: int,
        note: str = "adapted to the speaker",
    ) -> None:
        """Work out scale and shift.

        Args:
            adaptation: of the bundle.
            seen: of the person, of the columns that the adaptation names.
            width: columns of a token.
            note: what a decision says of it.
        """
        self.note = note
        columns = np.array(adaptation.columns, np.int64)
        population = np.array(adaptation.mean), np.array(adaptation.deviation)
        mean, deviation = shrunken(
            seen,
            *population,
            prior_count=adaptation.prior_count,
            prior_weight=adaptation.prior_weight,
        )
        ratio = np.ones(len(columns))
        if adaptation.scale:
            usable = (deviation > _SMALLEST) & (population[1] > _SMALLEST)
            ratio[usable] = population[1][usable] / deviation[usable]
        self._scale = np.ones(width, np.float32)
        self._shift = np.zeros(width, np.float32)
        self._scale[columns] = ratio
        self._shift[columns] = population[0] - mean * ratio

    def __call__(self, tokens: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
        """Map float32 [n, width] tokens; they stay as they are, a copy is given."""
        return tokens * self._scale + self._shift
