"""A site's calibration: what few clips prove, and what a stated share of neutral does."""

from __future__ import annotations

import numpy as np
import pytest

from edge_ser.calibration.site.fitting import (
    estimated_mix,
    fit_labelled,
    fit_neutral_share,
    softmax,
)
from edge_ser.errors import ConfigError
from edge_ser.export.scoring.metrics import negative_log_likelihood

NEUTRAL = 0


def _site(clips: int, neutral: float, lean: float = 1.0, seed: int = 0):
    """Logits of a model that leans away from neutral at a site where much is neutral."""
    generator = np.random.default_rng(seed)
    shares = np.array([neutral, *[(1 - neutral) / 3] * 3])
    true = generator.choice(4, clips, p=shares)
    logits = generator.normal(0, 1.0, (clips, 4))
    logits[np.arange(clips), true] += 1.5
    logits[:, NEUTRAL] -= lean
    return logits, true


@pytest.mark.parametrize("neutral", [0.25, 0.8])
def test_twenty_labelled_clips_mend_what_a_site_changes(neutral: float) -> None:
    logits, true = _site(2000, neutral, seed=1)
    before = negative_log_likelihood(softmax(logits), true)
    few, labels = _site(20, neutral, seed=2)
    fitted = fit_labelled(few, labels, [f"p{i}" for i in range(20)])
    moved = softmax(logits / fitted.temperature + np.asarray(fitted.bias))
    assert negative_log_likelihood(moved, true) < before - 0.05
    assert sum(fitted.bias) == pytest.approx(0.0, abs=1e-9)


def test_clips_of_one_person_prove_less_than_clips_of_many() -> None:
    logits, true = _site(30, 0.9)
    alone = fit_labelled(logits, true, ["ada"] * 30)
    many = fit_labelled(logits, true, [f"p{i}" for i in range(30)])
    assert abs(alone.bias[NEUTRAL]) < abs(many.bias[NEUTRAL])


@pytest.mark.parametrize("share", [0.2, 0.6, 0.9])
def test_windows_are_neutral_as_often_as_the_site_is_said_to_be(share: float) -> None:
    logits, _ = _site(100, share)
    fitted = fit_neutral_share(logits, NEUTRAL, share)
    assert softmax(logits + np.asarray(fitted.bias))[:, NEUTRAL].mean() == pytest.approx(share)
    # The other labels keep their odds among each other.
    assert len(set(np.round(fitted.bias[1:], 12))) == 1
    half = fit_neutral_share(logits, NEUTRAL, None)
    wanted = fit_neutral_share(logits, NEUTRAL, 0.5)
    np.testing.assert_allclose(np.asarray(half.bias) * 2, wanted.bias, atol=1e-9)


def test_a_model_that_leans_misleads_the_estimated_mix() -> None:
    """Why a site's mix is asked for: leaning looks like a site where neutral is rare."""
    fair, _ = _site(3000, 0.6, lean=0.0)
    leaning, _ = _site(3000, 0.6, lean=2.0)
    assert estimated_mix(fair, 10.0)[NEUTRAL] == pytest.approx(0.6, abs=0.12)
    assert estimated_mix(leaning, 10.0)[NEUTRAL] < 0.4


def test_too_little_is_refused() -> None:
    logits, true = _site(19, 0.5)
    with pytest.raises(ConfigError, match="20 are needed"):
        fit_neutral_share(logits, NEUTRAL, 0.5)
    with pytest.raises(ConfigError, match="20 are needed"):
        fit_labelled(logits, true, ["a"] * 19)
