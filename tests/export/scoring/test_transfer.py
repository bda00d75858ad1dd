"""Calibration on left-out corpora: it finds what was done to logits and keeps the promised risk."""

from __future__ import annotations

import numpy as np
import pytest

from edge_ser.bundles.schema import SubsetCalibration
from edge_ser.errors import ConfigError
from edge_ser.export.scoring.transfer import TransferCalibration, fit_transfer, risk_curve

LABELS, NEUTRAL = 4, 1


class Clips:
    """Labels drawn from known probabilities, whose logits were then spoilt."""

    def __init__(self, count: int, seed: int, temperature: float = 1.0, bias: float = 0.0) -> None:
        generator = np.random.default_rng(seed)
        honest = generator.normal(0, 1.5, (count, LABELS))
        chance = np.exp(honest) / np.exp(honest).sum(1, keepdims=True)
        drawn = (generator.random((count, 1)) > chance.cumsum(1)).sum(1)
        self.true = np.minimum(drawn, LABELS - 1).astype(np.int64)
        self.logits = honest.copy()
        self.logits[:, NEUTRAL] -= bias
        self.logits *= temperature


def test_temperature_and_neutral_bias_are_found_again() -> None:
    found = fit_transfer([Clips(20_000, s, 2.5, 0.8) for s in range(2)], NEUTRAL)
    assert found.temperature == pytest.approx(2.5, rel=0.05)
    assert found.neutral_bias == pytest.approx(0.8, abs=0.08)


def test_a_large_corpus_counts_no_more_than_a_small_one() -> None:
    sure, unsure = Clips(2_000, 0, 4.0), Clips(2_000, 1, 1.0)
    even = fit_transfer([sure, unsure], NEUTRAL).temperature
    many = Clips(1, 0)
    many.logits, many.true = np.tile(sure.logits, (9, 1)), np.tile(sure.true, 9)
    assert fit_transfer([many, unsure], NEUTRAL).temperature == pytest.approx(even, rel=1e-3)


def test_probabilities_are_those_of_the_calibration_and_the_logits_stay() -> None:
    logits = np.array([[2.0, 0.0, 0.0, 0.0]])
    given = logits.copy()
    made = TransferCalibration(2.0, 1.0, NEUTRAL).probabilities(logits)
    np.testing.assert_array_equal(logits, given)
    np.testing.assert_allclose(made[0, :2], 0.5 * 2 * np.e / (2 * np.e + 2) * np.ones(2))


def test_a_promised_risk_is_kept_on_clips_that_were_not_in_the_fit() -> None:
    corpora = [Clips(20_000, s, 2.0) for s in range(3)]
    calibration = fit_transfer(corpora[:2], NEUTRAL)
    answers = [(calibration.probabilities(c.logits), c.true) for c in corpora]
    threshold = risk_curve(answers[:2]).threshold(0.25)
    coverage, risk = risk_curve(answers[2:]).at(threshold)
    assert risk == pytest.approx(0.25, abs=0.02)
    assert 0.3 < coverage < 0.9


def test_a_risk_that_cannot_be_kept_answers_nothing_and_one_that_is_none_is_refused() -> None:
    one = Clips(50, 0)
    one.true = (one.logits.argmax(1) + 1) % LABELS
    plain = TransferCalibration(1.0, 0.0, NEUTRAL)
    curve = risk_curve([(plain.probabilities(one.logits), one.true)])
    assert curve.at(curve.threshold(0.3))[0] == 0.0
    assert curve.stated() == ()
    for risk in (0.0, 1.0, float("nan")):
        with pytest.raises(ConfigError, match="between 0 and 1"):
            curve.threshold(risk)
    with pytest.raises(ConfigError, match="needs at least one"):
        fit_transfer([], NEUTRAL)


def test_stated_risks_rise_their_confidences_fall_and_a_manifest_takes_them() -> None:
    one = Clips(3_000, 5)
    plain = TransferCalibration(1.0, 0.0, NEUTRAL)
    stated = risk_curve([(plain.probabilities(one.logits), one.true)]).stated()
    assert len(stated) >= 5
    assert SubsetCalibration(risks=stated).at_risk(0.3).minimum_confidence == dict(stated)[0.3]
