"""Transcript files of every form, and what is wrong with a bad one."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge_ser.errors import MediaError
from edge_ser.media.transcript import Transcript, Word, find_sidecar, read_transcript, spread


def written(folder: Path, name: str, content: str | bytes) -> Path:
    path = folder / name
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


def test_text_has_words_without_times(tmp_path: Path) -> None:
    path = written(tmp_path, "a.txt", "\ufeffI did not\r\n  expect \u00e9t\u00e9\r\n")
    assert read_transcript(path) == Transcript("I did not expect \u00e9t\u00e9")


SRT = """1
00:00:01,000 --> 00:00:02,000 X1:40
<i>Hello</i> {\\an8}there

2
00:00:03,500 --> 00:00:04,000
- Oh &amp; no

"""


def test_subtitles_spread_the_words_of_a_cue_by_their_lengths(tmp_path: Path) -> None:
    transcript = read_transcript(written(tmp_path, "a.srt", SRT))
    assert transcript.text == "Hello there Oh & no"
    hello, there = transcript.words[:2]
    assert (hello.text, hello.start, hello.end) == ("Hello", 16000, 24000)
    assert (there.start, there.end) == (24000, 32000)
    assert transcript.words[2].start == 56000
    assert transcript.words[-1].end == 64000


VTT = """WEBVTT - a title

STYLE
::cue { color: white }

NOTE a remark
over two lines

intro
00:01.000 --> 00:03.000 align:start
<v Ann>I <00:01.500><c>see <00:02.250>you</c>
"""


def test_web_subtitles_with_times_inside_a_cue(tmp_path: Path) -> None:
    transcript = read_transcript(written(tmp_path, "a.vtt", VTT))
    assert transcript.words == (
        Word("I", 16000, 24000),
        Word("see", 24000, 36000),
        Word("you", 36000, 48000),
    )


def test_an_empty_subtitle_file_says_nothing(tmp_path: Path) -> None:
    assert read_transcript(written(tmp_path, "a.vtt", "WEBVTT\n")) == Transcript("")
    assert read_transcript(written(tmp_path, "a.srt", "")) == Transcript("")


def test_json_with_words(tmp_path: Path) -> None:
    content = {
        "language": "en",
        "words": [
            {"word": " world", "start": 1, "end": 1.5},
            {"text": "hello", "start": 0.5, "end": 0.75},
        ],
    }
    transcript = read_transcript(written(tmp_path, "a.json", json.dumps(content)))
    assert transcript.text == "hello world"
    assert transcript.language == "en"
    assert transcript.words == (Word("hello", 8000, 12000), Word("world", 16000, 24000))


def test_json_with_segments(tmp_path: Path) -> None:
    content = {
        "text": " Hi there. No. ",
        "segments": [
            {"text": " Hi there.", "start": 0.0, "end": 1.0},
            {"text": "No.", "start": 2, "end": 3, "words": [
                {"word": "No.", "start": 2.25, "end": 2.5}]},
        ],
    }  # fmt: skip
    transcript = read_transcript(written(tmp_path, "a.json", json.dumps(content)))
    assert transcript.text == "Hi there. No."
    assert [w.text for w in transcript.words] == ["Hi", "there.", "No."]
    assert transcript.words[2] == Word("No.", 36000, 40000)


def test_json_with_text_alone(tmp_path: Path) -> None:
    path = written(tmp_path, "a.json", '{"text": "only  this"}')
    assert read_transcript(path) == Transcript("only this")


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a.txt", b"good caf\xe9 bad", "is not UTF-8: byte 8 is 0xe9"),
        ("a.txt", b"\xef\xbb\xbfab\xff", "is not UTF-8: byte 5 is 0xff"),
        ("a.txt", "hi".encode("utf-16"), r"is not UTF-8 \(it begins like UTF-16\): byte 0"),
        ("a.doc", "x", r"must end in \.srt, \.vtt, \.txt, \.json"),
        ("a.srt", "hello", "holds no subtitles"),
        ("a.srt", "1\n00:00:01 -> 00:02\n\n1\n0:x --> 1\nhi", "holds no subtitles"),
        ("a.srt", "1\n00:00:02,0 --> 00:00:01,0\nhi", "holds no subtitles"),
        ("a.json", "{", "is not JSON"),
        ("a.json", "[" * 100000, "is not JSON"),
        ("a.json", "[]", "holds no transcript"),
        ("a.json", "3", "holds no transcript"),
        ("a.json", '{"label": "happy"}', "holds no transcript"),
        ("a.json", '{"words": [3]}', "holds no transcript"),
        ("a.json", '{"words": [{"start": 0, "end": 1}]}', "holds no transcript"),
    ],
)
def test_what_is_wrong_is_named(
    tmp_path: Path, name: str, content: str | bytes, message: str
) -> None:
    path = written(tmp_path, name, content)
    with pytest.raises(MediaError, match=message) as error:
        read_transcript(path)
    assert str(path) in str(error.value)


def test_missing_and_unreadable_files(tmp_path: Path) -> None:
    with pytest.raises(MediaError, match=r"no such transcript: .*a\.txt"):
        read_transcript(tmp_path / "a.txt")
    (tmp_path / "b.txt").mkdir()
    with pytest.raises(MediaError, match=r"b\.txt cannot be read"):
        read_transcript(tmp_path / "b.txt")
    with (tmp_path / "c.txt").open("wb") as file:
        file.truncate(20 * 1024 * 1024)
    with pytest.raises(MediaError, match="too large"):
        read_transcript(tmp_path / "c.txt")


def test_the_sidecar_with_times_comes_first(tmp_path: Path) -> None:
    clip = tmp_path / "clip.mp4"
    assert find_sidecar(clip) is None
    words = written(tmp_path, "clip.json", '{"text": "a"}')
    assert find_sidecar(clip) == words
    text = written(tmp_path, "clip.txt", "a")
    assert find_sidecar(str(clip)) == text
    subtitles = written(tmp_path, "clip.srt", SRT)
    assert find_sidecar(clip) == subtitles
    assert find_sidecar("") is None


@pytest.mark.parametrize("content", ['{"label": "happy"}', "no json", b"\xff\xff"])
def test_json_that_is_no_transcript_belongs_to_somebody_else(
    tmp_path: Path, content: str | bytes
) -> None:
    written(tmp_path, "clip.json", content)
    assert find_sidecar(tmp_path / "clip.mp4") is None


def test_a_clip_is_not_its_own_transcript(tmp_path: Path) -> None:
    assert find_sidecar(written(tmp_path, "clip.txt", "a")) is None


@given(st.text(), st.integers(0, 10**9), st.integers(0, 10**9))
def test_spread_words_follow_each_other_and_fill_the_span(
    text: str, start: int, length: int
) -> None:
    words = list(spread(text, start, start + length))
    assert [w.text for w in words] == text.split()
    times = [t for w in words for t in (w.start, w.end)]
    assert times == sorted(times)
    if words:
        assert (times[0], times[-1]) == (start, start + length)


def test_a_clip_whose_name_is_as_long_as_the_system_allows_has_a_sidecar(tmp_path: Path) -> None:
    clip = written(tmp_path, "a" * 251 + ".wav", "x")
    assert find_sidecar(clip) is None  # though .json would be a letter too long
    words = written(tmp_path, "a" * 251 + ".txt", "so glad")
    assert find_sidecar(clip) == words
    assert find_sidecar("b" * 5000) is None
