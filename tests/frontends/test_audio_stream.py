"""The streaming sound front-end gives the very rows of the whole clip, however it is cut."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge_ser.frontends.audio import HOP, AudioFrontend, default_audio_config
from edge_ser.frontends.audio_stream import LOOK_AHEAD, AudioFeatureStream
from edge_ser.media.clip import Samples

FRONTEND = AudioFrontend(default_audio_config())


def voice(samples: int, seed: int = 1) -> Samples:
    """A gliding harmonic sound with pauses and noise."""
    random = np.random.default_rng(seed)
    t = np.arange(samples) / 16000
    f0 = 140 + 40 * np.sin(2 * np.pi * 0.7 * t)
    phase = 2 * np.pi * np.cumsum(f0) / 16000
    tone = sum(np.sin(k * phase) / k for k in range(1, 10))
    gate = np.sin(2 * np.pi * 1.3 * t) > -0.4
    return (0.1 * tone * gate + 0.003 * random.standard_normal(samples)).astype(np.float32)


def streamed(stream: AudioFeatureStream, audio: Samples, cuts: list[int]) -> np.ndarray:
    pieces = np.split(audio, sorted(c % (len(audio) + 1) for c in cuts))
    return np.concatenate([*(stream.accept(p) for p in pieces), stream.finish()])


@settings(max_examples=40, deadline=None)
@given(
    samples=st.integers(0, 20000),
    cuts=st.lists(st.integers(0, 1 << 30), max_size=40),
    seed=st.integers(0, 5),
)
def test_chunking_never_changes_a_row(samples: int, cuts: list[int], seed: int) -> None:
    audio = voice(samples, seed)
    rows = streamed(AudioFeatureStream(FRONTEND), audio, cuts)
    np.testing.assert_array_equal(rows, FRONTEND.rows(audio))


def test_a_stream_can_begin_anew() -> None:
    stream = AudioFeatureStream(FRONTEND)
    streamed(stream, voice(9000, 3), [500])
    audio = voice(7000, 4)
    np.testing.assert_array_equal(streamed(stream, audio, [100, 4000]), FRONTEND.rows(audio))
    assert stream.emitted == 0


def test_rows_come_out_at_most_the_look_ahead_behind() -> None:
    stream = AudioFeatureStream(FRONTEND)
    for number, chunk in enumerate(np.split(voice(32000), 100)):
        stream.accept(chunk)
        behind = 320 * (number + 1) // HOP - stream.emitted
        assert behind <= LOOK_AHEAD // HOP + 1


@pytest.mark.parametrize("end", [16000, 16160, 40000, 40001, 47999])
def test_preview_gives_what_the_end_of_a_clip_would(end: int) -> None:
    audio = voice(48000)
    stream = AudioFeatureStream(FRONTEND)
    given_rows = [stream.accept(c) for c in np.split(audio[:end], range(320, end, 320))]
    whole = FRONTEND.rows(audio[:end])
    emitted = sum(map(len, given_rows))
    preview = stream.preview(end)
    assert emitted + len(preview) == len(whole) == end // HOP
    bands = FRONTEND.bands
    spectral = np.r_[0 : bands + 21]
    np.testing.assert_allclose(preview[:, spectral], whole[emitted:][:, spectral], atol=1e-4)
    # The path of the pitch starts anew 0.3 s before the end; it must agree where there is a voice.
    voiced = whole[emitted:, bands + 22] > 0.5
    difference = np.abs(preview[:, bands + 21] - whole[emitted:, bands + 21])
    assert (difference[voiced] < 0.02).all()


def test_preview_leaves_the_stream_as_it_was() -> None:
    audio = voice(20000)
    stream = AudioFeatureStream(FRONTEND)
    first = stream.accept(audio[:10000])
    stream.preview(10000)
    rest = [stream.accept(audio[10000:]), stream.finish()]
    np.testing.assert_array_equal(np.concatenate([first, *rest]), FRONTEND.rows(audio))


def test_a_window_of_a_stream_differs_from_a_clip_at_its_first_frames_only() -> None:
    audio = voice(64000)
    stream = AudioFeatureStream(FRONTEND)
    rows = np.concatenate([stream.accept(audio), stream.finish()])
    window = FRONTEND.rows(audio[16000:])
    bands = FRONTEND.bands + 21
    np.testing.assert_array_equal(rows[102:, :bands], window[2:, :bands])
    assert not np.array_equal(rows[100:102, :bands], window[:2, :bands])


def test_samples_that_are_no_numbers_leave_the_stream_alone() -> None:
    audio = voice(12000)
    stream = AudioFeatureStream(FRONTEND)
    first = stream.accept(audio[:5000])
    broken = audio[5000:].copy()
    broken[7] = np.nan
    with pytest.raises(ValueError, match="NaN"):
        stream.accept(broken)
    rest = [stream.accept(audio[5000:]), stream.finish()]
    np.testing.assert_array_equal(np.concatenate([first, *rest]), FRONTEND.rows(audio))
