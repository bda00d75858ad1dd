"""A caller's risk chooses a threshold that the bundle measured, and nothing that it did not."""

from __future__ import annotations

import math
import pickle

import numpy as np
import pytest
from pydantic import ValidationError

from edge_ser import EdgeRecognizer
from edge_ser.bundles.loading import load_bundle
from edge_ser.bundles.schema import SubsetCalibration
from edge_ser.errors import ConfigError

STATED = SubsetCalibration(minimum_confidence=0.5, risks=((0.2, 0.9), (0.3, 0.7), (0.4, 0.7)))


@pytest.mark.parametrize(("risk", "confidence"), [(0.2, 0.9), (0.29, 0.9), (0.3, 0.7), (0.99, 0.7)])
def test_the_largest_stated_risk_that_is_no_larger_counts(risk: float, confidence: float) -> None:
    assert STATED.at_risk(risk).minimum_confidence == confidence


def test_below_the_lowest_stated_risk_nothing_is_answered() -> None:
    assert STATED.at_risk(0.1).minimum_confidence > 1.0


@pytest.mark.parametrize("risk", [0.0, 1.0, -0.2, 35, math.nan, True, "0.3"])
def test_what_is_no_risk_is_refused(risk: float) -> None:
    with pytest.raises(ConfigError, match="between 0 and 1"):
        STATED.at_risk(risk)


def test_a_bundle_without_risks_says_so() -> None:
    with pytest.raises(ConfigError, match="states no risks"):
        SubsetCalibration().at_risk(0.3)


@pytest.mark.parametrize(
    "risks",
    [((0.3, 0.5), (0.2, 0.6)), ((0.2, 0.5), (0.3, 0.6)), ((0.0, 0.5),), ((0.2, math.nan),)],
)
def test_risks_that_mean_nothing_are_no_calibration(risks: tuple[tuple[float, float], ...]) -> None:
    with pytest.raises(ValidationError):
        SubsetCalibration(risks=risks)


def test_the_shipped_bundle_abstains_more_at_a_lower_risk_and_a_process_pool_keeps_it() -> None:
    calibration = load_bundle().manifest.calibration
    lowest = {subset: own.risks[0][0] for subset, own in calibration.items()}
    highest = max(lowest.values())
    confidences = [own.at_risk(highest).minimum_confidence for own in calibration.values()]
    assert all(0 < c <= 1 for c in confidences)
    with EdgeRecognizer(risk=0.01) as strict:
        again = pickle.loads(pickle.dumps(strict))  # noqa: S301
    generator = np.random.default_rng(0)
    samples = generator.normal(0, 0.05, 32000).astype(np.float32)
    with again:
        decision = again.recognize((samples, 16000), "I am so happy", speech_gate=False)
    assert decision.abstained
    assert "is needed" in (decision.abstain_reason or "")
