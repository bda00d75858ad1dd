"""A clip's rows: the decisions that `recognize` and `timeline` give, or why there are none."""

from __future__ import annotations

import wave
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from fixtures.bundle_factory import make_bundle
from fixtures.labelled_clips import write_tone

from edge_ser import ConfigError, EdgeRecognizer
from edge_ser.score.clips import ClipToScore
from edge_ser.score.rows import Row, ScoreOptions, score_clip

OPTIONS = ScoreOptions(10.0, 10.0, speech_gate=False)


@pytest.fixture(scope="module")
def recognizer(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EdgeRecognizer]:
    with EdgeRecognizer(make_bundle(tmp_path_factory.mktemp("tiny"))) as made:
        yield made


def spans(rows: list[Row]) -> list[tuple[float, float]]:
    return [(row["start"], row["end"]) for row in rows]


def test_a_short_clip_has_the_one_decision_that_recognize_gives(
    recognizer: EdgeRecognizer, demo_clip: Path
) -> None:
    (row,) = score_clip(recognizer, ClipToScore(str(demo_clip)), OPTIONS)
    decision = recognizer.recognize(demo_clip, speech_gate=False)
    assert row["probabilities"] == decision.probabilities
    assert (row["label"], row["confidence"]) == (decision.label, decision.confidence)
    assert row["present"] == list(decision.present)
    assert set(row["contributions"]) == set(decision.present)
    assert row["bundle_hash"] == recognizer.bundle.digest
    assert (row["window"], row["channel"], row.get("error")) == (0, "mix", None)


def test_a_long_clip_has_a_row_a_window(recognizer: EdgeRecognizer, tmp_path: Path) -> None:
    clip = ClipToScore(str(write_tone(tmp_path / "a.wav", 200, 2.5)))
    rows = score_clip(recognizer, clip, ScoreOptions(1.0, 1.0, speech_gate=False))
    assert [row["window"] for row in rows] == [0, 1, 2]
    assert spans(rows) == [(0, 1), (1, 2), (1.5, 2.5)]


def test_each_channel_has_rows_of_its_own(recognizer: EdgeRecognizer, tmp_path: Path) -> None:
    times = np.arange(16000) / 16000
    stereo = np.stack([np.sin(900 * times), np.zeros(16000)], axis=1) * 9000
    with wave.open(str(tmp_path / "call.wav"), "wb") as file:
        file.setnchannels(2)
        file.setsampwidth(2)
        file.setframerate(16000)
        file.writeframes(stereo.astype("<i2").tobytes())
    clip = ClipToScore(str(tmp_path / "call.wav"))
    rows = score_clip(recognizer, clip, ScoreOptions(10, 10, "each", speech_gate=False))
    assert [row["channel"] for row in rows] == ["1", "2"]
    (left,) = score_clip(recognizer, clip, ScoreOptions(10, 10, "left", speech_gate=False))
    assert left["probabilities"] == rows[0]["probabilities"]
    assert [row["absent"].get("audio") for row in rows] == [None, "digital silence"]


def test_a_piece_is_scored_as_if_it_were_alone(recognizer: EdgeRecognizer, tmp_path: Path) -> None:
    whole = write_tone(tmp_path / "a.wav", 200, 3.0)
    with wave.open(str(whole)) as file:
        file.setpos(16000)
        content = file.readframes(24000)
    with wave.open(str(tmp_path / "b.wav"), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(16000)
        file.writeframes(content)
    options = ScoreOptions(1.0, 1.0, speech_gate=False)
    (tmp_path / "b.txt").write_text("so glad")
    pieces = score_clip(recognizer, ClipToScore(str(whole), 1.0, 2.5, "so glad"), options)
    alone = score_clip(recognizer, ClipToScore(str(tmp_path / "b.wav")), options)
    assert spans(pieces) == [(1, 2), (1.5, 2.5)]
    assert [p["probabilities"] for p in pieces] == [a["probabilities"] for a in alone]
    (tmp_path / "a.srt").write_text(
        "1\n00:00:00,100 --> 00:00:00,900\nbefore\n\n2\n00:00:01,100 --> 00:00:01,900\nso glad\n"
    )
    (given,) = score_clip(recognizer, ClipToScore(str(whole), 1.0, 2.0, "so glad"), options)
    (beside,) = score_clip(recognizer, ClipToScore(str(whole), 1.0, 2.0), options)
    assert beside["probabilities"] == given["probabilities"]
    assert "text: words from the file a.srt" in beside["notes"]


@pytest.mark.parametrize(
    ("clip", "says"),
    [
        (ClipToScore("gone.wav"), "no such file"),
        (ClipToScore("a.wav", 5.0, 6.0), "3.00 s long and does not hold the piece from 5 s to 6 s"),
        (ClipToScore("bad.wav"), "it is a text"),
        (ClipToScore("caf\udce9.wav"), "no such file"),
    ],
)
def test_what_cannot_be_used_is_a_row_with_its_error(
    recognizer: EdgeRecognizer,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    clip: ClipToScore,
    says: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    write_tone(tmp_path / "a.wav", 200, 3.0)
    (tmp_path / "bad.wav").write_text("so bad")
    for options in (OPTIONS, ScoreOptions(10.0, 10.0, "each")):
        (row,) = score_clip(recognizer, clip, options)
        assert says in row["error"]
        assert row["file"] == clip.file.replace("\udce9", "\\xe9")
        assert row["file"].encode() != b""
        assert (row["start"], row["end"]) == (clip.start, clip.end)
        assert "label" not in row


def test_an_error_that_nobody_foresaw_costs_one_clip_and_one_of_the_options_costs_all(
    recognizer: EdgeRecognizer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    clip = ClipToScore(str(write_tone(tmp_path / "a.wav", 200)))
    with pytest.raises(ConfigError, match="hop"):
        score_clip(recognizer, clip, ScoreOptions(1.0, 2.0))

    def fails(*_: object, **__: object) -> None:
        raise ZeroDivisionError("of all things")

    monkeypatch.setattr(recognizer, "timeline", fails)
    (row,) = score_clip(recognizer, clip, OPTIONS)
    assert row["error"] == "an error that nobody foresaw: ZeroDivisionError: of all things"
