"""Parts of an interrupted measurement are whole or not there."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from edge_ser.errors import ConfigError
from edge_ser.export.trials.part_store import PartStore


def test_a_part_is_found_by_its_very_key_alone(tmp_path: Path) -> None:
    for store in (PartStore(tmp_path), PartStore(None)):
        store.put({"part": "x", "n": 1}, {"a": np.arange(3)})
        found = store.get({"n": 1, "part": "x"})
        assert found is not None
        np.testing.assert_array_equal(found["a"], [0, 1, 2])
        assert store.get({"part": "x", "n": 2}) is None
        store.forget({"part": "x", "n": 1})
        assert store.get({"part": "x", "n": 1}) is None


def test_another_process_goes_on_and_a_damaged_part_is_computed_again(tmp_path: Path) -> None:
    key = {"part": "x"}
    PartStore(tmp_path).put(key, {"a": np.ones(1000)})
    assert PartStore(tmp_path).get(key) is not None
    (file,) = tmp_path.iterdir()
    file.write_bytes(file.read_bytes()[:200])
    assert PartStore(tmp_path).get(key) is None
    again = PartStore(tmp_path).once(key, lambda: {"a": np.zeros(2)})
    np.testing.assert_array_equal(again["a"], [0, 0])
    assert PartStore(tmp_path).get(key) is not None
    assert [p.name for p in tmp_path.iterdir()] == [file.name]


def test_objects_are_not_unpickled(tmp_path: Path) -> None:
    store = PartStore(tmp_path)
    store.put({"part": "x"}, {"a": np.ones(1)})
    (file,) = tmp_path.iterdir()
    with file.open("wb") as stream:
        np.savez(stream, a=np.array([{"evil": 1}], dtype=object))
    assert store.get({"part": "x"}) is None


def test_a_folder_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(ConfigError, match="a part of its path is a file"):
        PartStore(tmp_path / "file" / "inside")
