"""Temperature and bias of logits, fitted so that they hold for people who were not in the fit.

Temperature scaling and vector scaling: Guo et al., "On Calibration of Modern Neural Networks",
2017. Why the fit is held back, and how its constants were chosen: docs/calibration.md.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from edge_ser.errors import ConfigError
from edge_ser.export.scoring.metrics import Labels, Probabilities

Logits = npt.NDArray[np.float64]

LOWEST, HIGHEST = 0.05, 20.0

LIKENESS: Final = 0.1
"""Intraclass correlation of a person's clips: m clips of one person count as
m / (1 + (m - 1) * LIKENESS) independent ones (Kish's design effect)."""
TEMPERATURE_SCALE: Final = 0.1
BIAS_SCALE: Final = 0.3
"""Scales of the Cauchy priors of the logarithm of the temperature and of each bias: little
evidence leaves them near 0, much evidence moves them as far as it says."""
FEWEST_OF_A_LABEL: Final = 5
"""With fewer clips of some label no bias is fitted: it would say that the label never occurs."""

_STEPS: Final = 200
_CLOSE: Final = 1e-9


@dataclass(frozen=True)
class LogitCalibration:
    """Probabilities are softmax(logits / temperature + bias)."""

    temperature: float
    bias: tuple[float, ...]
    """One for each label, their mean is 0; empty where none was fitted."""


def confidence_for_coverage(probabilities: Probabilities, coverage: float) -> float:
    """The confidence below which to abstain so that `coverage` of the items are answered."""
    if not 0.0 < coverage <= 1.0:
        raise ConfigError(f"the coverage must lie above 0 and at most at 1, not {coverage}")
    return float(np.quantile(probabilities.max(1), 1.0 - coverage))


def fit_calibration(
    logits: Logits,
    true: Labels,
    people: Sequence[str],
    *,
    evidence: float = 1.0,
    with_bias: bool = True,
    temperature_scale: float = TEMPERATURE_SCALE,
    bias_scale: float = BIAS_SCALE,
    fewest_of_a_label: int = FEWEST_OF_A_LABEL,
) -> LogitCalibration:
    """The likeliest temperature and biases, as far as so many people prove them.

    What a few people show does not hold for others: clips of one person count less than clips of as
    many people, and priors hold temperature and biases near 1 and 0 until there is evidence.

    Args:
        logits: float64 [n, labels].
        true: int64 [n].
        people: [n]; who each clip is of.
        evidence: what each clip counts, above 0: less than 1 for people who are not quite held out,
            for instance because they chose the model.
        with_bias: whether to fit biases, where every label has `fewest_of_a_label` clips.
        temperature_scale: see `TEMPERATURE_SCALE`.
        bias_scale: see `BIAS_SCALE`.
        fewest_of_a_label: see `FEWEST_OF_A_LABEL`.

    Raises:
        ConfigError: if there are fewer than 20 items, or the lengths do not fit.
    """
    if not len(logits) == len(true) == len(people):
        raise ConfigError(f"{len(logits)} logits, {len(true)} labels and {len(people)} people")
    if len(true) < 20:
        raise ConfigError(f"{len(true)} items are too few to fit a calibration; 20 are needed")
    _, who, clips = np.unique(np.asarray(people), return_inverse=True, return_counts=True)
    weights = np.asarray(evidence / (1 + (clips[who] - 1) * LIKENESS), np.float64)
    count = logits.shape[1]
    biased = with_bias and np.bincount(true, minlength=count).min() >= fewest_of_a_label
    scales = np.array([temperature_scale, *[bias_scale] * count])
    posterior = _Posterior(logits, true, weights, scales, biased=bool(biased))
    # A Cauchy prior may leave two hills: one near its middle, one where the data are likeliest.
    starts = (np.zeros(1 + count), posterior.climb(np.zeros(1 + count), flat=True))
    best = min((posterior.climb(start) for start in starts), key=posterior.loss)
    bias = best[1:] - best[1:].mean()
    return LogitCalibration(float(np.exp(best[0])), tuple(map(float, bias)) if biased else ())


class _Posterior:
    """Minus the logarithm of the posterior of (log temperature, biases) and its way down."""

    def __init__(
        self,
        logits: Logits,
        true: Labels,
        weights: npt.NDArray[np.float64],
        scales: npt.NDArray[np.float64],
        *,
        biased: bool,
    ) -> None:
        count = logits.shape[1]
        self._logits = logits
        self._wanted = np.eye(count)[true]
        self._weights = weights
        self._scales = scales
        self._free = np.arange(1 + (count if biased else 0))

    def loss(self, at: npt.NDArray[np.float64], *, flat: bool = False) -> float:
        scaled = self._scaled(at)
        shifted = scaled - scaled.max(1, keepdims=True)
        likely = (shifted * self._wanted).sum(1) - np.log(np.exp(shifted).sum(1))
        prior = 0.0 if flat else float(np.log1p(np.square(at / self._scales)).sum())
        return float(-(self._weights * likely).sum()) + prior

    def climb(
        self, start: npt.NDArray[np.float64], *, flat: bool = False
    ) -> npt.NDArray[np.float64]:
        """Fisher scoring with backtracking: every step lowers the loss."""
        at, loss = start.copy(), self.loss(start, flat=flat)
        for _ in range(_STEPS):
            step = self._step(at, flat)
            size = 1.0
            while size > _CLOSE:
                there = at - size * step
                there[0] = np.clip(there[0], np.log(LOWEST), np.log(HIGHEST))
                below = self.loss(there, flat=flat)
                if below < loss:
                    break
                size /= 2
            else:
                break
            won, at, loss = loss - below, there, below
            if won < _CLOSE:
                break
        return np.asarray(at, np.float64)

    def _scaled(self, at: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        return np.asarray(self._logits * np.exp(-at[0]) + at[1:])

    def _step(self, at: npt.NDArray[np.float64], flat: bool) -> npt.NDArray[np.float64]:
        scaled = self._scaled(at)
        shares = np.exp(scaled - scaled.max(1, keepdims=True))
        shares /= shares.sum(1, keepdims=True)
        error = self._weights[:, None] * (shares - self._wanted)
        # Change of the scaled logits with the logarithm of the temperature.
        slope = -self._logits * np.exp(-at[0])
        gradient = np.concatenate([[float((error * slope).sum())], error.sum(0)])
        weighted = self._weights[:, None] * shares
        mean = (shares * slope).sum(1, keepdims=True)
        information = np.empty((len(at), len(at)))
        information[1:, 1:] = np.diag(weighted.sum(0)) - weighted.T @ shares
        information[0, 0] = float((weighted * np.square(slope - mean)).sum())
        information[0, 1:] = information[1:, 0] = (weighted * (slope - mean)).sum(0)
        square = np.square(self._scales) + np.square(at)
        # Without a prior a common change of all biases is free: a touch of one keeps them in place.
        gradient += 1e-6 * at if flat else 2 * at / square
        information += np.diag(np.full(len(at), 1e-6) if flat else 2 / square)
        free = self._free
        step = np.zeros_like(at)
        step[free] = np.linalg.solve(information[np.ix_(free, free)], gradient[free])
        return step
