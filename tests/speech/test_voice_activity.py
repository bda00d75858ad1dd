"""Speech is found where it is, however the stream is cut."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge_ser.errors import ConfigError
from edge_ser.media.media import read_clip
from edge_ser.speech.voice_activity import (
    FRAME,
    SpeechSegmenter,
    SpeechSpan,
    SpeechSpanOptions,
    VoiceActivity,
)


@pytest.fixture(scope="module")
def speech(demo_clip: Path) -> np.ndarray:
    """One spoken sentence, 16 kHz."""
    return read_clip(demo_clip, want_video=False).samples


def spans_of(audio: np.ndarray, options: SpeechSpanOptions | None = None) -> list[SpeechSpan]:
    segmenter = SpeechSegmenter(options)
    return [*segmenter.accept(audio), *segmenter.finish()]


def test_speech_is_probable_and_other_sound_is_not(speech: np.ndarray) -> None:
    activity = VoiceActivity()
    assert np.mean(activity.accept(speech) > 0.5) > 0.6
    random = np.random.default_rng(0)
    time = np.arange(32000) / 16000
    for other in (
        np.zeros(32000),
        random.normal(0, 0.05, 32000),
        0.3 * np.sin(2 * np.pi * 1000 * time),
    ):
        activity.reset()
        assert activity.accept(other.astype(np.float32)).max() < 0.5


@settings(max_examples=15, deadline=None)
@given(sizes=st.lists(st.integers(0, 3000), min_size=1, max_size=12))
def test_probabilities_do_not_depend_on_the_chunks(speech: np.ndarray, sizes: list[int]) -> None:
    audio = speech[:20000]
    whole = VoiceActivity().accept(audio)
    assert len(whole) == len(audio) // FRAME
    activity, found, at = VoiceActivity(), [], 0
    for size in [*sizes, len(audio)]:
        found.append(activity.accept(audio[at : at + size]))
        at += size
    # A block of one frame is multiplied in another order than a block of many.
    np.testing.assert_allclose(np.concatenate(found), whole, atol=1e-5)


def test_the_last_open_frame_counts() -> None:
    activity = VoiceActivity()
    assert len(activity.accept(np.zeros(FRAME + 1, np.float32))) == 1
    assert len(activity.finish()) == 1
    assert len(activity.finish()) == 0


def test_sentences_become_spans_with_their_sound(speech: np.ndarray) -> None:
    silence = np.zeros(24000, np.float32)
    audio = np.concatenate([silence, speech, silence, speech, silence])
    spans = spans_of(audio)
    assert len(spans) == 2
    for span, start in zip(spans, (24000, 48000 + len(speech)), strict=True):
        assert abs(span.start - start) < 8000
        assert abs(span.stop - (start + len(speech))) < 12000
        np.testing.assert_array_equal(span.samples, audio[span.start : span.stop])
        assert len(span.probabilities) == len(span.samples) // FRAME


@pytest.mark.parametrize("size", [160, 1000, 48000])
def test_spans_do_not_depend_on_the_chunks(speech: np.ndarray, size: int) -> None:
    audio = np.concatenate([speech, np.zeros(24000, np.float32), speech])
    segmenter, found = SpeechSegmenter(), []
    for at in range(0, len(audio), size):
        found += segmenter.accept(audio[at : at + size])
    found += segmenter.finish()
    whole = spans_of(audio)
    assert [(s.start, s.stop) for s in found] == [(s.start, s.stop) for s in whole]


def test_endless_speech_is_cut_without_a_hole(speech: np.ndarray) -> None:
    audio = np.concatenate([speech[2000:50000]] * 6)
    spans = spans_of(audio, SpeechSpanOptions(longest=4.0))
    assert len(spans) >= 4
    assert all(len(s.samples) <= 4.1 * 16000 for s in spans)
    assert all(a.stop == b.start for a, b in pairwise(spans))
    assert spans[-1].stop > len(audio) - 16000


def test_silence_has_no_spans_and_is_not_kept() -> None:
    segmenter = SpeechSegmenter()
    for _ in range(100):
        assert segmenter.accept(np.zeros(16000, np.float32)) == []
    assert len(segmenter._audio) < 16000
    assert segmenter.finish() == []
    assert segmenter.open_span is None


def test_an_open_span_can_be_looked_at(speech: np.ndarray) -> None:
    segmenter = SpeechSegmenter()
    assert segmenter.accept(speech[:24000]) == []
    span = segmenter.open_span
    assert span is not None
    assert span.stop == 24000 // FRAME * FRAME
    np.testing.assert_array_equal(span.samples, speech[span.start : span.stop])


@pytest.mark.parametrize(
    "wrong",
    [
        {"begin": 1.0},
        {"begin": 0.3, "end": 0.4},
        {"end": 0.0},
        {"pause": 0.0},
        {"margin": -1.0},
        {"longest": 0.5},
    ],
)
def test_options_out_of_range_are_refused(wrong: dict[str, float]) -> None:
    with pytest.raises(ConfigError):
        SpeechSpanOptions(**wrong)
