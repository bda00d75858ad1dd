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


def _balanced(true: Labels) -> npt.NDArray[np.float64]:
    """Weights that sum to 1, every label that occurs having the same share."""
    _, place, counts = np.unique(true, return_inverse=True, return_counts=True)
    return np.asarray(1.0 / counts[place] / len(counts), np.float64)
