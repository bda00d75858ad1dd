"""Errors and calibration of the pitch kernel on speech it was not fitted on."""

from __future__ import annotations

import numpy as np
import pytest

from recipes.pitch_scorer.corpus import true_f0
from recipes.pitch_scorer.judge import calibration_error, judge, verdict
from recipes.pitch_scorer.synthetic_speech import Utterance


def test_calibration_error_of_known_probabilities() -> None:
    voiced = np.array([True] * 8 + [False] * 2)
    assert calibration_error(np.full(10, 0.8), voiced) == pytest.approx(0.0)
    assert calibration_error(np.full(10, 0.55), voiced) == pytest.approx(0.25)
    assert calibration_error(np.zeros(0), np.zeros(0, bool)) == 0.0


def test_a_verdict_counts_voicing_and_gross_errors() -> None:
    truth = np.array([100, 100, 100, 0, 0], np.float32)
    frames = np.zeros((5, 4), np.float32)
    frames[:, 0] = [100, 50, 0, 0, 80]
    frames[:, 2] = frames[:, 0] > 0
    result = verdict(frames, truth)
    assert result.voicing_decision_error == pytest.approx(2 / 5)
    assert result.gross_pitch_error == pytest.approx(1 / 2)
    assert result.median_cents == 0.0


def test_truth_outside_the_utterance_is_unvoiced() -> None:
    speech = Utterance(np.zeros(800), np.full(800, 120.0), np.ones(800, bool))
    assert true_f0(speech, -3, 8).tolist() == [0, 0, 120, 120, 120, 120, 120, 0]


def test_the_kernel_keeps_its_accuracy_and_calibration_on_unseen_speech() -> None:
    result = judge(utterances=8, stream=9)
    assert result.voicing_decision_error < 0.08
    assert result.gross_pitch_error < 0.05
    assert result.calibration_error < 0.05
