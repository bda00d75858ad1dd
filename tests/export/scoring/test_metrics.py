from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from sklearn.metrics import balanced_accuracy_score, confusion_matrix, f1_score

from edge_ser.errors import ConfigError
from edge_ser.export.scoring.metrics import (
    brier_score,
    calibration_error,
    chance,
    multi_label_f1,
    negative_log_likelihood,
    reliability,
    score,
)
from edge_ser.export.scoring.temperature import confidence_for_coverage


def test_scores_agree_with_scikit_learn() -> None:
    generator = np.random.default_rng(0)
    true, predicted = generator.integers(0, 5, 400), generator.integers(0, 5, 400)
    found = score(predicted, true, 5)
    assert found.recall == pytest.approx(balanced_accuracy_score(true, predicted))
    assert found.f1 == pytest.approx(f1_score(true, predicted, average="macro"))
    assert np.array_equal(found.confusion, confusion_matrix(true, predicted))


def test_a_label_that_never_occurs_is_left_out() -> None:
    found = score(np.array([0, 1, 1]), np.array([0, 1, 0]), 3)
    assert found.recall == pytest.approx(0.75)
    assert np.isnan(found.per_label[2][1])


def test_what_does_not_fit_is_refused() -> None:
    for predicted, true in (([], []), ([0], [0, 1]), ([3], [0]), ([0], [-1])):
        with pytest.raises(ConfigError):
            score(np.array(predicted, np.int64), np.array(true, np.int64), 3)


def test_calibration_error_of_known_cases() -> None:
    sure = np.tile([0.8, 0.2], (1000, 1))
    true = np.array([0] * 800 + [1] * 200)
    assert calibration_error(sure, true) == pytest.approx(0.0, abs=1e-9)
    assert calibration_error(sure, np.zeros(1000, np.int64)) == pytest.approx(0.2)
    assert brier_score(np.array([[1.0, 0.0]]), np.array([1])) == pytest.approx(2.0)
    assert negative_log_likelihood(sure, np.zeros(1000, int)) == pytest.approx(-np.log(0.8))


def test_confidence_for_coverage() -> None:
    top = np.linspace(0.5, 1.0, 101)
    threshold = confidence_for_coverage(np.stack([top, 1 - top], 1), 0.8)
    assert threshold == pytest.approx(0.6)
    with pytest.raises(ConfigError):
        confidence_for_coverage(np.stack([top, 1 - top], 1), 0.0)


@given(
    hnp.arrays(np.bool_, st.tuples(st.integers(1, 30), st.just(4))).flatmap(
        lambda a: st.tuples(st.just(a), hnp.arrays(np.bool_, a.shape))
    )
)
def test_f1_is_scikit_learns(pair: tuple[np.ndarray, np.ndarray]) -> None:
    predicted, truth = pair
    expected = f1_score(truth, predicted, average=None, zero_division=0)
    np.testing.assert_allclose(multi_label_f1(predicted, truth), expected)


def test_multi_label_f1_takes_a_single_column() -> None:
    predicted = np.array([[True], [False], [True]])
    assert multi_label_f1(predicted, np.array([[True], [True], [False]])).tolist() == [0.5]


def test_chance_is_the_commonest_label_and_any_one_of_those_there() -> None:
    assert chance(np.array([0, 3, 3, 3, 1])) == (pytest.approx(0.6), pytest.approx(1 / 3))


def test_reliability_of_known_answers() -> None:
    sure = np.tile([0.8, 0.2], (10, 1))
    (one,) = (b for b in reliability(sure, np.array([0] * 7 + [1] * 3)) if b.clips)
    assert (one.clips, one.accuracy) == (10, pytest.approx(0.7))
    assert one.confidence == pytest.approx(0.8)
    assert one.low <= 0.8 < one.high
