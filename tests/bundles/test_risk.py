"""A caller's risk chooses a threshold that the bundle measured, and nothing that it did not."""

from __future__ import annotations

import json
import math
import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from fixtures.bundle_factory import make_bundle
from pydantic import ValidationError

from edge_ser import Decision, EdgeRecognizer
from edge_ser.bundles.schema import SubsetCalibration
from edge_ser.cli.main import main
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


def _with_risks(manifest: dict[str, Any]) -> None:
    for own in manifest["calibration"].values():
        own["risks"] = [[0.2, 0.999999], [0.4, 0.0]]


def test_a_recognizer_abstains_as_its_risk_says_also_in_another_process(tmp_path: Path) -> None:
    bundle = make_bundle(tmp_path / "bundle", _with_risks)
    samples = np.random.default_rng(0).normal(0, 0.05, 32000).astype(np.float32)

    def decide(risk: float | None) -> Decision:
        with EdgeRecognizer(bundle, risk=risk) as recognizer:
            again = pickle.loads(pickle.dumps(recognizer))  # noqa: S301
        with again:
            return again.recognize((samples, 16000), "I am so happy", speech_gate=False)

    for strict in (0.2, 0.01):
        decision = decide(strict)
        assert decision.abstained
        assert "is needed" in (decision.abstain_reason or "")
    assert not decide(0.4).abstained
    assert decide(None).probabilities == decide(0.01).probabilities


def test_a_risk_is_asked_for_on_the_command_line(
    tmp_path: Path, demo_clip: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    bundle = make_bundle(tmp_path / "bundle", _with_risks)
    asked = ["recognize", str(demo_clip), "--bundle", str(bundle), "--json", "--risk"]
    abstained = {}
    for risk in ("0.3", "0.4"):
        with pytest.raises(SystemExit) as stopped:
            main([*asked, risk])
        assert stopped.value.code == 0
        abstained[risk] = json.loads(capsys.readouterr().out)["abstained"]
    assert abstained == {"0.3": True, "0.4": False}
    with pytest.raises(SystemExit) as stopped:
        main([*asked, "35"])
    assert stopped.value.code == 2
    assert "between 0 and 1" in capsys.readouterr().err
