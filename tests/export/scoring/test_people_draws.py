"""Intervals draw people, and gaps between groups are held against chance."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge_ser.export.scoring.group_gap import sex_gap, speaker_gap
from edge_ser.export.scoring.metrics import (
    calibration_columns,
    calibration_error,
    calibration_figure,
    score,
)
from edge_ser.export.scoring.people_draws import (
    accuracy_figure,
    confusion_columns,
    difference_interval,
    draw_people,
    f1_figure,
    precision_figure,
    recall_figure,
)


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 10_000), st.integers(1, 60), st.integers(2, 7))
def test_figures_of_sums_are_the_metrics(seed: int, count: int, labels: int) -> None:
    rng = np.random.default_rng(seed)
    probabilities = rng.dirichlet(np.ones(labels), count)
    true = rng.integers(0, labels, count)
    answered = probabilities.argmax(1)
    expected = score(answered, true, labels)
    sums = confusion_columns(answered, true, labels).sum(0, keepdims=True)
    assert accuracy_figure(labels)(sums)[0] == pytest.approx(expected.accuracy)
    assert recall_figure(labels)(sums)[0] == pytest.approx(expected.recall)
    assert precision_figure(labels)(sums)[0] == pytest.approx(expected.precision)
    assert f1_figure(labels)(sums)[0] == pytest.approx(expected.f1)
    errors = calibration_columns(probabilities, true).sum(0, keepdims=True)
    assert calibration_figure(errors)[0] == pytest.approx(calibration_error(probabilities, true))


def test_clips_of_few_people_prove_less_than_as_many_clips_of_many() -> None:
    answered = np.repeat([0, 1, 0, 0, 1, 0, 1, 1], 50)
    true = np.zeros(400, np.int64)
    columns = confusion_columns(answered, true, 2)
    few = draw_people([f"p{i // 50}" for i in range(400)])
    many = draw_people([f"p{i}" for i in range(400)])
    wide = few.interval(columns, accuracy_figure(2))
    narrow = many.interval(columns, accuracy_figure(2))
    assert wide.value == narrow.value == 0.5
    assert wide.high - wide.low > 3 * (narrow.high - narrow.low)


def test_a_difference_on_the_same_clips_is_paired() -> None:
    rng = np.random.default_rng(0)
    true = rng.integers(0, 3, 300)
    first = np.where(rng.random(300) < 0.7, true, (true + 1) % 3)
    second = first.copy()
    second[:6] = true[:6]
    columns = [confusion_columns(a, true, 3) for a in (first, second)]
    draws = draw_people([f"p{i % 30}" for i in range(300)])
    gained = difference_interval(draws, *columns, accuracy_figure(3))
    alone = draws.interval(columns[0], accuracy_figure(3))
    assert 0 <= gained.low <= gained.value <= gained.high < 0.05
    assert gained.high - gained.low < (alone.high - alone.low) / 2


def test_an_interval_of_the_calibration_error_holds_the_error() -> None:
    rng = np.random.default_rng(1)
    probabilities = rng.dirichlet(np.ones(4), 200)
    true = (probabilities.cumsum(1) > rng.random((200, 1))).argmax(1)
    draws = draw_people([f"p{i % 10}" for i in range(200)])
    columns = calibration_columns(probabilities, true)
    found = draws.interval(columns, calibration_figure, centred=True)
    assert 0 <= found.low <= found.value <= found.high


def _people(count: int, each: int) -> tuple[list[str], list[str | None]]:
    people = [f"p{i:02d}" for i in range(count) for _ in range(each)]
    return people, ["female" if int(p[1:]) % 2 else "male" for p in people]


def test_a_planted_gap_between_the_sexes_is_larger_than_chance() -> None:
    people, sexes = _people(10, 40)
    true = np.zeros(400, np.int64)
    rng = np.random.default_rng(2)
    right = rng.random(400) < np.where(np.array(sexes) == "male", 0.9, 0.5)
    found = sex_gap(np.where(right, 0, 1), true, people, sexes, 2)
    assert found is not None
    assert found.dealings == 252  # five of ten people, every dealing once
    assert found.p_value <= 2 / 252 + 1e-9
    assert found.gap > found.random_gap_95 > 0
    assert {g.group: g.people for g in found.groups} == {"female": 5, "male": 5}


def test_people_who_differ_by_themselves_do_not_make_a_gap_between_the_sexes() -> None:
    people, sexes = _people(6, 50)
    quality = {"p00": 0.9, "p01": 0.9, "p02": 0.4, "p03": 0.4, "p04": 0.7, "p05": 0.7}
    rng = np.random.default_rng(3)
    right = rng.random(300) < np.array([quality[p] for p in people])
    answered, true = np.where(right, 0, 1), np.zeros(300, np.int64)
    between_sexes = sex_gap(answered, true, people, sexes, 2)
    between_people = speaker_gap(answered, true, people, 2)
    assert between_sexes is not None
    assert between_people is not None
    assert between_sexes.p_value > 0.2
    assert between_people.p_value < 0.01
    assert "larger than" in between_people.note


def test_without_two_groups_there_is_no_gap() -> None:
    true = np.zeros(4, np.int64)
    assert speaker_gap(true, true, ["a"] * 4, 2) is None
    assert sex_gap(true, true, ["a", "b", "c", "d"], ["male", None, "male", None], 2) is None
