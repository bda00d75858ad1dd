"""A bundle is replaced whole, whatever fails and wherever the process is killed."""

from __future__ import annotations

import errno
import hashlib
import os
import shutil
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from fixtures.bundle_factory import make_bundle
from fixtures.file_faults import FileCalls, killed_at
from onnx import helper

from edge_ser.bundles import replacing
from edge_ser.bundles.loading import Bundle, load_bundle
from edge_ser.errors import BundleError, ConfigError
from edge_ser.export.bundles.derived import write_changed

WAYS = ["exchange", "rename"] if sys.platform == "linux" else ["rename"]
CARD = b"# tiny 0.0.1\n\n## Scores\n\nold\n\n## Mine\n\nstays\n"


def make_small(manifest: dict[str, Any], folder: Path) -> None:
    """Nothing runs these graphs: without a node they are small enough to be copied often."""
    for entry in (*manifest["graphs"].values(), manifest["tokenizer"]):
        empty = helper.make_graph([], entry["file"], [], [])
        content = helper.make_model(empty).SerializeToString()
        (folder / entry["file"]).write_bytes(content)
        entry["sha256"] = hashlib.sha256(content).hexdigest()
    (folder / "texts").mkdir()
    (folder / "texts" / "CARD.md").write_bytes(CARD)
    entry = {"file": "texts/CARD.md", "sha256": hashlib.sha256(CARD).hexdigest()}
    manifest["documents"] = {"card": entry}


@pytest.fixture
def source(tmp_path: Path) -> Bundle:
    folder = tmp_path / "source"
    return load_bundle(make_bundle(folder, lambda manifest: make_small(manifest, folder)))


