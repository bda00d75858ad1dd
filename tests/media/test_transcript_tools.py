"""Transcripts as the tools of the field write them: each word once, at its time."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from edge_ser.constants import SAMPLE_RATE
from edge_ser.errors import MediaError
from edge_ser.media.transcript import (
    Transcript,
    find_sidecar,
    given_transcript,
    read_transcript,
    sidecar_transcript,
)

Spoken = list[tuple[str, float, float]]

HELLO: Spoken = [("Hello", 0.5, 1.0), ("world.", 1.25, 2.0)]


def spoken(transcript: Transcript) -> Spoken:
    return [(w.text, w.start / SAMPLE_RATE, w.end / SAMPLE_RATE) for w in transcript.words]


def read(folder: Path, content: Any, name: str = "clip.json") -> Transcript:
    path = folder / name
    path.write_text(content if isinstance(content, str) else json.dumps(content), "utf-8")
    return read_transcript(path)


def words(text: str, start: str, end: str, scale: float = 1.0) -> list[dict[str, Any]]:
    return [{text: w, start: a * scale, end: b * scale} for w, a, b in HELLO]


# fmt: off
TOOLS: dict[str, Any] = {
    "whisper": {"text": " Hello world.", "language": "en", "segments": [
        {"id": 0, "seek": 0, "start": 0.5, "end": 2.0, "text": " Hello world.",
         "words": words("word", "start", "end")}]},
    "faster-whisper, a bare list": [
        {"id": 1, "start": 0.5, "end": 2.0, "text": " Hello world.",
         "words": words("word", "start", "end")}],
    "whisperX": {"segments": [
        {"start": 0.5, "end": 2.0, "text": "Hello world.", "speaker": "SPEAKER_00",
         "words": words("word", "start", "end")}], "word_segments": [], "language": "en"},
    "whisper.cpp": {"result": {"language": "en"}, "transcription": [
        {"timestamps": {"from": "00:00:00,500", "to": "00:00:01,000"},
         "offsets": {"from": 500, "to": 1000}, "text": " Hello"},
        {"timestamps": {"from": "00:00:01,250", "to": "00:00:02,000"},
         "offsets": {"from": 1250, "to": 2000}, "text": " world."}]},
    "Amazon Transcribe": {"jobName": "a", "results": {
        "transcripts": [{"transcript": "Hello world."}],
        "items": [
            {"start_time": "0.5", "end_time": "1.0", "type": "pronunciation",
             "alternatives": [{"confidence": "0.9", "content": "Hello"}]},
            {"start_time": "1.25", "end_time": "2.0", "type": "pronunciation",
             "alternatives": [{"confidence": "0.9", "content": "world."}]},
            {"type": "punctuation", "alternatives": [{"content": "."}]}]}},
    "Google Speech-to-Text": {"results": [{"languageCode": "en-us", "alternatives": [
        {"transcript": "Hello world.", "confidence": 0.9, "words": [
            {"startTime": "0.500s", "endTime": "1s", "word": "Hello"},
            {"startTime": "1.250s", "endTime": "2s", "word": "world."}]}]}]},
    "Google, protocol buffers": {"results": [{"alternatives": [
        {"transcript": "Hello world.", "words": [
            {"start_time": {"nanos": 500000000}, "end_time": {"seconds": 1}, "word": "Hello"},
            {"start_time": {"seconds": 1, "nanos": 250000000}, "end_time": {"seconds": 2},
             "word": "world."}]}]}]},
    "Deepgram": {"metadata": {}, "results": {"channels": [{"detected_language": "en",
        "alternatives": [{"transcript": "hello world", "words": [
            {"word": "hello", "start": 0.5, "end": 1.0, "punctuated_word": "Hello"},
            {"word": "world", "start": 1.25, "end": 2.0, "punctuated_word": "world."}]}]}]}},
    "AssemblyAI, milliseconds": {"id": "x", "status": "completed", "text": "Hello world.",
        "language_code": "en_us", "audio_duration": 3,
        "words": words("text", "start", "end", 1000)},
    "Azure": {"recognizedPhrases": [{"offsetInTicks": 5000000, "durationInTicks": 15000000,
        "nBest": [{"display": "Hello world.", "words": [
            {"word": "Hello", "offsetInTicks": 5000000, "durationInTicks": 5000000},
            {"word": "world.", "offsetInTicks": 12500000, "durationInTicks": 7500000}]}]}]},
    "Vosk": {"result": [{"conf": 1.0, **w} for w in words("word", "start", "end")],
             "text": "Hello world."},
    "transformers": {"text": " Hello world.", "chunks": []},
    "a bare list of words": words("word", "start", "end"),
    "a bare list of triples": [[0.5, 1.0, "Hello"], [1.25, 2.0, "world."]],
    "JSON lines": "\n".join(json.dumps(w) for w in words("word", "start", "end")),
    "JSON lines of Vosk": "\n".join(
        json.dumps({"result": [w], "text": w["word"]}) for w in words("word", "start", "end")),
}
# fmt: on


@pytest.mark.parametrize("tool", TOOLS)
def test_every_tool_is_understood(tool: str, tmp_path: Path) -> None:
    transcript = read(tmp_path, TOOLS[tool])
    assert " ".join(transcript.text.lower().split()).rstrip(".") == "hello world"
    assert transcript.notes == ()
    if tool != "transformers":
        assert spoken(transcript) == HELLO


def test_the_language_of_the_file_is_told(tmp_path: Path) -> None:
    for tool in ("whisper", "whisper.cpp", "Google Speech-to-Text", "Deepgram"):
        language = read(tmp_path, TOOLS[tool]).language
        assert language is not None, tool
        assert language.startswith("en"), tool


def test_words_without_times_share_the_time_between_their_neighbours(tmp_path: Path) -> None:
    segment = {
        "start": 0.0,
        "end": 3.0,
        "text": "I have 42 cats",
        "words": [
            {"word": "I", "start": 0.0, "end": 0.5},
            {"word": "have"},
            {"word": "42"},
            {"word": "cats", "start": 2.5, "end": 3.0},
        ],
    }
    found = spoken(read(tmp_path, {"segments": [segment]}))
    assert [w for w, _, _ in found] == ["I", "have", "42", "cats"]
    assert found[1][1] == 0.5
    assert found[2][2] == 2.5
    assert all(a <= b for _, a, b in found)


def test_without_any_time_the_plain_text_is_used(tmp_path: Path) -> None:
    assert read(tmp_path, ["Hello", "world."]) == Transcript("Hello world.")
    bare = {"segments": [{"text": "Hello"}, {"text": "world."}]}
    assert read(tmp_path, bare) == Transcript("Hello world.")


@pytest.mark.parametrize(
    "bad",
    [
        3,
        None,
        {"start": 1, "end": 2},
        {"word": "x", "start": 2, "end": 1},
        {"word": "x", "start": -1, "end": 2},
        {"word": "x", "start": "soon", "end": 2},
        {"word": "x", "start": float("nan"), "end": 2},
        {"word": "x", "start": 1, "end": 1e12},
    ],
)
def test_what_is_unusable_is_left_out_and_counted(bad: Any, tmp_path: Path) -> None:
    transcript = read(tmp_path, {"words": [*words("word", "start", "end"), bad]})
    assert spoken(transcript)[:2] == HELLO
    assert transcript.notes == ("1 entries of clip.json are unusable: left out",)


SUBTITLES = {
    "without blank lines": "1\n00:00:00,500 --> 00:00:01,000\nHello\n"
    "2\n00:00:01,250 --> 00:00:02,000\nworld.\n",
    "blank lines inside": "1\n00:00:00,500 --> 00:00:01,000\n\nHello\n\n\n"
    "2\n00:00:01,250 --> 00:00:02,000\n\n\nworld.\n",
    "double spaced": "\n\n".join(
        [
            "1",
            "00:00:00,500 --> 00:00:01,000",
            "Hello",
            "",
            "2",
            "00:00:01,250 --> 00:00:02,000",
            "world.",
            "",
        ]
    ),
    "speakers in brackets": "1\n00:00:00,500 --> 00:00:01,000\n[SPEAKER_01]: Hello\n\n"
    "2\n00:00:01,250 --> 00:00:02,000\nSPEAKER_00: world.\n",
    "names": "1\n00:00:00,500 --> 00:00:01,000\nAnna Lee: Hello\n\n"
    "2\n00:00:01,250 --> 00:00:02,000\n- Anna Lee: world.\n",
    "names in capitals": "1\n00:00:00,500 --> 00:00:01,000\nANNA: Hello\n\n"
    "2\n00:00:01,250 --> 00:00:02,000\n>> world.\n",
    "voices": "WEBVTT\n\n00:00.500 --> 00:01.000\n<v Anna>Hello</v>\n\n"
    "00:01.250 --> 00:02.000\n<v.loud Bob>world.\n",
    "sounds and music": "1\n00:00:00,500 --> 00:00:01,000\n[laughter] Hello (sighs)\n\n"
    "2\n00:00:01,000 --> 00:00:01,200\n♪ la la la ♪\n\n"
    "3\n00:00:01,250 --> 00:00:02,000\n♪♪ world.\n",
    "comments and styles": "WEBVTT - made by hand\nKind: captions\n\nNOTE\nnobody says this\n\n"
    "STYLE\n::cue { color: red }\n\nfirst\n00:00.500 --> 00:01.000 align:start\nHello\n\n"
    "00:01.250 --> 00:02.000\nworld.\n",
    "without milliseconds, a point": "1\n00:00:00.500 --> 00:00:01\nHello\n\n"
    "2\n00:00:01.25 --> 00:00:02\nworld.",
    "an empty cue": "1\n00:00:00,100 --> 00:00:00,200\n\n"
    "2\n00:00:00,500 --> 00:00:01,000\nHello\n\n"
    "3\n00:00:01,250 --> 00:00:02,000\nworld.\n",
}


@pytest.mark.parametrize("habit", SUBTITLES)
def test_subtitles_of_every_habit(habit: str, tmp_path: Path) -> None:
    name = "a.vtt" if SUBTITLES[habit].startswith("WEBVTT") else "a.srt"
    assert spoken(read(tmp_path, SUBTITLES[habit], name)) == HELLO


def test_numbers_that_are_said_stay(tmp_path: Path) -> None:
    text = "1\n00:00:00,500 --> 00:00:01,000\nforty\n42\n\n2\n00:00:01,000 --> 00:00:02,000\n7\n"
    assert read(tmp_path, text, "a.srt").text == "forty 42 7"


ROLLING = """WEBVTT
Kind: captions
Language: en

