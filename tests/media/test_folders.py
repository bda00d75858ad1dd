"""Files, folders and patterns become clips, in an order that one can rely on."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from edge_ser.media.folders import find_clips, is_one_clip


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    for name in (
        *("b.wav", "a.wav", "a.txt", "notes.md", "[x].wav", ".hidden.wav", "._a.wav"),
        *("sub/c.MP4", "sub/a.flac", "sub/deep/z.ogg", ".git/d.wav", "sub-2/e.wav"),
    ):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"x")
    return tmp_path


def test_a_folder_is_walked_for_media_files_in_sorted_order(folder: Path) -> None:
    inside = ["[x].wav", "a.wav", "b.wav", "sub/a.flac", "sub/c.MP4", "sub/deep/z.ogg"]
    inside.append("sub-2/e.wav")
    assert find_clips([str(folder)]) == [str(folder / name) for name in inside]
    assert find_clips([Path("sub")]) == ["sub/a.flac", "sub/c.MP4", "sub/deep/z.ogg"]


def test_names_keep_the_order_in_which_they_are_given() -> None:
    assert find_clips(["none.wav", "b.wav", "sub", "a.wav"]) == [
        *("none.wav", "b.wav", "sub/a.flac", "sub/c.MP4", "sub/deep/z.ogg", "a.wav"),
    ]


def test_a_pattern_that_the_shell_left_alone_is_what_it_matches() -> None:
    assert find_clips(["*.wav"]) == ["[x].wav", "a.wav", "b.wav"]
    assert find_clips(["**/*.ogg"]) == ["sub/deep/z.ogg"]
    assert find_clips(["sub*"]) == [
        *("sub/a.flac", "sub/c.MP4", "sub/deep/z.ogg", "sub-2/e.wav"),
    ]
    assert find_clips(["*.nothing"]) == ["*.nothing"]
    assert find_clips(["[x].wav"]) == ["[x].wav"]  # a file's own name


def test_each_clip_comes_once() -> None:
    assert find_clips(["a.wav", "./a.wav", "sub/../a.wav", "a.*"]) == ["a.wav"]


def test_a_transcript_beside_a_clip_that_is_named_too_is_no_clip() -> None:
    assert find_clips(["a.txt", "a.wav", "notes.md"]) == ["a.wav", "notes.md"]
    assert find_clips(["a.txt", "b.wav"]) == ["a.txt", "b.wav"]


def test_an_address_stays_as_it_is() -> None:
    assert find_clips(["https://here/a.wav"]) == ["https://here/a.wav"]


def test_no_name_is_too_odd() -> None:
    for name in ("", "a\0b", "x" * 5000, "\udcff.wav"):
        assert find_clips([name]) == [name]
        assert is_one_clip([name])


def test_a_folder_without_media_files_and_one_that_cannot_be_listed_stay(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (folder / "empty").mkdir()
    assert find_clips(["empty"]) == ["empty"]
    listed = os.scandir

    def scandir(path: str) -> object:
        if str(path).endswith("deep"):
            raise PermissionError(13, "Permission denied", path)
        return listed(path)

    monkeypatch.setattr(os, "scandir", scandir)
    assert find_clips(["sub"]) == ["sub/a.flac", "sub/c.MP4", "sub/deep"]


def test_one_clip_is_a_file_by_its_own_name() -> None:
    for name in ("a.wav", "[x].wav", "none.wav", "*.nothing"):
        assert is_one_clip([name])
    for names in (["sub"], ["a.wav", "b.wav"], ["a.*"], ["**/z.ogg"]):
        assert not is_one_clip(names)
