"""Statistics of a person: exact however they arrive, drawn to the population, harmless if empty."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge_ser.bundles.schema import SpeakerAdaptation
from edge_ser.speaker.adaptation import RunningStatistics, SpeakerMap, shrunken

RANDOM = np.random.default_rng(3)


def section(**changes: object) -> SpeakerAdaptation:
    values = {
        "enrol_with": "neutral",
        "columns": (0, 2),
        "mean": (10.0, -4.0),
        "deviation": (2.0, 0.5),
        "prior_count": 0.0,
        "prior_weight": 0.25,
        "people": 19,
        **changes,
    }
    return SpeakerAdaptation.model_validate(values)


def seen(tokens: np.ndarray) -> RunningStatistics:
    statistics = RunningStatistics(tokens.shape[1])
    statistics.add(tokens)
    return statistics


@given(
    st.lists(st.integers(0, 9), min_size=1, max_size=8),
    st.floats(-1e6, 1e6),
    st.integers(0, 2**32 - 1),
)
def test_any_cutting_gives_the_statistics_of_the_whole(
    sizes: list[int], offset: float, seed: int
) -> None:
    pieces = [
        np.random.default_rng([seed, i]).normal(offset, 3, (n, 4)) for i, n in enumerate(sizes)
    ]
    whole = np.concatenate(pieces)
    running = RunningStatistics(4)
    for index, piece in enumerate(pieces):
        if index == len(pieces) // 2:
            running = RunningStatistics.of(running.count, running.mean, running.deviation)
        running.add(piece)
    assert running.count == len(whole)
    if len(whole):
        np.testing.assert_allclose(running.mean, whole.mean(0), rtol=1e-9, atol=1e-6)
        # Variances far smaller than the square of the mean are known to fewer digits.
        np.testing.assert_allclose(running.deviation, whole.std(0), rtol=1e-4, atol=1e-3)
    else:
        assert not running.mean.any()
        assert not running.deviation.any()


def test_float16_tokens_do_not_overflow() -> None:
    tokens = np.full((5000, 1), 60000, np.float16)
    assert seen(tokens).mean[0] == 60000 - 32 or seen(tokens).mean[0] == 60000
    assert seen(tokens).deviation[0] == 0


def test_half_of_the_person_at_the_prior_count() -> None:
    own = seen(RANDOM.normal(5, 3, (40, 2)))
    mean, deviation = shrunken(own, np.ones(2), np.full(2, 2.0), prior_count=40, prior_weight=0.25)
    np.testing.assert_allclose(mean, (1 + own.mean) / 2)
    np.testing.assert_allclose(deviation, 2 + 0.5 * 0.75 * (own.deviation - 2))


@pytest.mark.parametrize("prior_count", [0.0, 50.0])
def test_a_person_who_said_nothing_changes_nothing(prior_count: float) -> None:
    tokens = RANDOM.normal(0, 5, (7, 3)).astype(np.float32)
    moved = SpeakerMap(section(prior_count=prior_count), RunningStatistics(2), 3)(tokens)
    np.testing.assert_allclose(moved, tokens, rtol=1e-6, atol=1e-6)


def test_a_person_as_the_population_changes_nothing() -> None:
    own = RunningStatistics.of(10_000, (10.0, -4.0), (2.0, 0.5))
    tokens = RANDOM.normal(0, 5, (7, 3)).astype(np.float32)
    np.testing.assert_allclose(SpeakerMap(section(), own, 3)(tokens), tokens, rtol=1e-5, atol=1e-5)


def test_a_person_is_moved_to_the_population() -> None:
    tokens = RANDOM.normal((50, 7, -90), (8, 7, 3), (4000, 3)).astype(np.float32)
    moved = SpeakerMap(section(prior_weight=1e-9), seen(tokens[:, (0, 2)]), 3)(tokens)
    np.testing.assert_allclose(moved.mean(0)[[0, 2]], (10, -4), atol=1e-3)
    np.testing.assert_allclose(moved.std(0)[[0, 2]], (2, 0.5), rtol=1e-3)
    np.testing.assert_array_equal(moved[:, 1], tokens[:, 1])


def test_without_scale_only_the_mean_moves() -> None:
    tokens = RANDOM.normal(50, 8, (4000, 3)).astype(np.float32)
    moved = SpeakerMap(section(scale=False), seen(tokens[:, (0, 2)]), 3)(tokens)
    np.testing.assert_allclose(moved.mean(0)[[0, 2]], (10, -4), atol=1e-2)
    np.testing.assert_allclose(moved.std(0), tokens.std(0), rtol=1e-4)


def test_columns_without_spread_are_not_blown_up() -> None:
    own = RunningStatistics.of(500, (3.0, 3.0), (0.0, 0.0))
    tokens = np.zeros((2, 3), np.float32)
    flat = SpeakerMap(section(deviation=(0.0, 0.0)), own, 3)(tokens)
    assert np.isfinite(flat).all()
    assert np.abs(SpeakerMap(section(), own, 3)(tokens)).max() <= 4 * 13


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"columns": (2, 0)}, "rise"),
        ({"columns": (0, 0)}, "rise"),
        ({"columns": (-1, 0)}, "greater than or equal to 0"),
        ({"mean": (1.0,)}, "one value for each"),
        ({"deviation": (1.0, -1.0)}, "greater than or equal to 0"),
        ({"mean": (float("nan"), 1.0)}, "finite"),
        ({"prior_weight": 0.0}, "greater than 0"),
        ({"people": 1}, "greater than or equal to 2"),
        ({"enrol_with": "songs"}, "neutral"),
    ],
)
def test_a_section_that_makes_no_sense_is_refused(changes: dict[str, object], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        section(**changes)
