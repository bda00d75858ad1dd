"""What is scored: files, folders, patterns, manifests and Parquet files of paths, each once."""

from __future__ import annotations

from pathlib import Path

import pyarrow
import pyarrow.parquet
import pytest

from edge_ser import ConfigError
from edge_ser.score.clips import ClipToScore, clips_to_score


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    for name in ("calls/a.wav", "calls/b.mp3", "other/c.mp4"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    return tmp_path


def test_a_clip_that_is_named_twice_is_scored_once(folder: Path) -> None:
    found = clips_to_score(["other/*.mp4", "calls", str(folder / "calls" / "a.wav"), "gone.wav"])
    assert [clip.file for clip in found] == [
        "other/c.mp4",
        "calls/a.wav",
        "calls/b.mp3",
        "gone.wav",
    ]


def test_a_manifest_names_pieces_and_words(folder: Path) -> None:
    (folder / "calls" / "table.csv").write_text(
        "clip,start,end,label,transcript\na.wav,1.5,3,happy,so glad\na.wav,3,,sad,\n"
        "../other/c.mp4,,,happy,\n"
    )
    assert clips_to_score(["calls/table.csv"]) == [
        ClipToScore("calls/a.wav", 1.5, 3.0, "so glad"),
        ClipToScore("calls/a.wav", 3.0),
        ClipToScore("calls/../other/c.mp4"),
    ]


def test_a_parquet_file_names_paths(folder: Path) -> None:
    table = pyarrow.table({"id": [1, 2], "path": ["calls/a.wav", str(folder / "calls/b.mp3")]})
    pyarrow.parquet.write_table(table, folder / "list.parquet")
    assert clips_to_score(["list.parquet"]) == [
        ClipToScore("calls/a.wav"),
        ClipToScore(str(folder / "calls/b.mp3")),
    ]


@pytest.mark.parametrize(
    ("name", "content", "says"),
    [
        ("a.csv", "clip,start,end\na.wav,2,1\n", "a.csv:2: the end 1.0 is not after the start"),
        ("a.csv", "name\na.wav\n", "a.csv:2 names no clip: a column clip or file or path"),
        ("a.jsonl", '{"clip": "a.wav"}\n[]\n', "a.jsonl:2 is not a JSON object"),
        ("a.parquet", "no parquet", "a.parquet cannot be read"),
        ("a.csv", "clip\n", "nothing to score"),
    ],
)
def test_a_table_that_is_wrong_is_told(folder: Path, name: str, content: str, says: str) -> None:
    (folder / name).write_text(content)
    with pytest.raises(ConfigError, match=says):
        clips_to_score([name])
