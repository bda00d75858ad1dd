"""Windows merge into one decision for a long clip without inventing certainty."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from edge_ser.constants import MODALITIES
from edge_ser.pipeline.decide import merge
from edge_ser.pipeline.timing import StageTimer
from edge_ser.result import BundleReference, Decision, ModalityReport, Window

LABELS = ("neutral", "happy")
REFERENCE = BundleReference("test", "0.0.1", "0" * 64)
BUNDLE: Any = SimpleNamespace(manifest=SimpleNamespace(labels=LABELS), reference=REFERENCE)


def _decision(
    happy: float, start: int, end: int, *, abstained: bool = False, present: bool = True
) -> Decision:
    report = ModalityReport(
        present=present,
        contribution=1.0 if present else None,
        reason=None if present else "digital silence",
    )
    absent = ModalityReport(present=False, reason="no transcript")
    label = "happy" if happy > 0.5 else "neutral"
    return Decision(
        label=None if abstained else label,
        probabilities={"neutral": 1 - happy, "happy": happy},
        modalities={m: report if m == "audio" else absent for m in MODALITIES},
        abstained=abstained,
        abstain_reason="too little evidence" if abstained else None,
        window=Window(start, end),
        bundle=REFERENCE,
    )


def test_one_window_is_the_clip() -> None:
    merged = merge(BUNDLE, [_decision(0.9, 0, 100)], StageTimer())
    assert merged.probabilities["happy"] == 0.9
    assert merged.timing_ms["total"] >= 0


def test_windows_count_by_their_length() -> None:
    merged = merge(BUNDLE, [_decision(0.9, 0, 300), _decision(0.1, 300, 400)], StageTimer())
    assert merged.probabilities["happy"] == pytest.approx(0.7)
    assert merged.label == "happy"
    assert merged.window == Window(0, 400)


def test_windows_that_abstained_do_not_dilute_those_that_decided() -> None:
    windows = [_decision(0.9, 0, 100), _decision(0.5, 100, 900, abstained=True)]
    merged = merge(BUNDLE, windows, StageTimer())
    assert merged.probabilities["happy"] == pytest.approx(0.9)
    assert not merged.abstained


def test_when_every_window_abstains_so_does_the_clip() -> None:
    windows = [_decision(0.6, i, i + 1, abstained=True) for i in range(3)]
    merged = merge(BUNDLE, windows, StageTimer())
    assert merged.label is None
    assert merged.abstained
    assert "every one of 3 windows" in (merged.abstain_reason or "")
    assert "too little evidence" in (merged.abstain_reason or "")


def test_a_modality_that_was_there_at_times_says_how_often_it_was_not() -> None:
    windows = [
        _decision(0.9, 0, 100),
        _decision(0.5, 100, 200, abstained=True, present=False),
    ]
    report = merge(BUNDLE, windows, StageTimer()).modalities["audio"]
    assert report.present
    assert report.notes == ("absent in 1 of 2 windows: digital silence",)


def test_a_clip_without_evidence_abstains_with_equal_probabilities() -> None:
    windows = [_decision(0.5, i, i + 1, abstained=True, present=False) for i in range(2)]
    merged = merge(BUNDLE, windows, StageTimer())
    assert merged.label is None
    assert set(merged.probabilities.values()) == {0.5}
    assert merged.modalities["audio"].reason == "digital silence"


def test_decisions_are_json() -> None:
    text = _decision(0.9, 0, 16000).to_json()
    assert '"label": "happy"' in text
    assert '"end_seconds": 1.0' in text
