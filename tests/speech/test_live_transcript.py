"""Words of a live stream: guesses, final words, and what happens when something goes wrong."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edge_ser.errors import ConfigError, EngineError
from edge_ser.media.media import read_clip
from edge_ser.media.transcript import Word
from edge_ser.speech.live_transcript import Heard, LiveTranscript, TranscribingSink
from edge_ser.speech.voice_activity import SpeechSpan

PAUSE = np.zeros(16000, np.float32)


class FakeListener:
    """Hears a word every half second of a span."""

    def __init__(self) -> None:
        self.spans: list[SpeechSpan] = []
        self.fails = False

    def words(self, span: SpeechSpan) -> tuple[Word, ...]:
        if self.fails:
            raise EngineError("the recogniser broke")
        self.spans.append(span)
        starts = range(span.start, span.stop, 8000)
        return tuple(Word(f"w{i}", s, min(s + 8000, span.stop)) for i, s in enumerate(starts))


@pytest.fixture(scope="module")
def speech(demo_clip: Path) -> np.ndarray:
    return read_clip(demo_clip, want_video=False).samples


def heard(transcript: LiveTranscript, audio: np.ndarray, begin: int) -> list[Heard]:
    found = []
    for at in range(0, len(audio), 800):
        found += transcript.accept(audio[at : at + 800], begin + at)
    return found + transcript.finish()


def test_guesses_come_while_someone_speaks_and_final_words_after(speech: np.ndarray) -> None:
    begin = 1 << 34
    listener = FakeListener()
    found = heard(LiveTranscript(listener), np.concatenate([PAUSE, speech, PAUSE]), begin)
    *guesses, last = found
    assert len(guesses) >= 2
    assert not any(h.final for h in guesses)
    assert last.final
    assert len(last.words) == 1 + (listener.spans[-1].stop - listener.spans[-1].start - 1) // 8000
    assert last.words[0].start == last.start
    assert abs(last.start - begin - 16000) < 8000
    assert last.words[-1].end == last.end <= begin + 32000 + len(speech)


def test_no_guesses_when_the_machine_is_behind(speech: np.ndarray) -> None:
    transcript = LiveTranscript(FakeListener())
    found = transcript.accept(speech, 0, may_guess=False) + transcript.finish()
    assert [h.final for h in found] == [True]


def test_a_gap_ends_what_was_said(speech: np.ndarray) -> None:
    transcript = LiveTranscript(FakeListener(), guess_seconds=100)
    first = transcript.accept(speech[:40000], 1000)
    second = transcript.accept(speech[:40000], 500_000)
    assert first == []
    assert [h.final for h in second] == [True]
    assert second[0].end <= 41000
    (rest,) = transcript.finish()
    assert rest.start >= 500_000


def test_a_guess_about_what_was_no_speech_is_taken_back(speech: np.ndarray) -> None:
    transcript = LiveTranscript(FakeListener(), guess_seconds=0.01)
    # A snippet that opens a span but is too short to be speech.
    click = np.concatenate([PAUSE, speech[8000:9500], PAUSE, PAUSE])
    found = []
    for at in range(0, len(click), 160):
        found += transcript.accept(click[at : at + 160], at)
    if found:
        assert found[-1].final
    assert transcript.finish() == []


def test_times_of_guesses_are_refused_if_they_cannot_be() -> None:
    with pytest.raises(ConfigError, match="guess_seconds"):
        LiveTranscript(FakeListener(), guess_seconds=0)


def test_the_sink_hands_everything_on_and_adds_the_words(sink: Any, speech: np.ndarray) -> None:
    picture = np.zeros((4, 4, 3), np.uint8)
    audio = np.concatenate([speech, PAUSE])
    with TranscribingSink(sink, FakeListener(), guess_seconds=100) as listening:
        for at in range(0, len(audio), 1600):
            assert listening.push_audio(audio[at : at + 1600], 7000 + at)
        assert listening.push_video(picture, 12)
        assert listening.push_text("typed", 1, 2, final=False)
    np.testing.assert_array_equal(sink.samples, audio)
    assert sink.pictures[0][1] == 12
    assert ("typed", 1, 2, False) in sink.words
    spoken = [w for w in sink.words if w[0] != "typed"]
    assert [w[0] for w in spoken] == [f"w{i}" for i in range(len(spoken))]
    assert len(spoken) >= 5
    assert all(final for *_, final in spoken)
    assert spoken[0][1] >= 7000
    assert listening.dropped_samples == 0
    assert listening.error is None


def test_other_rates_types_and_channels_are_listened_to(sink: Any, speech: np.ndarray) -> None:
    wide = np.repeat((np.concatenate([speech, PAUSE]) * 32767).astype(np.int16), 3)
    listener = FakeListener()
    with TranscribingSink(sink, listener, guess_seconds=100) as listening:
        for at in range(0, len(wide), 4800):
            chunk = np.stack([wide[at : at + 4800]] * 2, axis=1)
            listening.push_audio(chunk, at // 3, 48000)
    assert listening.error is None
    assert len(listener.spans) == 1
    assert listener.spans[0].stop <= len(speech) + 16000


def test_what_the_recogniser_has_no_time_for_is_counted_and_sound_goes_on(
    sink: Any, speech: np.ndarray
) -> None:
    gate = threading.Event()
    listener = FakeListener()
    free = listener.words
    listener.words = lambda span: (gate.wait(20), free(span))[1]  # type: ignore[method-assign]
    with TranscribingSink(sink, listener, guess_seconds=0.1) as listening:
        audio = np.concatenate([speech] * 6)
        for at in range(0, len(audio), 320):
            assert listening.push_audio(audio[at : at + 320], at)
        assert len(sink.samples) == len(audio)
        assert listening.dropped_samples > 0
        gate.set()


def test_a_recogniser_that_fails_is_told_and_survived(
    sink: Any, speech: np.ndarray, eventually: Any
) -> None:
    listener = FakeListener()
    listener.fails = True
    with TranscribingSink(sink, listener, guess_seconds=100) as listening:
        for audio in (speech, PAUSE):
            listening.push_audio(audio, len(sink.samples) if sink.audio else 0)
        eventually(lambda: listening.error is not None)
        assert "the recogniser broke" in str(listening.error)
        listener.fails = False
        for audio in (speech, PAUSE):
            assert listening.push_audio(audio, len(sink.samples))
    assert len(sink.words) > 0


def test_a_closed_sink_still_hands_on(sink: Any) -> None:
    listening = TranscribingSink(sink, FakeListener())
    listening.close()
    listening.close()
    assert listening.push_audio(PAUSE, 0)
    assert len(sink.audio) == 1
