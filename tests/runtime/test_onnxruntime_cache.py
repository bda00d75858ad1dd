"""Optimised graphs that are kept: they are used, bounded, and never the reason for a failure."""

from __future__ import annotations

import logging
import os
import shutil
import zlib
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import onnx
import pytest

from edge_ser.errors import EngineError
from edge_ser.runtime import onnxruntime_cache
from edge_ser.runtime.backend import open_session
from edge_ser.runtime.engine_cache import EngineCache
from edge_ser.runtime.onnxruntime_sessions import open_graph

X = np.array([[1, 2, 3], [0, -1, 0.5]], dtype=np.float32)
Y = np.array([[26, 42], [10, 19.5]], dtype=np.float32)
SHIFTED = Y - np.float32([10, 20])


@pytest.fixture
def cache(tmp_path: Path) -> EngineCache:
    return EngineCache(tmp_path / "cache")


def answer(graph: Path, cache: EngineCache) -> np.ndarray:
    return open_session(graph, cache=cache).run({"x": X})["y"]


def kept(cache: EngineCache) -> list[Path]:
    return sorted(cache.folder.iterdir()) if cache.folder.is_dir() else []


def named(path: Path) -> str:
    """The name of a kept file, with the checksum of what it holds now."""
    return f"{path.stem.rpartition('-')[0]}-{zlib.crc32(path.read_bytes()):08x}.onnx"


def without_bias(graph: Path) -> None:
    model = onnx.load(graph)
    for constant in model.graph.initializer:
        if list(constant.dims) == [2]:
            constant.raw_data = np.float32([0, 0]).tobytes()
            del constant.float_data[:]
    onnx.save(model, graph)


def test_the_optimised_graph_is_kept_and_it_is_what_runs(
    affine_graph: Path, cache: EngineCache
) -> None:
    np.testing.assert_array_equal(answer(affine_graph, cache), Y)
    (file,) = kept(cache)
    assert file.name == named(file)
    assert [node.op_type for node in onnx.load(file).graph.node] != ["MatMul", "Add"]
    np.testing.assert_array_equal(answer(affine_graph, cache), Y)
    assert kept(cache) == [file]
    without_bias(file)
    file.rename(file.with_name(named(file)))
    np.testing.assert_array_equal(answer(affine_graph, cache), SHIFTED)


def test_a_changed_graph_gets_an_entry_of_its_own(affine_graph: Path, cache: EngineCache) -> None:
    answer(affine_graph, cache)
    without_bias(affine_graph)
    np.testing.assert_array_equal(answer(affine_graph, cache), SHIFTED)
    assert len(kept(cache)) == 2


@pytest.mark.parametrize("part", ["release", "processor"])
def test_another_release_or_processor_optimises_for_itself(
    affine_graph: Path, cache: EngineCache, monkeypatch: pytest.MonkeyPatch, part: str
) -> None:
    answer(affine_graph, cache)
    if part == "release":
        other = SimpleNamespace(__version__="0.0")
        monkeypatch.setattr(onnxruntime_cache, "onnxruntime", lambda: other)
    else:
        monkeypatch.setattr(onnxruntime_cache, "processor", lambda: "another")
    np.testing.assert_array_equal(answer(affine_graph, cache), Y)
    assert len(kept(cache)) == 2


@pytest.mark.parametrize("damage", ["a bit", "the end", "all", "no graph"])
def test_a_damaged_entry_is_made_again(
    affine_graph: Path, cache: EngineCache, caplog: pytest.LogCaptureFixture, damage: str
) -> None:
    answer(affine_graph, cache)
    (file,) = kept(cache)
    content = bytearray(file.read_bytes())
    content[-10] ^= 0xFF
    whole = file.read_bytes()
    file.write_bytes(
        {"a bit": bytes(content), "the end": whole[:-20], "all": b"", "no graph": b"x"}[damage]
    )
    if damage == "no graph":
        file.rename(file.with_name(named(file)))
    with caplog.at_level(logging.WARNING):
        np.testing.assert_array_equal(answer(affine_graph, cache), Y)
    assert "optimised again" in caplog.text
    (again,) = kept(cache)
    assert again.name == named(again)
    assert again.read_bytes() == whole


@pytest.mark.parametrize("place", ["a file", "below a file", "no such system", "a long name"])
def test_a_folder_that_cannot_be_used_costs_nothing(
    affine_graph: Path, tmp_path: Path, place: str
) -> None:
    (tmp_path / "file").write_bytes(b"")
    folder = {
        "a file": tmp_path / "file",
        "below a file": tmp_path / "file" / "cache",
        "no such system": Path("/proc/self/edge-ser"),
        "a long name": tmp_path / ("x" * 300),
    }[place]
    np.testing.assert_array_equal(answer(affine_graph, EngineCache(folder)), Y)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["affine.onnx", "file"]


