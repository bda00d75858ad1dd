"""Temperature scaling (Guo et al., "On Calibration of Modern Neural Networks", 2017)."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from edge_ser.errors import ConfigError
from edge_ser.export.evaluation.metrics import Labels, Probabilities, negative_log_likelihood

Logits = npt.NDArray[np.float64]

LOWEST, HIGHEST = 0.05, 20.0


def probabilities_at(logits: Logits, temperature: float) -> Probabilities:
    """Softmax of logits [n, labels] divided by the temperature."""
    scaled = logits / temperature
    scaled = np.exp(scaled - scaled.max(1, keepdims=True))
    return np.asarray(scaled / scaled.sum(1, keepdims=True), np.float64)


def fit_temperature(logits: Logits, true: Labels) -> float:
    """The temperature of the lowest negative log-likelihood, between 0.05 and 20.

    The likelihood has one minimum over the logarithm of the temperature: it is found by golden
    section to a relative 1e-4.

    Raises:
        ConfigError: if there are fewer than 20 items.
    """
    if len(true) < 20:
        raise ConfigError(f"{len(true)} items are too few to fit a temperature; 20 are needed")
    low, high = float(np.log(LOWEST)), float(np.log(HIGHEST))
    golden = (5**0.5 - 1) / 2

    def loss(log_temperature: float) -> float:
        answer = probabilities_at(logits, float(np.exp(log_temperature)))
        return negative_log_likelihood(answer, true)

    first, second = high - golden * (high - low), low + golden * (high - low)
    at_first, at_second = loss(first), loss(second)
    while high - low > 1e-4:
        if at_first <= at_second:
            high, second, at_second = second, first, at_first
            first = high - golden * (high - low)
            at_first = loss(first)
        else:
            low, first, at_first = first, second, at_second
            second = low + golden * (high - low)
            at_second = loss(second)
    return float(np.exp((low + high) / 2))


def confidence_for_coverage(probabilities: Probabilities, coverage: float) -> float:
    """The confidence below which to abstain so that `coverage` of the items are answered."""
    if not 0.0 < coverage <= 1.0:
        raise ConfigError(f"the coverage must lie above 0 and at most at 1, not {coverage}")
    return float(np.quantile(probabilities.max(1), 1.0 - coverage))
