from __future__ import annotations

import json
import os
import threading
from dataclasses import replace
from pathlib import Path

import pytest
from fixtures.refusing_places import read_only
from hypothesis import given
from hypothesis import strategies as st

from edge_ser.errors import ConfigError, EngineError
from edge_ser.files import default_cache_folder, write_atomically
from edge_ser.runtime.engine_cache import EngineCache, EngineKey

KEY = EngineKey(
    graph="face",
    graph_sha256="ab" * 32,
    backend="tensorrt",
    backend_version="10.3.0",
    device="sm87",
    shapes={"faces": ((1, 3, 112, 112), (5, 3, 112, 112), (16, 3, 112, 112))},
    options={"workspace": "1"},
)


@pytest.fixture
def cache(tmp_path: Path) -> EngineCache:
    return EngineCache(tmp_path / "engines")


def test_what_was_stored_is_loaded(cache: EngineCache) -> None:
    assert cache.load(KEY) is None
    record = cache.store(KEY, b"engine", {"precision": "fp16"})
    assert cache.load(KEY) == b"engine"
    assert record.key == KEY
    assert cache.entries() == [record]
    assert record.facts == {"precision": "fp16"}


@pytest.mark.parametrize(
    "other",
    [
        replace(KEY, graph_sha256="cd" * 32),
        replace(KEY, backend="tensorrt-rtx"),
        replace(KEY, backend_version="10.3.1"),
        replace(KEY, device="sm86"),
        replace(KEY, shapes={"faces": ((1, 3, 112, 112), (5, 3, 112, 112), (17, 3, 112, 112))}),
        replace(KEY, options={"workspace": "2"}),
    ],
)
def test_every_part_of_the_identity_counts(cache: EngineCache, other: EngineKey) -> None:
    cache.store(KEY, b"engine", {})
    assert cache.load(other) is None


def test_the_name_for_people_does_not_count() -> None:
    assert replace(KEY, graph="gesicht").digest() == KEY.digest()


@given(position=st.integers(0, 63), flip=st.integers(1, 255))
def test_a_changed_byte_is_found(
    tmp_path_factory: pytest.TempPathFactory, position: int, flip: int
) -> None:
    cache = EngineCache(tmp_path_factory.mktemp("cache"))
    record = cache.store(KEY, bytes(range(64)), {})
    damaged = bytearray(record.path.read_bytes())
    damaged[record.offset + position] ^= flip
    record.path.write_bytes(damaged)
    with pytest.raises(EngineError, match="is damaged"):
        cache.load(KEY)


@pytest.mark.parametrize("content", [b"", b"engine and more", b"engin"])
def test_a_wrong_size_is_found(cache: EngineCache, content: bytes) -> None:
    record = cache.store(KEY, b"engine", {})
    record.path.write_bytes(record.path.read_bytes()[: record.offset] + content)
    with pytest.raises(EngineError, match="is damaged"):
        cache.load(KEY)


@pytest.mark.parametrize("text", ["", "{}", "[]", "null", "\xff", '{"record_version": 99}\nengine'])
def test_a_damaged_record_is_an_error_and_the_list_goes_on(cache: EngineCache, text: str) -> None:
    damaged = cache.store(KEY, b"engine", {})
    other = cache.store(replace(KEY, device="sm86"), b"other", {})
    damaged.path.write_text(text, "latin-1")
    with pytest.raises(EngineError, match="engines clean"):
        cache.load(KEY)
    assert cache.entries() == [other]


def test_a_hostile_name_of_a_graph_stays_in_the_folder(cache: EngineCache) -> None:
    record = cache.store(replace(KEY, graph="../../etc/passwd"), b"engine", {})
    assert record.path.parent == cache.folder


def test_storing_again_replaces_and_leaves_no_litter(cache: EngineCache) -> None:
    cache.store(KEY, b"old", {})
    cache.store(KEY, b"new", {})
    assert cache.load(KEY) == b"new"
    assert len(list(cache.folder.iterdir())) == 1


