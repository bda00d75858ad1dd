"""Calibration for corpora that nobody has seen: fitted on answers for corpora that were left out.

Every corpus counts alike, and in it every label: how often a corpus holds a label says nothing of
the next one. Two numbers are fitted, since five corpora prove no more: a temperature, and how much
likelier or less likely the neutral label is than the model says.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import numpy.typing as npt
import torch

from edge_ser.errors import ConfigError
from edge_ser.export.scoring.metrics import Labels, Probabilities

Logits = npt.NDArray[np.float64]


RISKS = (0.05, 0.1, 0.15, 0.2, 0.25, 0.3, 0.35, 0.4, 0.45, 0.5)
"""Shares of wrong answers for which a bundle states from which confidence on they hold."""


class Answered(Protocol):
    """Logits float64 [n, labels] and true labels int64 [n] of one corpus."""

    @property
    def logits(self) -> Logits:
        """From a model that never saw the corpus."""

    @property
    def true(self) -> Labels:
        """What they should have said."""


@dataclass(frozen=True)
class TransferCalibration:
    """Probabilities are softmax(logits / temperature + bias), the bias of neutral alone."""

    temperature: float
    neutral_bias: float
    neutral: int
    """Number of the neutral label."""

    def probabilities(self, logits: Logits) -> Probabilities:
        """Of logits float64 [n, labels]."""
        scaled = logits / self.temperature
        scaled[:, self.neutral] += self.neutral_bias
        scaled = np.exp(scaled - scaled.max(1, keepdims=True))
        return np.asarray(scaled / scaled.sum(1, keepdims=True), np.float64)


def fit_transfer(corpora: Sequence[Answered], neutral: int) -> TransferCalibration:
    """The temperature and the bias of the lowest negative log-likelihood over corpora.

    Args:
        corpora: answers of models that had not seen them.
        neutral: number of the neutral label.

    Raises:
        ConfigError: if there is no corpus, or one is empty.
    """
    if not corpora or not all(len(c.true) for c in corpora):
        raise ConfigError("a calibration for unseen corpora needs at least one, with clips")
    logits = torch.from_numpy(np.concatenate([c.logits for c in corpora]))
    true = torch.from_numpy(np.concatenate([c.true for c in corpora]))
    weights = torch.from_numpy(np.concatenate([_balanced(c.true) for c in corpora])) / len(corpora)
    is_neutral = torch.zeros(logits.shape[1], dtype=torch.float64)
    is_neutral[neutral] = 1.0
    found = torch.zeros(2, dtype=torch.float64, requires_grad=True)
    optimizer = torch.optim.LBFGS([found], max_iter=100, line_search_fn="strong_wolfe")

    def closure() -> torch.Tensor:
        optimizer.zero_grad()
        scaled = logits * torch.exp(-found[0]) + found[1] * is_neutral
        likely = torch.log_softmax(scaled, 1).gather(1, true[:, None])[:, 0]
        loss = -(weights * likely).sum()
        loss.backward()  # type: ignore[no-untyped-call]
        return loss

    optimizer.step(closure)  # type: ignore[no-untyped-call]
    log_temperature, bias = found.detach().tolist()
    return TransferCalibration(float(np.exp(log_temperature)), float(bias), neutral)


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

        It is looked for from the highest coverage down; above 1 where none is low enough.

        Args:
            risk: between 0 and 1.

        Raises:
            ConfigError: if it is not.
        """
        if not 0.0 < risk < 1.0:
            raise ConfigError(f"a risk lies between 0 and 1, not {risk}")
        low = np.flatnonzero(self.risk <= risk)
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
    """Risk against coverage over corpora that count alike (El-Yaniv and Wiener, 2010).

    Args:
        corpora: probabilities [n, labels] and true labels [n] of each.
    """
    confidence = np.concatenate([p.max(1) for p, _ in corpora])
    wrong = np.concatenate([p.argmax(1) != true for p, true in corpora])
    share = np.concatenate([np.full(len(t), 1 / len(t)) for _, t in corpora]) / len(corpora)
    order = np.argsort(-confidence, kind="stable")
    coverage = np.cumsum(share[order])
    return RiskCurve(confidence[order], coverage, np.cumsum((share * wrong)[order]) / coverage)


def _balanced(true: Labels) -> npt.NDArray[np.float64]:
    """Weights that sum to 1, every label that occurs having the same share."""
    _, place, counts = np.unique(true, return_inverse=True, return_counts=True)
    return np.asarray(1.0 / counts[place] / len(counts), np.float64)
