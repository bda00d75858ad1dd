from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from edge_ser.errors import MediaError
from edge_ser.export.data.cache import FeatureCache
from edge_ser.export.data.items import Item, content_hash


def _items(*texts: str) -> list[Item]:
    return [Item(f"{i}", "text", ("sad",), text=text) for i, text in enumerate(texts)]


class _Counting:
    def __init__(self) -> None:
        self.seen: list[str] = []

    def __call__(self, items: Sequence[Item]) -> list[np.ndarray]:
        if any(item.text == "bad" for item in items):
            raise MediaError("this one is damaged")
        self.seen += [item.name for item in items]
        return [np.full((1, 2), len(item.text or ""), np.float32) for item in items]


def test_what_is_cached_is_not_computed_again(tmp_path: Path) -> None:
    compute = _Counting()
    items = _items("a", "bb", "ccc")
    first = FeatureCache(tmp_path, {"size": 1}).features(items, compute, batch=2)
    again = FeatureCache(tmp_path, {"size": 1}).features(items, compute, batch=2)
    assert (first.computed, again.computed) == (3, 0)
    assert compute.seen == ["0", "1", "2"]
    assert [a.tolist() for a in again.arrays] == [[[1, 1]], [[2, 2]], [[3, 3]]]


def test_other_settings_or_other_content_are_computed_anew(tmp_path: Path) -> None:
    compute = _Counting()
    FeatureCache(tmp_path, {"size": 1}).features(_items("a"), compute)
    assert FeatureCache(tmp_path, {"size": 2}).features(_items("a"), compute).computed == 1
    assert FeatureCache(tmp_path, {"size": 1}).features(_items("b"), compute).computed == 1


def test_an_interrupted_run_goes_on(tmp_path: Path) -> None:
    class StopError(Exception):
        pass

    done: list[str] = []

    def stops(items: Sequence[Item]) -> list[np.ndarray]:
        if len(done) == 2:
            raise StopError
        done.append(items[0].name)
        return [np.zeros(1)]

    items = _items("a", "b", "c")
    with pytest.raises(StopError):
        FeatureCache(tmp_path, {}).features(items, stops)
    assert FeatureCache(tmp_path, {}).features(items, _Counting()).computed == 1


def test_a_damaged_file_is_computed_again(tmp_path: Path) -> None:
    cache = FeatureCache(tmp_path, {})
    items = _items("a")
    cache.features(items, _Counting())
    cache.path(content_hash(items[0])).write_bytes(b"\x93NUMPY")
    again = cache.features(items, _Counting())
    assert again.computed == 1
    assert again.arrays[0].tolist() == [[1, 1]]


def test_only_the_culprit_of_a_batch_is_a_problem(tmp_path: Path) -> None:
    found = FeatureCache(tmp_path, {}).features(_items("a", "bad", "c"), _Counting(), batch=3)
    assert [item.name for item in found.items] == ["0", "2"]
    assert [(p.name, p.reason) for p in found.problems] == [("1", "this one is damaged")]
    assert found.computed == 2


def test_no_part_of_a_feature_is_left_when_writing_fails(tmp_path: Path) -> None:
    cache = FeatureCache(tmp_path, {})
    with pytest.raises(ValueError, match="allow_pickle"):
        cache.put("ab" * 32, np.array([object()]))
    assert not [p for p in tmp_path.rglob("*") if p.name.startswith(".part-")]
    assert cache.get("ab" * 32) is None
