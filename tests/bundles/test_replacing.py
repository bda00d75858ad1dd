"""A folder is replaced whole or not at all, and what a killed writer left goes away.

That a bundle is whole whatever fails and wherever its writer is killed is proved where bundles are
written, in ``tests/export/bundles/test_derived.py``.
"""

from __future__ import annotations

import errno
import os
import stat
import time
from pathlib import Path

import pytest
from fixtures.file_faults import FileCalls

from edge_ser import files
from edge_ser.bundles import replacing
from edge_ser.bundles.replacing import recover, replaced_folder
from edge_ser.errors import ConfigError

LEFT = ".{}.0123456789ab.{}"
LONGEST = 255


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def replace(folder: Path, content: str) -> None:
    with replaced_folder(folder) as fresh:
        (fresh / "inner").mkdir()
        (fresh / "inner" / "file").write_text(content)


def content(folder: Path) -> str:
    return (folder / "inner" / "file").read_text()


@pytest.mark.parametrize("exchanged", [True, False])
def test_a_folder_is_replaced_and_nothing_is_left(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, exchanged: bool
) -> None:
    def refused(*_: object) -> None:
        raise OSError(errno.ENOSYS, os.strerror(errno.ENOSYS))

    if not exchanged:
        monkeypatch.setattr(replacing, "_exchange", refused)
    target = tmp_path / "deep" / "folder"
    for text in ("old", "new"):
        replace(target, text)
        assert content(target) == text
    assert names(target.parent) == ["folder"]


def test_a_new_folder_has_the_usual_permissions(tmp_path: Path) -> None:
    before = os.umask(0o022)
    try:
        replace(tmp_path / "folder", "x")
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "folder").stat().st_mode) == 0o755


def test_an_error_in_the_block_leaves_the_old_folder(tmp_path: Path) -> None:
    replace(tmp_path / "folder", "old")
    with pytest.raises(KeyError), replaced_folder(tmp_path / "folder"):
        raise KeyError
    assert content(tmp_path / "folder") == "old"
    assert names(tmp_path) == ["folder"]


@pytest.mark.parametrize("letter", ["a", "ü", "語"])
def test_names_may_be_as_long_as_the_system_allows(tmp_path: Path, letter: str) -> None:
    name = letter * (LONGEST // len(letter.encode()))
    other = name[:-1] + ("x" if len(letter.encode()) > 1 else "b")
    for text in ("old", "new"):
        replace(tmp_path / name, text)
        replace(tmp_path / other, text)
    assert content(tmp_path / name) == content(tmp_path / other) == "new"
    assert len(names(tmp_path)) == 2
    with replaced_folder(tmp_path / name) as one, replaced_folder(tmp_path / other) as two:
        assert one.name.rsplit(".", 2)[0] != two.name.rsplit(".", 2)[0]
        assert max(len(os.fsencode(path.name)) for path in (one, two)) < 143


def test_a_name_that_is_too_long_and_a_path_through_a_file_are_refused(tmp_path: Path) -> None:
    long = tmp_path / ("a" * (LONGEST + 1))
    (tmp_path / "file").write_text("x")
    for target, advice in (
        (long, "choose a shorter name"),
        (tmp_path / "file", "is a file, not a folder; name another place"),
        (tmp_path / "file" / "folder", "is a file, not a folder; name another place"),
    ):
        with pytest.raises(ConfigError, match=advice):
            replace(target, "x")
    assert names(tmp_path) == ["file"]


@pytest.mark.parametrize(
    ("number", "advice"),
    [
        (errno.EACCES, "name a place that you may write to"),
        (errno.EROFS, "name a place that you may write to"),
        (errno.ENOSPC, "make room on that disk"),
        (errno.EDQUOT, "make room on that disk"),
        (errno.EBUSY, "it is mounted, or part of an image"),
    ],
)
def test_refusals_say_what_to_do_in_one_line(
    tmp_path: Path, file_calls: FileCalls, number: int, advice: str
) -> None:
    def refuse() -> None:
        raise OSError(number, os.strerror(number))

    replace(tmp_path / "folder", "old")
    with file_calls.watched(1, refuse), pytest.raises(ConfigError, match=advice) as raised:
        replace(tmp_path / "folder", "new")
    assert "\n" not in str(raised.value)
    reason = f"cannot write {tmp_path / 'folder'}: {os.strerror(number)}; "
    assert str(raised.value).startswith(reason)
    assert content(tmp_path / "folder") == "old"


def test_a_link_is_followed(tmp_path: Path) -> None:
    (tmp_path / "disk").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "disk" / "folder")
    replace(tmp_path / "link", "old")
    replace(tmp_path / "link", "new")
    assert (tmp_path / "link").is_symlink()
    assert content(tmp_path / "disk" / "folder") == "new"
    assert names(tmp_path / "disk") == ["folder"]


def test_a_writer_that_lives_is_left_alone(tmp_path: Path) -> None:
    with replaced_folder(tmp_path / "folder") as slow:
        (slow / "inner").mkdir()
        (slow / "inner" / "file").write_text("slow")
        replace(tmp_path / "folder", "quick")
        assert content(slow) == "slow"
        assert content(tmp_path / "folder") == "quick"
    assert content(tmp_path / "folder") == "slow"
    assert names(tmp_path) == ["folder"]


def test_a_folder_that_its_writer_is_about_to_replace_is_not_put_back(tmp_path: Path) -> None:
    replace(tmp_path / "folder", "old")
    with replaced_folder(tmp_path / "folder") as fresh:
        aside = fresh.with_suffix(".replaced")
        (tmp_path / "folder").rename(aside)
        recover(tmp_path / "folder")
        assert not (tmp_path / "folder").exists()
        aside.rename(tmp_path / "folder")


def test_what_was_set_aside_and_has_a_successor_goes(tmp_path: Path) -> None:
    replace(tmp_path / "folder", "new")
    replace(tmp_path / LEFT.format("folder", "replaced"), "old")
    recover(tmp_path / "folder")
    assert content(tmp_path / "folder") == "new"
    replace(tmp_path / "folder", "newer")
    assert names(tmp_path) == ["folder"]


def test_where_nothing_can_be_locked_only_old_leftovers_go(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(files, "fcntl", None)
    left = tmp_path / LEFT.format("folder", "writing")
    left.mkdir()
    replace(tmp_path / "folder", "x")
    assert names(tmp_path) == [left.name, "folder"]
    long_ago = time.time() - 7200
    os.utime(left, (long_ago, long_ago))
    replace(tmp_path / "folder", "y")
    assert names(tmp_path) == ["folder"]
