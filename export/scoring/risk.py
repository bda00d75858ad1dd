"""What abstaining brings: how many answers are given at a confidence, and how many are wrong."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from edge_ser.errors import ConfigError
from edge_ser.export.scoring.metrics import Labels, Probabilities

RISKS: Final = (0.05, 0.1, 0.15, 0.2, 0.25, 0.3, 0.35, 0.4, 0.45, 0.5)
"""Shares of wrong answers for which a bundle states from which confidence on they hold."""


_FEWEST: Final = 20
_LEAST_COVERAGE: Final = 0.05


@dataclass(frozen=True)
class RiskCurve:
    """What abstaining brings: one point for every confidence that occurs, from the surest on.

    Attributes:
        confidence: below which nothing is answered, falling.
        coverage: share of the clips that are answered, every corpus counting alike, rising.
        risk: share of the answers that are wrong.
    """

    confidence: npt.NDArray[np.float64]
    coverage: npt.NDArray[np.float64]
    risk: npt.NDArray[np.float64]

    def threshold(self, risk: float) -> float:
        """The lowest confidence at which at most this share of the answers is wrong.

        It is looked for from the highest coverage down; above 1 where none is low enough. Below 20
        clips, or a twentieth of them, a low risk is luck and does not count.

        Args:
            risk: between 0 and 1.

        Raises:
            ConfigError: if it is not.
        """
        if not 0.0 < risk < 1.0:
            raise ConfigError(f"a risk lies between 0 and 1, not {risk}")
        enough = (np.arange(len(self.risk)) >= _FEWEST - 1) & (self.coverage >= _LEAST_COVERAGE)
        low = np.flatnonzero((self.risk <= risk) & enough)
        return float(self.confidence[low[-1]]) if len(low) else 1.01

    def stated(self) -> tuple[tuple[float, float], ...]:
        """(Risk, confidence) for those of `RISKS` that any confidence keeps, as a manifest does."""
        found: list[tuple[float, float]] = []
        for risk in RISKS:
            confidence = self.threshold(risk)
            if confidence <= 1.0:
                found.append((risk, min([confidence, *(c for _, c in found)])))
        return tuple(found)

    def at(self, threshold: float) -> tuple[float, float]:
        """Coverage and risk of answering from a confidence on; risk is NaN where nothing is."""
        answered = np.flatnonzero(self.confidence >= threshold)
        if not len(answered):
            return 0.0, float("nan")
        return float(self.coverage[answered[-1]]), float(self.risk[answered[-1]])


def risk_curve(corpora: Sequence[tuple[Probabilities, Labels]]) -> RiskCurve:
    """Risk against coverage over corpora that count alike (Geifman and El-Yaniv, 2017).

    Args:
        corpora: probabilities [n, labels] and true labels [n] of each.
    """
    confidence = np.concatenate([p.max(1) for p, _ in corpora])
    wrong = np.concatenate([p.argmax(1) != true for p, true in corpora])
    share = np.concatenate([np.full(len(t), 1 / len(t)) for _, t in corpora]) / len(corpora)
    order = np.argsort(-confidence, kind="stable")
    coverage = np.cumsum(share[order])
    return RiskCurve(confidence[order], coverage, np.cumsum((share * wrong)[order]) / coverage)
