"""What is wrong with a file, or with its words, reaches the decision."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from fixtures.recordings import tone
from matplotlib.figure import Figure

from edge_ser import EdgeRecognizer, LiveDecision, PushedClock, ReplaySource, Transcript, Word
from edge_ser.cli.main import main
from edge_ser.constants import SAMPLE_RATE
from edge_ser.plots.clip import draw_clip

Recording = Callable[..., Path]


@pytest.fixture(scope="module")
def recognizer() -> Iterator[EdgeRecognizer]:
    with EdgeRecognizer() as made:
        yield made


def _gap(time: float) -> bool:
    return 0.5 <= time < 0.9


def test_a_gap_in_the_sound_is_noted(recognizer: EdgeRecognizer, recording: Recording) -> None:
    clip = recording("gap.mkv", audio=tone(2.0), lost=_gap)
    whole = recording("whole.mkv", audio=tone(2.0))
    assert recognizer.recognize(whole).notes == ()
    decision = recognizer.recognize(clip)
    assert any("filled with silence" in note for note in decision.notes)
    assert decision.to_dict()["notes"] == list(decision.notes)
    assert any("filled with silence" in note for note in recognizer.timeline(clip)[-1].notes)


def test_half_of_a_clip_is_missing_only_where_it_ends(
    recognizer: EdgeRecognizer, recording: Recording
) -> None:
    clip = recording("gap.mkv", audio=tone(4.0), lost=_gap)
    timeline = recognizer.timeline(clip)
    # A window at the beginning knows of the gap; the rest of the clip is still to come.
    assert "filled with silence" in timeline[2].notes[0]
    assert timeline[2].window.end < timeline[-1].window.end / 2
    assert not any(note.startswith("only") for d in timeline for note in d.notes)


def _replayed(recognizer: EdgeRecognizer, source: ReplaySource) -> list[LiveDecision]:
    with recognizer.stream(clock=PushedClock(), consent=True) as stream, source:
        source.start(stream)
        assert source.wait(30)
    return list(stream)


def test_a_replay_tells_what_is_wrong_with_the_file(
    recognizer: EdgeRecognizer, recording: Recording
) -> None:
    clip = recording("gap.mkv", audio=tone(3.0), lost=_gap)
    decisions = _replayed(recognizer, ReplaySource(clip, speed=None))
    assert "filled with silence" in decisions[-1].notes[0]
    assert decisions[-1].to_dict()["notes"] == list(decisions[-1].notes)
    whole = recording("whole.mkv", audio=tone(3.0))
    assert {d.notes for d in _replayed(recognizer, ReplaySource(whole, speed=None))} == {()}


def test_a_replay_counts_words_behind_the_end(
    recognizer: EdgeRecognizer, recording: Recording
) -> None:
    said = Transcript(
        "so glad you came",
        (Word("so", 0, 8000), Word("glad", 30000, 33000), Word("you", 64000, 65000)),
    )
    clip = recording("words.wav", audio=tone(2.0))
    last = _replayed(recognizer, ReplaySource(clip, speed=None, transcript=said))[-1]
    assert "1 of 3 words lie behind the end" in last.notes[0]
    # A word that is said as the clip ends is heard.
    assert last.modalities["text"].present


def test_the_live_command_shows_the_notes(
    recording: Recording, capsys: pytest.CaptureFixture[str]
) -> None:
    clip = recording("gap.mkv", audio=tone(2.0), lost=_gap)
    with pytest.raises(SystemExit, match="0"):
        main(["live", "--replay", str(clip), "--json"])
    last = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert "filled with silence" in last["notes"][0]


def test_a_plot_shows_the_notes(
    recognizer: EdgeRecognizer, recording: Recording, monkeypatch: pytest.MonkeyPatch
) -> None:
    drawn: list[str] = []
    text = Figure.text

    def spy(self: Figure, x: float, y: float, s: str, **style: Any) -> Any:
        drawn.append(s)
        return text(self, x, y, s, **style)

    monkeypatch.setattr(Figure, "text", spy)
    clip = recording("gap.mkv", audio=tone(2.0), lost=_gap)
    decision = recognizer.recognize(clip)
    target = clip.with_suffix(".svg")
    draw_clip(recognizer, clip, decision, None, target)
    assert [t for t in drawn if t.startswith("note: the sound is interrupted")]
    drawn.clear()
    many = replace(decision, notes=("a", "b", "c", "d"))
    draw_clip(recognizer, clip, many, None, target)
    assert [t for t in drawn if t.startswith("note")] == [
        "note: a",
        "note: b",
        "note: c; and 2 more",
    ]


@pytest.mark.parametrize("share", [0.75, 0.3])
def test_a_clip_that_was_cut_short_says_so_first(
    share: float, recognizer: EdgeRecognizer, recording: Recording
) -> None:
    whole = recording("whole.flac", audio=tone(8.0), sound_codec="flac")
    cut = whole.with_name("cut.flac")
    cut.write_bytes(whole.read_bytes()[: round(whole.stat().st_size * share)])
    timeline = recognizer.timeline(cut)
    assert not any(note.startswith("only") for d in timeline[:-1] for note in d.notes)
    replayed = _replayed(recognizer, ReplaySource(cut, speed=None))
    for decision in (recognizer.recognize(cut), timeline[-1], replayed[-1]):
        assert any("cut short" in note for note in decision.notes)
        assert decision.notes[0].startswith("only") == (share < 0.5)


def test_the_command_shows_notes_to_people_and_machines(
    recording: Recording, capsys: pytest.CaptureFixture[str]
) -> None:
    clip = recording("gap.mkv", audio=tone(2.0), lost=_gap)
    with pytest.raises(SystemExit, match="0"):
        main(["recognize", str(clip)])
    assert "note: the sound is interrupted" in " ".join(capsys.readouterr().out.split())
    with pytest.raises(SystemExit, match="0"):
        main(["recognize", str(clip), "--json"])
    assert "filled with silence" in " ".join(json.loads(capsys.readouterr().out)["notes"])


def test_words_behind_the_end_are_counted(recognizer: EdgeRecognizer) -> None:
    inside, outside = Word("so", 0, 8000), Word("glad", 4 * SAMPLE_RATE, 5 * SAMPLE_RATE)
    clip = (np.zeros(2 * SAMPLE_RATE, np.float32), SAMPLE_RATE)
    both = Transcript("so glad", (inside, outside))
    assert "1 of 2 words lie behind the end" in recognizer.recognize(clip, both).notes[0]
    assert recognizer.recognize(clip, Transcript("so", (inside,))).notes == ()
    assert "1 of 2 words" in recognizer.timeline(clip, both)[-1].notes[0]


def test_an_unknown_json_beside_the_clip_is_named(
    recognizer: EdgeRecognizer, recording: Recording
) -> None:
    clip = recording("clip.wav", audio=tone(1.0))
    clip.with_suffix(".json").write_text('{"camera": 3}')
    text = recognizer.recognize(clip).modalities["text"]
    assert text.reason == "no transcript"
    assert text.notes == ("clip.json was seen and not understood",)


@pytest.mark.parametrize(
    ("words", "language"),
    [
        ("ich habe das nicht gewusst und es ist mir egal", None),
        ("я так рад тебя видеть", None),
        ("what a day", "de"),
    ],
)
def test_words_in_a_language_that_the_encoder_does_not_know_are_left_out(
    words: str, language: str | None
) -> None:
    with EdgeRecognizer() as english:
        clip = (np.zeros(SAMPLE_RATE, np.float32), SAMPLE_RATE)
        left_out = english.recognize(clip, Transcript(words, language=language)).modalities["text"]
        assert not left_out.present
        assert "the text encoder knows English alone" in (left_out.reason or "")
        known = english.recognize(clip, Transcript("what a day", language="en-US"))
        assert known.modalities["text"].present
