"""Where nobody speaks no emotion is named; where somebody does, nearly nothing is lost."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from fixtures.without_speech import recordings

from edge_ser import EdgeRecognizer
from edge_ser.constants import SAMPLE_RATE
from edge_ser.media.clip import Samples
from edge_ser.media.media import open_clip, read_clip
from edge_ser.speech.speech_gate import NOBODY_SPEAKS, SpeechGate
from edge_ser.speech.voice_activity import VoiceActivity

MOST_LOST = 0.01


@pytest.fixture(scope="module")
def recognizer() -> Iterator[EdgeRecognizer]:
    with EdgeRecognizer() as made:
        yield made


def test_of_sixty_recordings_without_speech_at_most_one_is_named(
    recognizer: EdgeRecognizer,
) -> None:
    decisions = {n: recognizer.recognize((s, SAMPLE_RATE)) for n, s in recordings()}
    assert len(decisions) == 60
    assert len({n for n, d in decisions.items() if d.label is not None}) <= 1
    reasons = {d.modalities["audio"].reason for d in decisions.values()}
    assert NOBODY_SPEAKS in reasons
    assert "digital silence" in reasons


def test_the_gate_can_be_left_out(recognizer: EdgeRecognizer) -> None:
    hum = dict(recordings())["mains hum 50 Hz"]
    assert recognizer.recognize((hum, SAMPLE_RATE), speech_gate=False).modalities["audio"].present
    timeline = recognizer.timeline((hum, SAMPLE_RATE), speech_gate=False)
    assert timeline[-1].modalities["audio"].present
    gated = recognizer.timeline((hum, SAMPLE_RATE))
    assert {d.modalities["audio"].reason for d in gated} == {NOBODY_SPEAKS}


def test_a_window_that_holds_some_speech_uses_it(
    recognizer: EdgeRecognizer, demo_clip: Path
) -> None:
    speech = read_clip(demo_clip, want_video=False).samples[:SAMPLE_RATE]
    hum = np.resize(dict(recordings())["faint hum"], 4 * SAMPLE_RATE)
    mixed = np.concatenate([hum, speech, hum])
    assert recognizer.recognize((mixed, SAMPLE_RATE)).modalities["audio"].present
    present = [
        d.modalities["audio"].present
        for d in recognizer.timeline((mixed, SAMPLE_RATE), window=1.0, hop=0.5)
    ]
    assert any(present)
    assert not present[0]
    assert not present[-1]


def test_a_face_alone_answers_and_says_so(recognizer: EdgeRecognizer, demo_clip: Path) -> None:
    clip = read_clip(demo_clip)
    silent = dict(recordings())["pink noise"][: len(clip.samples)]
    clip.samples = np.resize(silent, len(clip.samples))
    decision = recognizer.recognize(clip)
    assert decision.present == ("video",)
    if decision.label is not None:
        assert "nobody speaks: this rests on face alone" in decision.notes


def test_quiet_speech_gets_a_hint(recognizer: EdgeRecognizer, demo_clip: Path) -> None:
    samples = read_clip(demo_clip, want_video=False).samples
    quiet = samples * (0.02 / np.abs(samples).max())
    notes = recognizer.recognize((quiet, SAMPLE_RATE)).modalities["audio"].notes
    assert any("raise the microphone's gain" in note for note in notes)
    loud = samples * (0.8 / np.abs(samples).max())
    assert not recognizer.recognize((loud, SAMPLE_RATE)).modalities["audio"].notes


def heard(samples: Samples) -> bool:
    gate = SpeechGate(VoiceActivity(), len(samples))
    gate.accept(samples, len(samples))
    return gate.speaks(0, len(samples))


@pytest.mark.data
@pytest.mark.parametrize("corpus", ["ravdess_speech", "emodb/original"])
def test_of_clips_with_speech_at_most_one_in_a_hundred_is_lost(
    corpus: str, data_folder: Path
) -> None:
    clips = sorted((data_folder / corpus).rglob("*.flac"))[::3]
    lost = [p.name for p in clips if not heard(read_clip(p, want_video=False).samples)]
    assert len(clips) > 100
    assert len(lost) <= MOST_LOST * len(clips), lost


@pytest.mark.data
def test_of_band_limited_speech_at_most_one_in_a_hundred_is_lost(data_folder: Path) -> None:
    import csv

    folder = data_folder / "cremad"
    with (folder / "manifest.csv").open(newline="") as file:
        rows = [r for r in csv.DictReader(file) if r["split"] == "test"]
    actors = sorted({r["clip"] for r in rows})[:5]
    lost = total = 0
    for actor in actors:
        with open_clip(folder / actor) as clip:
            audio = np.concatenate([s.samples for s in clip.segments(60.0, None)])
        for row in (r for r in rows if r["clip"] == actor):
            start, stop = (round(float(row[key]) * SAMPLE_RATE) for key in ("start", "end"))
            lost += not heard(audio[start:stop])
            total += 1
    assert total > 300
    assert lost <= MOST_LOST * total, f"{lost} of {total}"
