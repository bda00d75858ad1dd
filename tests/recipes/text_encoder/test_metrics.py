"""Scores of multi-label predictions agree with scikit-learn; thresholds are found."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from sklearn.metrics import f1_score

from recipes.text_encoder.metrics import (
    apply_thresholds,
    bootstrap_interval,
    choose_thresholds,
    f1_per_label,
    macro_f1_at_chance,
)


@given(
    hnp.arrays(np.bool_, st.tuples(st.integers(1, 30), st.just(4))).flatmap(
        lambda a: st.tuples(st.just(a), hnp.arrays(np.bool_, a.shape))
    )
)
def test_f1_is_scikit_learns(pair: tuple[np.ndarray, np.ndarray]) -> None:
    predicted, truth = pair
    expected = f1_score(truth, predicted, average=None, zero_division=0)
    np.testing.assert_allclose(f1_per_label(predicted, truth.astype(float)), expected)


def test_thresholds_separate_what_can_be_separated() -> None:
    rng = np.random.default_rng(0)
    targets = (rng.random((4000, 3)) < [0.5, 0.1, 0.02]).astype(float)
    border = np.asarray([0.6, 0.3, 0.15])
    noise = rng.random(targets.shape)
    probabilities = np.where(targets > 0, border + (1 - border) * noise, border * noise * 0.95)
    thresholds = choose_thresholds(probabilities, targets)
    # Rows without a label are part of this test, so nothing is given its closest label here.
    predicted = probabilities >= thresholds
    assert (f1_per_label(predicted, targets) > 0.95)[:2].all()
    np.testing.assert_allclose(thresholds, border, atol=0.06)


def test_thresholds_beat_a_half_when_a_label_is_rare() -> None:
    rng = np.random.default_rng(1)
    targets = (rng.random((5000, 1)) < 0.03).astype(float)
    logit = -4.0 + 3.0 * targets + rng.normal(0, 1, targets.shape)
    probabilities = 1 / (1 + np.exp(-logit))
    chosen = f1_per_label(probabilities >= choose_thresholds(probabilities, targets), targets)
    half = f1_per_label(probabilities >= 0.5, targets)
    assert chosen[0] > half[0] + 0.05


def test_every_row_gets_a_label() -> None:
    probabilities = np.asarray([[0.1, 0.2], [0.6, 0.1], [0.45, 0.05]])
    chosen = apply_thresholds(probabilities, np.asarray([0.5, 0.3]))
    assert chosen.tolist() == [[False, True], [True, False], [True, False]]


def test_a_label_nobody_has_scores_zero_and_its_threshold_is_a_number() -> None:
    probabilities = np.full((5, 2), 0.4)
    targets = np.asarray([[1.0, 0.0]] * 5)
    thresholds = choose_thresholds(probabilities, targets)
    assert np.isfinite(thresholds).all()
    assert f1_per_label(probabilities > 0.9, targets)[1] == 0


def test_chance_is_the_share_of_each_label() -> None:
    rng = np.random.default_rng(2)
    share = np.asarray([0.5, 0.2, 0.05])
    targets = (rng.random((20000, 3)) < share).astype(float)
    # Guessing with frequency p what has frequency p: precision = recall = F1 = p.
    assert macro_f1_at_chance(targets, repeats=20) == pytest.approx(share.mean(), abs=0.01)


def test_the_interval_holds_the_score_and_narrows_with_more_data() -> None:
    rng = np.random.default_rng(3)
    targets = (rng.random((4000, 3)) < 0.3).astype(float)
    predicted = (targets > 0) ^ (rng.random(targets.shape) < 0.1)
    widths = []
    for count in (400, 4000):
        low, high = bootstrap_interval(predicted[:count], targets[:count], repeats=200)
        assert low < f1_per_label(predicted[:count], targets[:count]).mean() < high
        widths.append(high - low)
    assert widths[1] < 0.5 * widths[0]
