"""A file is replaced whole or not at all, and what a killed writer left goes away."""

from __future__ import annotations

import errno
import os
import stat
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pytest
from fixtures.file_faults import FileCalls, killed_at

from edge_ser.errors import ConfigError
from edge_ser.files import (
    is_unfinished,
    replaced_file,
    temporary_folder,
    write_atomically,
)

LONGEST = 255


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def aged(path: Path) -> Path:
    """As if it had been written two hours ago."""
    long_ago = time.time() - 7200
    os.utime(path, (long_ago, long_ago))
    return path


def test_a_file_is_old_or_new_whatever_fails(tmp_path: Path, file_calls: FileCalls) -> None:
    target = tmp_path / "file"
    step, failures = 0, 0
    while True:
        target.write_bytes(b"old")
        with file_calls.watched(step):
            try:
                write_atomically(target, b"something new")
            except ConfigError as error:
                failures += 1
                reason = str(error)
        if step >= len(file_calls.made):
            break
        assert target.read_bytes() in (b"old", b"something new")
        assert names(tmp_path) == ["file"]
        step += 1
    assert "Input/output error; check that its folder exists" in reason
    assert file_calls.made == ["open", "write", "fsync", "replace", "open", "fsync", "unlink"]
    assert failures == 6
    assert target.read_bytes() == b"something new"


def test_a_file_is_old_or_new_wherever_its_writer_is_killed(
    tmp_path: Path, file_calls: FileCalls
) -> None:
    target = tmp_path / "file"
    target.write_bytes(b"old")
    found = []
    while killed_at(file_calls, len(found), lambda: write_atomically(target, b"something new")):
        found.append(target.read_bytes())
    assert found == [b"old"] * 4 + [b"something new"] * 3
    left = [path for path in tmp_path.iterdir() if path != target]
    assert len(left) == 3
    assert all(is_unfinished(path) for path in left)
    write_atomically(target, b"newer")
    assert len(names(tmp_path)) == 4  # somebody may still be writing to them
    for path in left:
        aged(path)
    write_atomically(target, b"newest")
    assert names(tmp_path) == ["file"]


def test_what_others_left_is_not_touched(tmp_path: Path) -> None:
    others = [".other.0123456789ab.writing", ".file.writing", ".file.0123.writing"]
    for name in others:
        (tmp_path / name).write_text("x")
        aged(tmp_path / name)
    write_atomically(tmp_path / "file", b"x")
    assert names(tmp_path) == sorted([*others, "file"])


def test_permissions_are_those_that_are_asked_for(tmp_path: Path) -> None:
    before = os.umask(0o022)
    try:
        write_atomically(tmp_path / "private", b"x", mode=0o600)
        write_atomically(tmp_path / "open", b"x")
    finally:
        os.umask(before)
    modes = [stat.S_IMODE((tmp_path / name).stat().st_mode) for name in ("open", "private")]
    assert modes == [0o644, 0o600]