00:00:00.000 --> 00:00:02.000 align:start position:0%

so<00:00:00.500><c> glad</c><00:00:01.000><c> to</c>

00:00:02.000 --> 00:00:02.010 align:start position:0%
so glad to


00:00:02.010 --> 00:00:04.000 align:start position:0%
so glad to
be<00:00:02.500><c> here</c>

00:00:04.000 --> 00:00:04.010 align:start position:0%
be here

"""


def test_rolling_captions_hold_each_word_once(tmp_path: Path) -> None:
    transcript = read(tmp_path, ROLLING, "a.vtt")
    assert transcript.text == "so glad to be here"
    assert spoken(transcript)[1] == ("glad", 0.5, 1.0)


def test_what_is_said_twice_stays_twice(tmp_path: Path) -> None:
    text = "1\n00:00:01,000 --> 00:00:02,000\nNo.\n\n2\n00:00:03,000 --> 00:00:04,000\nNo.\n"
    assert read(tmp_path, text, "a.srt").text == "No. No."


def test_broken_cues_are_left_out_and_counted(tmp_path: Path) -> None:
    text = (
        "1\n00:00:00,500 --> 00:00:01,000\nHello\n\n2\n00:00:09,0 --> 00:00:01,0\nback\n\n"
        "3\n0:x --> 1\nnothing\n\n4\n00:00:01,250 --> 00:00:02,000\nworld.\n"
    )
    transcript = read(tmp_path, text, "a.srt")
    assert spoken(transcript) == HELLO
    assert transcript.notes == ("2 cues of a.srt have no usable times: left out",)


@pytest.mark.parametrize("name", ["clip.TXT", "clip.SRT", "clip.JSON", "clip.VTT"])
def test_endings_in_capitals_count(name: str, tmp_path: Path) -> None:
    text = {"TXT": "hi", "JSON": '{"text": "hi"}'}.get(name[-3:], SUBTITLES["names"])
    (tmp_path / name).write_text('{"text": "hi"}' if name.endswith("JSON") else text)
    assert find_sidecar(tmp_path / "clip.mp4") == tmp_path / name


def test_a_json_that_nobody_understands_is_named(tmp_path: Path) -> None:
    (tmp_path / "clip.json").write_text('{"camera": "front"}')
    found = sidecar_transcript(tmp_path / "clip.mp4")
    assert found is not None
    assert found.text == ""
    assert found.notes == ("clip.json was seen and not understood",)
    assert sidecar_transcript(tmp_path / "other.mp4") is None


def test_the_name_of_a_file_is_never_taken_for_words(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "said.txt").write_text("so glad")
    (tmp_path / "other.bin").write_text("so glad")
    for given in ("said.txt", "@said.txt", Path("said.txt"), Transcript("so glad")):
        assert given_transcript(given).text == "so glad"
    assert given_transcript("so glad").text == "so glad"
    assert given_transcript("x" * 10_000).text == "x" * 10_000
    for wrong, message in (("other.bin", "must end in"), ("@none.txt", "no such"), (3, "not int")):
        with pytest.raises(MediaError, match=message):
            given_transcript(wrong)  # type: ignore[arg-type]
