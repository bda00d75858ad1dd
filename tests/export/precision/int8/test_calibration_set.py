from __future__ import annotations

import random
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge_ser.errors import ConfigError
from edge_ser.export.precision.int8.calibration_set import Candidate, choose


def _candidates(cells: dict[tuple[str, str], int]) -> list[Candidate]:
    return [
        Candidate(f"{label}-{speaker}-{i}", label, speaker)
        for (label, speaker), count in cells.items()
        for i in range(count)
    ]


def test_labels_and_speakers_are_even_though_the_data_are_not() -> None:
    cells = {("sad", "a"): 100, ("sad", "b"): 5, ("happy", "a"): 20, ("happy", "b"): 4}
    chosen = choose(_candidates(cells), 16)
    assert Counter(c.label for c in chosen) == {"sad": 8, "happy": 8}
    assert Counter(c.speaker for c in chosen) == {"a": 8, "b": 8}


def test_a_rare_label_gives_all_it_has_and_others_fill_up() -> None:
    chosen = choose(_candidates({("sad", "a"): 2, ("happy", "a"): 50}), 20)
    assert Counter(c.label for c in chosen) == {"sad": 2, "happy": 18}


@given(
    cells=st.dictionaries(
        st.tuples(st.sampled_from("xyz"), st.sampled_from("abcd")), st.integers(1, 12), min_size=1
    ),
    count=st.integers(1, 60),
    seed=st.integers(0, 5),
)
def test_every_choice_is_of_that_size_without_repeats_and_as_even_as_it_can_be(
    cells: dict[tuple[str, str], int], count: int, seed: int
) -> None:
    candidates = _candidates(cells)
    chosen = choose(candidates, count, seed)
    assert len(chosen) == min(count, len(candidates))
    assert len({c.name for c in chosen}) == len(chosen)
    taken = Counter(c.label for c in chosen)
    there = Counter(c.label for c in candidates)
    for label in there:
        if taken[label] < there[label]:
            assert taken[label] >= max(taken.values()) - 1


def test_the_order_of_the_candidates_does_not_matter_and_the_seed_does() -> None:
    candidates = _candidates({("sad", "a"): 30, ("happy", "b"): 30})
    shuffled = list(candidates)
    random.Random(1).shuffle(shuffled)  # noqa: S311
    assert choose(candidates, 10) == choose(shuffled, 10)
    assert choose(candidates, 10, seed=1) != choose(candidates, 10, seed=2)


def test_nothing_to_choose_from_is_an_error() -> None:
    with pytest.raises(ConfigError, match="no clip"):
        choose([], 4)
    with pytest.raises(ConfigError, match="at least one"):
        choose(_candidates({("sad", "a"): 1}), 0)
    with pytest.raises(ConfigError, match="same name"):
        choose([Candidate("x", "sad", "a")] * 2, 1)
