"""How probabilities are fitted to a site: from labelled clips, or from what is known of its mix.

All functions take calibrated logits: logarithms of the bundle's probabilities, float64 [n, labels].
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np
import numpy.typing as npt

from edge_ser.errors import ConfigError
from edge_ser.export.scoring.metrics import Labels, Probabilities
from edge_ser.export.scoring.temperature import LogitCalibration, Logits, fit_calibration

FEWEST_CLIPS: Final = 20
"""Labelled clips, or windows of unlabelled recordings, that a fit needs."""
USUAL_NEUTRAL_SHARE: Final = 0.5
"""Of what is said at a site that nobody describes; see `TRUST_UNTOLD`."""
TRUST_UNTOLD: Final = 0.5
"""How far a fit goes towards `USUAL_NEUTRAL_SHARE`."""

# A site is another place, with other microphones and habits: it may lie farther from the bundle
# than new people do, so the priors are wider than those of `edge_ser.export.scoring.temperature`.
_TEMPERATURE_SCALE: Final = 0.3
_BIAS_SCALE: Final = 1.0
_BOUND: Final = 12.0


def fit_labelled(logits: Logits, true: Labels, people: Sequence[str]) -> LogitCalibration:
    """Temperature and biases of labelled clips, as far as they prove them.

    Raises:
        ConfigError: if there are fewer than `FEWEST_CLIPS`.
    """
    return fit_calibration(
        logits,
        true,
        people,
        temperature_scale=_TEMPERATURE_SCALE,
        bias_scale=_BIAS_SCALE,
        # A label that does not occur in them is rare at the site; the prior says how far.
        fewest_of_a_label=0,
    )


def fit_neutral_share(logits: Logits, neutral: int, share: float | None) -> LogitCalibration:
    """A bias of neutral with which unlabelled windows are neutral as often as the site is.

    Args:
        logits: float64 [n, labels].
        neutral: number of the label.
        share: of what is said at the site, between 0 and 1; None where nobody knows, see
            `USUAL_NEUTRAL_SHARE`.

    Raises:
        ConfigError: if there are too few windows.
    """
    if len(logits) < FEWEST_CLIPS:
        raise ConfigError(f"{len(logits)} windows of speech are too few; {FEWEST_CLIPS} are needed")
    wanted = USUAL_NEUTRAL_SHARE if share is None else share
    low, high = -_BOUND, _BOUND
    for _ in range(60):
        middle = (low + high) / 2
        low, high = (middle, high) if _mean(logits, neutral, middle) < wanted else (low, middle)
    bias = np.zeros(logits.shape[1])
    bias[neutral] = middle * (TRUST_UNTOLD if share is None else 1.0)
    return LogitCalibration(1.0, tuple(map(float, bias - bias.mean())))


def estimated_mix(logits: Logits, pseudo_clips: float) -> npt.NDArray[np.float64]:
    """Shares of the labels by expectation maximisation (Saerens, Latinne, Decaestecker 2002).

    It holds where only the mix of labels differs. The probabilities of a corpus that was never seen
    lean towards some label, which looks the same: measured, and not used
    (`recipes.documents.site`).

    Args:
        logits: float64 [n, labels], of equally likely labels.
        pseudo_clips: of the equal mix that it starts from.
    """
    count = logits.shape[1]
    shares = np.full(count, 1 / count)
    for _ in range(200):
        expected = softmax(logits + np.log(shares)).sum(0)
        shares = (expected + pseudo_clips / count) / (len(logits) + pseudo_clips)
    return shares


def softmax(logits: Logits) -> Probabilities:
    """Probabilities [n, labels]."""
    raised = np.exp(logits - logits.max(1, keepdims=True))
    return np.asarray(raised / raised.sum(1, keepdims=True), np.float64)


def _mean(logits: Logits, neutral: int, bias: float) -> float:
    moved = logits.copy()
    moved[:, neutral] += bias
    return float(softmax(moved)[:, neutral].mean())
