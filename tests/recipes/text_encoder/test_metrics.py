"""Thresholds of multi-label predictions are found, and scores are what they say."""

from __future__ import annotations

import numpy as np
import pytest

from edge_ser.export.scoring.metrics import multi_label_f1
from recipes.text_encoder.metrics import (
    apply_thresholds,
    bootstrap_interval,
    choose_thresholds,
    macro_f1_at_chance,
)


def test_thresholds_separate_what_can_be_separated() -> None:
    rng = np.random.default_rng(0)
    targets = (rng.random((4000, 3)) < [0.5, 0.1, 0.02]).astype(float)
    border = np.asarray([0.6, 0.3, 0.15])
    noise = rng.random(targets.shape)
    probabilities = np.where(targets > 0, border + (1 - border) * noise, border * noise * 0.95)
    thresholds = choose_thresholds(probabilities, targets)
    # Rows without a label are part of this test, so nothing is given its closest label here.
    predicted = probabilities >= thresholds
    assert (multi_label_f1(predicted, targets > 0.5) > 0.95)[:2].all()
    np.testing.assert_allclose(thresholds, border, atol=0.06)


def test_thresholds_beat_a_half_when_a_label_is_rare() -> None:
    rng = np.random.default_rng(1)
    targets = (rng.random((5000, 1)) < 0.03).astype(float)
    logit = -4.0 + 3.0 * targets + rng.normal(0, 1, targets.shape)
    probabilities = 1 / (1 + np.exp(-logit))
    chosen = multi_label_f1(
        probabilities >= choose_thresholds(probabilities, targets), targets > 0.5
    )
    half = multi_label_f1(probabilities >= 0.5, targets > 0.5)
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
    assert multi_label_f1(probabilities > 0.9, targets > 0.5)[1] == 0


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
        assert low < multi_label_f1(predicted[:count], targets[:count] > 0.5).mean() < high
        widths.append(high - low)
    assert widths[1] < 0.5 * widths[0]