@pytest.fixture(params=WAYS)
def way(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    def refused(*_: object) -> None:
        raise OSError(errno.EINVAL, os.strerror(errno.EINVAL))

    if request.param == "rename":
        monkeypatch.setattr(replacing, "_exchange", refused)
    return str(request.param)


def writing(source: Bundle, target: Path, version: str) -> Callable[[], Bundle]:
    changed = source.manifest.model_copy(update={"version": version})
    return lambda: write_changed(source, target, lambda _: changed)


def version(target: Path) -> str:
    return load_bundle(target).manifest.version


def refusal(write: Callable[[], Bundle]) -> str | None:
    try:
        write()
    except (BundleError, ConfigError) as error:
        return str(error)
    return None


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def places(source: Bundle, tmp_path: Path, *, first: bool) -> Callable[[], Path]:
    """Gives a new place to write to at every call, with the old bundle there or not."""
    made = iter(range(10_000))

    def place() -> Path:
        target = tmp_path / f"place-{next(made)}" / "bundle"
        target.parent.mkdir()
        if not first:
            shutil.copytree(source.folder, target)
        return target

    return place


@pytest.mark.parametrize("first", [False, True])
def test_whatever_fails_a_whole_bundle_is_there(
    source: Bundle, tmp_path: Path, file_calls: FileCalls, way: str, first: bool
) -> None:
    place = places(source, tmp_path, first=first)
    seen: set[str] = set()
    step, stopped = 0, True
    while stopped:
        target = place()
        with file_calls.watched(step):
            failed = refusal(writing(source, target, "2.0.0"))
        stopped = len(file_calls.made) > step
        seen.update(file_calls.made)
        if failed:
            assert (first and not target.exists()) or version(target) in ("0.0.1", "2.0.0"), step
            writing(source, target, "3.0.0")()
            assert version(target) == "3.0.0"
        else:
            assert version(target) == "2.0.0", step
            writing(source, target, "3.0.0")()
        assert names(target.parent) == ["bundle"], step
        step += 1
    # The last round was not stopped: everything is synced, put in place, synced, then removed.
    in_place = file_calls.made.index("exchange")
    synced = [i for i, name in enumerate(file_calls.made) if name == "fsync"]
    files_and_folders = len(list(source.folder.rglob("*"))) + 1
    assert [i < in_place for i in synced] == [True] * files_and_folders + [False]
    assert "unlink" not in file_calls.made[: synced[-1]]
    assert step > 50
    assert {"mkdir", "open", "write", "fsync", "exchange"} <= seen
    assert first or {"unlink", "rmdir"} <= seen
    assert ("rename" in seen) == (first or way == "rename")


@pytest.mark.parametrize("first", [False, True])
def test_wherever_it_is_killed_a_whole_bundle_is_there(
    source: Bundle, tmp_path: Path, file_calls: FileCalls, way: str, first: bool
) -> None:
    place = places(source, tmp_path, first=first)
    step, found, missing = 0, set(), 0
    while True:
        target = place()
        if not killed_at(file_calls, step, writing(source, target, "2.0.0")):
            break
        if not first and not target.exists():
            # Where two folders cannot be exchanged there is such a moment; what comes next, an
            # opening or a writing, puts the old one back.
            missing += 1
            again = place()
            shutil.rmtree(again.parent)
            shutil.copytree(target.parent, again.parent)
            with pytest.raises(ConfigError, match="no room"), replacing.replaced_folder(again):
                raise OSError(errno.ENOSPC, "no room")
            assert version(again) == "0.0.1"
        if first and not target.exists():
            with pytest.raises(BundleError, match="does not exist"):
                load_bundle(target)
        else:
            found.add(version(target))
        writing(source, target, "3.0.0")()
        assert version(target) == "3.0.0"
        assert names(target.parent) == ["bundle"], step
        step += 1
    assert step > 50
    assert found == ({"2.0.0"} if first else {"0.0.1", "2.0.0"})
    assert missing == (1 if way == "rename" and not first else 0)


def refused_meanwhile(target: Path) -> str:
    return (
        f"cannot write {target}: {os.strerror(errno.ENOTEMPTY)}; another program put something "
        "there meanwhile; try again"
    )


def test_of_two_writers_at_once_one_wins_whole(source: Bundle, tmp_path: Path, way: str) -> None:
    target = tmp_path / "place" / "bundle"
    failures: list[str | None] = []
    barrier = threading.Barrier(2)

    def write(version: str) -> None:
        barrier.wait()
        failures.append(refusal(writing(source, target, version)))

    for _ in range(20):
        threads = [threading.Thread(target=write, args=(v,)) for v in ("2.0.0", "3.0.0")]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert version(target) in ("2.0.0", "3.0.0")
    assert len(failures) == 40
    assert set(failures) - {None} <= {refused_meanwhile(target)}
    # Where nothing can be exchanged, one of the two may find its place taken; else only at first.
    assert failures.count(None) >= (39 if way == "exchange" else 20)
    writing(source, target, "4.0.0")()
    assert names(target.parent) == ["bundle"]
    assert version(target) == "4.0.0"


def test_a_bundle_that_cannot_be_put_back_says_where_it_is(
    source: Bundle, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    aside = tmp_path / ".bundle.0123456789ab.replaced"
    shutil.copytree(source.folder, aside)

    def refused(*_: object) -> None:
        raise PermissionError(errno.EROFS, os.strerror(errno.EROFS))

    with monkeypatch.context() as patch:
        patch.setattr(Path, "rename", refused)
        with pytest.raises(BundleError, match=r"Read-only file system; rename .*\.replaced to it"):
            load_bundle(tmp_path / "bundle")
    assert version(tmp_path / "bundle") == "0.0.1"
    assert not aside.exists()


def test_files_that_are_no_longer_listed_do_not_come_along(source: Bundle, tmp_path: Path) -> None:
    without = source.manifest.model_copy(update={"documents": {}})
    new = write_changed(source, tmp_path / "new", lambda _: without)
    assert (source.folder / "texts" / "CARD.md").is_file()
    assert not (new.folder / "texts" / "CARD.md").exists()


def test_the_card_follows_the_manifest_and_keeps_the_rest(source: Bundle, tmp_path: Path) -> None:
    new = writing(source, tmp_path / "new", "2.0.0")()
    card = new.path(new.manifest.documents["card"]).read_text("utf-8")
    assert card == ("# tiny 2.0.0\n\n## Scores\n\nNone were measured.\n\n## Mine\n\nstays\n")