def test_cleaning_takes_only_its_own_files(cache: EngineCache) -> None:
    cache.store(KEY, b"engine", {})
    (cache.folder / ".a.engine.0123456789ab.writing").write_bytes(b"half")
    (cache.folder / "notes.txt").write_text("mine")
    count, size = cache.clean()
    assert count == 2
    assert size > 10
    assert [p.name for p in cache.folder.iterdir()] == ["notes.txt"]
    assert EngineCache(cache.folder / "none").clean() == (0, 0)


def test_writers_at_once_leave_a_whole_entry(cache: EngineCache) -> None:
    blobs = [bytes([i]) * 20_000 for i in range(8)]
    threads = [threading.Thread(target=cache.store, args=(KEY, b, {})) for b in blobs]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert cache.load(KEY) in blobs


def test_a_failed_write_leaves_nothing(tmp_path: Path) -> None:
    target = tmp_path / "folder"
    target.mkdir()
    with pytest.raises(ConfigError, match="folder"):
        write_atomically(target, b"x")
    assert [p.name for p in tmp_path.iterdir()] == ["folder"]


def test_a_folder_that_cannot_be_made_is_an_engine_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(EngineError, match="EDGE_SER_CACHE"):
        EngineCache(tmp_path / "file" / "cache").store(KEY, b"engine", {})


def test_the_folder_can_be_chosen(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("EDGE_SER_CACHE", str(tmp_path))
    assert default_cache_folder() == tmp_path / "engines"
    monkeypatch.delenv("EDGE_SER_CACHE")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "xdg"))
    assert default_cache_folder().name == "engines"


def test_a_cache_that_cannot_be_emptied_is_told(cache: EngineCache) -> None:
    cache.store(KEY, b"engine", {})
    with read_only(cache.folder), pytest.raises(EngineError, match="cannot be deleted: Read-only"):
        cache.clean()
    assert cache.clean()[0] == 1


@pytest.mark.parametrize("part", ["folder", "entry"])
def test_no_engine_is_run_that_other_users_may_have_written(cache: EngineCache, part: str) -> None:
    record = cache.store(KEY, b"engine", {})
    (cache.folder if part == "folder" else record.path).chmod(0o777)
    with pytest.raises(EngineError, match=r"other users may write .*chmod -R go-w"):
        cache.load(KEY)
    cache.folder.chmod(0o700)
    record.path.chmod(0o600)
    assert cache.load(KEY) == b"engine"


def test_what_killed_writers_of_any_entry_left_goes(cache: EngineCache) -> None:
    cache.store(KEY, b"engine", {})
    old, young = (cache.folder / f".other-{n}.0123456789ab.writing" for n in (1, 2))
    for path in (old, young):
        path.write_bytes(b"half")
    os.utime(old, (0, 0))
    cache.store(replace(KEY, device="sm86"), b"engine", {})
    assert young.exists()
    assert not old.exists()


@pytest.mark.parametrize(
    "change",
    [{"created": 1e300}, {"created": -1}, {"created": float("inf")}, {"size": -1}, {"size": 1e400}],
)
def test_numbers_of_a_record_make_sense(cache: EngineCache, change: dict[str, float]) -> None:
    record = cache.store(KEY, b"engine", {})
    head, _, blob = record.path.read_bytes().partition(b"\n")
    changed = json.dumps({**json.loads(head), **change}).encode()
    record.path.write_bytes(changed + b"\n" + blob)
    with pytest.raises(EngineError, match="is damaged"):
        cache.load(KEY)


def test_a_record_that_is_nested_too_deeply(cache: EngineCache) -> None:
    record = cache.store(KEY, b"engine", {})
    record.path.write_bytes(b"[" * 200_000)
    with pytest.raises(EngineError, match="is damaged"):
        cache.find(KEY)
