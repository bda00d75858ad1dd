from __future__ import annotations

import numpy as np
import pytest

from edge_ser.errors import ConfigError
from edge_ser.export.comparison.gate import judge
from edge_ser.export.trials.answers import Predictions


def _predictions(labels: np.ndarray, people: int = 10, confidence: float = 0.8) -> Predictions:
    """Answers that name `labels`; the truth of clip i is i modulo 4."""
    count = len(labels)
    probabilities = np.full((count, 4), (1 - confidence) / 3)
    probabilities[np.arange(count), labels] = confidence
    speakers = tuple(f"p{i % people}" for i in range(count))
    return Predictions(probabilities, np.arange(count, dtype=np.int64) % 4, speakers)


def _answers(wrong: int, count: int = 400) -> np.ndarray:
    labels = np.arange(count) % 4
    labels[:wrong] = (labels[:wrong] + 1) % 4
    return labels


def test_the_same_answers_pass_and_are_proven() -> None:
    same = _predictions(_answers(80))
    verdict = judge(same, same, "fp16")
    assert verdict.passed
    assert verdict.proven
    assert verdict.agreement == 1.0
    assert (verdict.clips, verdict.people) == (400, 10)
    assert all((loss.loss, loss.low, loss.high) == (0, 0, 0) for loss in verdict.losses)


def test_one_point_is_within_int8_and_not_within_fp16() -> None:
    before, after = _predictions(_answers(80)), _predictions(_answers(84))
    assert judge(before, after, "int8").losses[0].loss == pytest.approx(0.01)
    assert judge(before, after, "int8").losses[0].metric == "accuracy"
    assert not judge(before, after, "fp16").passed


def test_a_loss_over_the_bound_fails() -> None:
    verdict = judge(_predictions(_answers(80)), _predictions(_answers(96)), "int8")
    assert not verdict.passed
    assert not verdict.proven
    assert str(verdict) == "FAILED"
    assert verdict.agreement == pytest.approx(0.96)


def test_a_gain_passes() -> None:
    verdict = judge(_predictions(_answers(96)), _predictions(_answers(80)), "fp16")
    assert verdict.losses[0].loss < 0
    assert verdict.losses[1].loss < 0


def test_probabilities_that_became_overconfident_fail_though_no_label_changed() -> None:
    before = _predictions(_answers(80), confidence=0.8)
    after = _predictions(_answers(80), confidence=0.95)
    verdict = judge(before, after, "int8")
    assert verdict.agreement == 1.0
    assert verdict.losses[0].loss == 0
    assert verdict.losses[2].loss == pytest.approx(0.15, abs=1e-9)
    assert not verdict.passed


def test_few_people_make_a_wide_interval_that_proves_nothing() -> None:
    labels = np.arange(40) % 4
    after = labels.copy()
    before = labels.copy()
    before[0] = after[1] = (labels[0] + 2) % 4
    verdict = judge(_predictions(before, people=4), _predictions(after, people=4), "int8")
    accuracy = verdict.losses[0]
    assert accuracy.loss == 0
    assert accuracy.low < 0 < accuracy.high
    assert not verdict.proven


def test_other_clips_cannot_be_compared() -> None:
    few, many = _predictions(_answers(1, 40)), _predictions(_answers(1, 44))
    with pytest.raises(ConfigError, match="same clips"):
        judge(few, many, "int8")
    with pytest.raises(ConfigError, match="no precision 'int4'"):
        judge(few, few, "int4")