def test_nothing_is_tried_where_nothing_can_be_written(
    affine_graph: Path,
    cache: EngineCache,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    monkeypatch.setattr(os, "access", lambda *_: False)
    np.testing.assert_array_equal(answer(affine_graph, cache), Y)
    assert not cache.folder.exists()
    assert caplog.text == ""


def test_a_full_disk_is_not_written_to(
    affine_graph: Path, cache: EngineCache, monkeypatch: pytest.MonkeyPatch
) -> None:
    little = affine_graph.stat().st_size
    monkeypatch.setattr(shutil, "disk_usage", lambda _: SimpleNamespace(free=little))
    np.testing.assert_array_equal(answer(affine_graph, cache), Y)
    assert not cache.folder.exists()


def test_a_write_that_fails_is_logged_and_leaves_nothing(
    affine_graph: Path,
    cache: EngineCache,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    monkeypatch.setattr(onnxruntime_cache, "beside", lambda path, _: path / "no" / "folder")
    np.testing.assert_array_equal(answer(affine_graph, cache), Y)
    assert "is not kept" in caplog.text
    assert kept(cache) == []


def test_a_graph_that_does_not_load_is_an_error_and_leaves_nothing(
    affine_graph: Path, cache: EngineCache
) -> None:
    affine_graph.write_bytes(affine_graph.read_bytes()[:-20])
    with pytest.raises(EngineError, match=r"affine\.onnx"):
        open_session(affine_graph, cache=cache)
    assert kept(cache) == []


def test_what_a_killed_process_left_is_cleared_away(affine_graph: Path, cache: EngineCache) -> None:
    answer(affine_graph, cache)
    (file,) = kept(cache)
    left = cache.folder / f".{file.stem.rpartition('-')[0]}.0123456789ab.writing"
    file.rename(left)
    answer(affine_graph, cache)
    assert left in kept(cache)  # perhaps somebody is writing
    os.utime(left, (0, 0))
    file.unlink()
    answer(affine_graph, cache)
    assert kept(cache) == [file]


def test_many_at_once_open_and_leave_whole_files(affine_graph: Path, cache: EngineCache) -> None:
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda _: answer(affine_graph, cache), range(24)))
    assert all(np.array_equal(a, Y) for a in answers)
    assert kept(cache)
    assert all(file.name == named(file) for file in kept(cache))


def test_the_oldest_go_when_there_are_too_many(
    affine_graph: Path, sum_graph: Path, cache: EngineCache, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(onnxruntime_cache, "_MOST_BYTES", affine_graph.stat().st_size)
    answer(affine_graph, cache)
    (first,) = kept(cache)
    own = cache.folder / "mine.onnx"
    shutil.copy(affine_graph, own)
    os.utime(own, (0, 0))
    open_session(sum_graph, cache=cache)
    assert first in kept(cache)  # of today: perhaps a large bundle's other graph
    os.utime(first, (0, 0))
    without_bias(affine_graph)
    answer(affine_graph, cache)
    assert first not in kept(cache)
    assert own in kept(cache)
    assert len(kept(cache)) == 3


def test_cleaning_takes_them_and_no_other_graph(affine_graph: Path, cache: EngineCache) -> None:
    answer(affine_graph, cache)
    shutil.copy(affine_graph, cache.folder / "mine.onnx")
    assert cache.clean()[0] == 1
    assert [p.name for p in kept(cache)] == ["mine.onnx"]


def test_a_session_of_the_kept_graph_gives_the_same_bits(
    affine_graph: Path, cache: EngineCache
) -> None:
    values = np.random.default_rng(1).normal(size=(50, 3)).astype(np.float32)
    plain = open_graph(affine_graph).run(None, {"x": values})[0]
    open_session(affine_graph, cache=cache)
    again = open_session(affine_graph, cache=cache).run({"x": values})["y"]
    np.testing.assert_array_equal(plain, again)


@pytest.mark.parametrize("mode", [0o777, 0o770, 0o722])
def test_nothing_runs_out_of_a_folder_that_others_may_write(
    affine_graph: Path, cache: EngineCache, caplog: pytest.LogCaptureFixture, mode: int
) -> None:
    answer(affine_graph, cache)
    (file,) = kept(cache)
    without_bias(file)  # planted: its name holds the right checksum
    file.rename(file.with_name(named(file)))
    cache.folder.chmod(mode)
    np.testing.assert_array_equal(answer(affine_graph, cache), Y)
    assert "other users may write" in caplog.text
    assert len(kept(cache)) == 1


def test_no_entry_runs_that_others_may_write(affine_graph: Path, cache: EngineCache) -> None:
    answer(affine_graph, cache)
    (file,) = kept(cache)
    without_bias(file)
    planted = file.rename(file.with_name(named(file)))
    planted.chmod(0o666)
    np.testing.assert_array_equal(answer(affine_graph, cache), Y)
    assert kept(cache) == [file]


@pytest.mark.skipif(os.name == "nt", reason="no owners")
def test_nothing_runs_out_of_another_users_folder(
    affine_graph: Path, cache: EngineCache, monkeypatch: pytest.MonkeyPatch
) -> None:
    answer(affine_graph, cache)
    (file,) = kept(cache)
    without_bias(file)
    file.rename(file.with_name(named(file)))
    if os.geteuid() == 0:
        os.chown(cache.folder, 12345, 12345)
    else:
        monkeypatch.setattr(os, "geteuid", lambda: 12345)
    np.testing.assert_array_equal(answer(affine_graph, cache), Y)
