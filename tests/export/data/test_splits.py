from __future__ import annotations

from pathlib import Path

import pytest

from edge_ser.errors import ConfigError
from edge_ser.export.data.items import Item
from edge_ser.export.data.leakage import find_leaks, require_no_leak
from edge_ser.export.data.splits import (
    RAVDESS_TEST_ACTORS,
    Split,
    by_publisher,
    leave_one_speaker_out,
    published_ravdess_folds,
    random_80_10_10,
    speaker_folds,
)


def _items(speakers: int, each: int = 4) -> list[Item]:
    return [
        Item(
            f"{speaker:02d}-{k}",
            "text",
            ("happy" if k % 2 else "sad",),
            text=f"words {speaker} {k}",
            speaker=f"{speaker:02d}",
        )
        for speaker in range(1, speakers + 1)
        for k in range(each)
    ]


def _speakers(items: list[Item], indices: tuple[int, ...]) -> set[str]:
    return {items[i].speaker or "" for i in indices}


def test_published_folds_test_everybody_once_and_hold_people_apart() -> None:
    items = _items(24)
    folds = published_ravdess_folds(items)
    assert sorted(i for f in folds for i in f.test) == list(range(len(items)))
    for fold, actors in zip(folds, RAVDESS_TEST_ACTORS, strict=True):
        test, validation = _speakers(items, fold.test), _speakers(items, fold.validation)
        train = _speakers(items, fold.train)
        assert test == set(actors)
        assert not test & validation
        assert not (test | validation) & train
        assert len(validation) == 4
        assert sum(int(x) % 2 for x in validation) == 2
        assert len(test | validation | train) == 24
        assert not require_no_leak(items, fold).fatal


@pytest.mark.parametrize("make", [leave_one_speaker_out, lambda x: speaker_folds(x, 3)])
def test_other_folds_hold_people_apart(make: object) -> None:
    assert callable(make)
    items = _items(7)
    folds = make(items)
    assert sorted(i for f in folds for i in f.test) == list(range(len(items)))
    assert all(not find_leaks(items, fold).speakers for fold in folds)


def test_a_random_split_is_found_leaky_and_refused() -> None:
    items = _items(3, 20)
    split = random_80_10_10(items)
    assert len(split.train) + len(split.validation) + len(split.test) == 60
    with pytest.raises(ConfigError, match="3 speakers"):
        require_no_leak(items, split)
    assert "LEAKY" in require_no_leak(items, split, accept=True).warning


def test_equal_contents_on_two_sides_are_a_leak_even_of_different_people() -> None:
    items = [
        Item("a", "text", ("sad",), text="the same", speaker="1"),
        Item("b", "text", ("sad",), text="the same", speaker="2"),
    ]
    leaks = find_leaks(items, Split("s", (0,), (), (1,), ""))
    assert leaks.contents == (("a", "b"),)
    assert leaks.fatal


def test_shared_scripts_are_said_but_not_fatal() -> None:
    items = [
        Item("a", "text", ("sad",), text="x", speaker="1", script="01"),
        Item("b", "text", ("sad",), text="y", speaker="2", script="01"),
    ]
    leaks = require_no_leak(items, Split("s", (0,), (), (1,), ""))
    assert not leaks.fatal
    assert leaks.warning.startswith("Shared by design")


def test_an_item_cannot_be_in_two_parts() -> None:
    with pytest.raises(ConfigError, match="two parts"):
        Split("s", (0, 1), (1,), (), "")


def test_items_without_speakers_cannot_be_held_apart() -> None:
    with pytest.raises(ConfigError, match="name no speaker"):
        leave_one_speaker_out([Item("a", "text", ("sad",), text="x")])


def test_publisher_parts(tmp_path: Path) -> None:
    items = [
        Item(name, "text", ("sad",), text=name, path=tmp_path, split=part)
        for name, part in (("a", "train"), ("b", "dev"), ("c", "test"))
    ]
    split = by_publisher(items)
    assert (split.train, split.validation, split.test) == ((0,), (1,), (2,))
    with pytest.raises(ConfigError, match="'other'"):
        by_publisher([Item("d", "text", ("sad",), text="d", split="other")])
