"""Calibration on left-out corpora finds what was done to logits, and corpora count alike."""

from __future__ import annotations

import numpy as np
import pytest
from fixtures.drawn_answers import NEUTRAL, DrawnAnswers

from edge_ser.errors import ConfigError
from edge_ser.export.scoring.transfer import TransferCalibration, fit_transfer


def test_temperature_and_neutral_bias_are_found_again() -> None:
    found = fit_transfer([DrawnAnswers(20_000, s, 2.5, 0.8) for s in range(2)], NEUTRAL)
    assert found.temperature == pytest.approx(2.5, rel=0.05)
    assert found.neutral_bias == pytest.approx(0.8, abs=0.08)


def test_a_large_corpus_counts_no_more_than_a_small_one() -> None:
    sure, unsure = DrawnAnswers(2_000, 0, 4.0), DrawnAnswers(2_000, 1, 1.0)
    even = fit_transfer([sure, unsure], NEUTRAL).temperature
    many = DrawnAnswers(1, 0)
    many.logits, many.true = np.tile(sure.logits, (9, 1)), np.tile(sure.true, 9)
    assert fit_transfer([many, unsure], NEUTRAL).temperature == pytest.approx(even, rel=1e-3)


def test_probabilities_are_those_of_the_calibration_and_the_logits_stay() -> None:
    logits = np.array([[2.0, 0.0, 0.0, 0.0]])
    given = logits.copy()
    made = TransferCalibration(2.0, 1.0, NEUTRAL).probabilities(logits)
    np.testing.assert_array_equal(logits, given)
    np.testing.assert_allclose(made[0, :2], 0.5 * 2 * np.e / (2 * np.e + 2) * np.ones(2))


def test_without_a_corpus_nothing_is_fitted() -> None:
    with pytest.raises(ConfigError, match="needs at least one"):
        fit_transfer([], NEUTRAL)