def test_a_failed_write_leaves_nothing(tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    with pytest.raises(ConfigError, match="it is a folder; name a file"):
        write_atomically(tmp_path / "folder", b"x")
    with pytest.raises(ConfigError, match="check that its folder exists"):
        write_atomically(tmp_path / "none" / "file", b"x")
    with pytest.raises(ConfigError, match="choose a shorter name"):
        write_atomically(tmp_path / ("a" * (LONGEST + 1)), b"x")
    assert names(tmp_path) == ["folder"]


@pytest.mark.parametrize("letter", ["a", "ü", "語"])
def test_names_may_be_as_long_as_the_system_allows(tmp_path: Path, letter: str) -> None:
    name = letter * (LONGEST // len(letter.encode()))
    for content in (b"old", b"new"):
        write_atomically(tmp_path / name, content)
    assert (tmp_path / name).read_bytes() == b"new"
    assert names(tmp_path) == [name]


def test_a_folder_that_cannot_be_synced_is_no_failure_where_no_folder_can(
    tmp_path: Path, file_calls: FileCalls
) -> None:
    def refuse() -> None:
        raise OSError(errno.EINVAL, os.strerror(errno.EINVAL))

    with file_calls.watched():
        write_atomically(tmp_path / "file", b"old")
    last = len(file_calls.made) - 1 - file_calls.made[::-1].index("fsync")
    with file_calls.watched(last, refuse):
        write_atomically(tmp_path / "file", b"new")
    assert (tmp_path / "file").read_bytes() == b"new"


def test_what_a_link_leads_to_is_replaced_and_the_link_stays(tmp_path: Path) -> None:
    (tmp_path / "real").write_bytes(b"old")
    (tmp_path / "link").symlink_to("real")
    (tmp_path / "new").symlink_to("none yet")
    for name in ("link", "new"):
        write_atomically(tmp_path / name, b"new")
        assert (tmp_path / name).is_symlink()
    assert (tmp_path / "real").read_bytes() == (tmp_path / "none yet").read_bytes() == b"new"


def test_a_device_is_written_to_and_never_replaced() -> None:
    write_atomically(Path(os.devnull), b"x")
    assert not Path(os.devnull).is_file()
    with pytest.raises(ConfigError, match="make room on that disk"):
        write_atomically(Path("/dev/full"), b"x")
    read, write = os.pipe()
    write_atomically(Path(f"/dev/fd/{write}"), b"through a pipe")
    os.close(write)
    assert os.read(read, 100) == b"through a pipe"
    os.close(read)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no pipes with names")
def test_what_no_file_can_take_the_place_of_is_refused_piece_by_piece(tmp_path: Path) -> None:
    pipe, link = tmp_path / "pipe", tmp_path / "link"
    os.mkfifo(pipe)
    link.symlink_to(pipe)
    for target in (pipe, link):
        with (
            pytest.raises(ConfigError, match="is a device or a pipe"),
            replaced_file(target) as stream,
        ):
            stream.write(b"x")
    assert pipe.is_fifo()
    assert sorted(p.name for p in tmp_path.iterdir()) == ["link", "pipe"]


def test_a_temporary_folder_goes_and_a_full_one_is_told() -> None:
    with temporary_folder() as folder:
        assert folder.is_dir()
    assert not folder.exists()
    for number, kind in ((errno.ENOSPC, ConfigError), (errno.ENOENT, FileNotFoundError)):
        with pytest.raises(kind), temporary_folder() as folder:
            raise OSError(number, os.strerror(number))
        assert not folder.exists()


_HOLD = """
import sys, time
from edge_ser.files import temporary_folder
with temporary_folder() as folder:
    (folder / "graph.onnx").write_bytes(bytes(1000))
    print(folder, flush=True)
    time.sleep(600)
"""


@pytest.mark.skipif(sys.platform == "win32", reason="no folder is locked there")
def test_what_a_killed_process_left_among_temporary_files_goes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    others = [tmp_path / "edge-ser-notes", tmp_path / "edge-ser-0123456789ab.txt"]
    for path in others:
        path.mkdir()
    (tmp_path / "edge-ser-0123456789ab").symlink_to(others[0])
    with subprocess.Popen([sys.executable, "-c", _HOLD], stdout=subprocess.PIPE, text=True) as held:
        assert held.stdout is not None
        folder = Path(held.stdout.readline().strip())
        with temporary_folder():
            assert (folder / "graph.onnx").exists()  # it is still in use
        held.kill()
    assert folder.exists()
    with temporary_folder() as own:
        assert not folder.exists()
        assert stat.S_IMODE(own.stat().st_mode) == 0o700
    assert names(tmp_path) == sorted(["edge-ser-0123456789ab", *(p.name for p in others)])


def test_no_place_for_temporary_files_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tempfile, "tempdir", None)
    monkeypatch.setattr(tempfile, "_candidate_tempdir_list", lambda: ["/proc/none"])
    with pytest.raises(ConfigError, match="TMPDIR"), temporary_folder():
        pass
