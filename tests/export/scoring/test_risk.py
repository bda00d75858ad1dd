"""A promised risk holds for clips that were not in the measurement; what cannot be kept is not."""

from __future__ import annotations

import pytest
from fixtures.drawn_answers import LABELS, NEUTRAL, DrawnAnswers

from edge_ser.bundles.schema import SubsetCalibration
from edge_ser.errors import ConfigError
from edge_ser.export.scoring.risk import risk_curve
from edge_ser.export.scoring.transfer import TransferCalibration, fit_transfer


def test_a_promised_risk_is_kept_on_clips_that_were_not_in_the_fit() -> None:
    corpora = [DrawnAnswers(20_000, s, 2.0) for s in range(3)]
    calibration = fit_transfer(corpora[:2], NEUTRAL)
    answers = [(calibration.probabilities(c.logits), c.true) for c in corpora]
    threshold = risk_curve(answers[:2]).threshold(0.25)
    coverage, risk = risk_curve(answers[2:]).at(threshold)
    assert risk == pytest.approx(0.25, abs=0.02)
    assert 0.3 < coverage < 0.9


def test_a_risk_that_cannot_be_kept_answers_nothing_and_one_that_is_none_is_refused() -> None:
    one = DrawnAnswers(50, 0)
    one.true = (one.logits.argmax(1) + 1) % LABELS
    plain = TransferCalibration(1.0, 0.0, NEUTRAL)
    curve = risk_curve([(plain.probabilities(one.logits), one.true)])
    assert curve.at(curve.threshold(0.3))[0] == 0.0
    assert curve.stated() == ()
    for risk in (0.0, 1.0, float("nan")):
        with pytest.raises(ConfigError, match="between 0 and 1"):
            curve.threshold(risk)


def test_stated_risks_rise_their_confidences_fall_and_a_manifest_takes_them() -> None:
    one = DrawnAnswers(3_000, 5)
    plain = TransferCalibration(1.0, 0.0, NEUTRAL)
    stated = risk_curve([(plain.probabilities(one.logits), one.true)]).stated()
    assert len(stated) >= 5
    assert SubsetCalibration(risks=stated).at_risk(0.3).minimum_confidence == dict(stated)[0.3]
