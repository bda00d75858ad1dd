"""Arrays as input: what is right arrives exactly, what is wrong is named."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from edge_ser.errors import MediaError
from edge_ser.media.arrays import clip_from_arrays

Maker = Callable[..., np.ndarray]


@pytest.mark.parametrize("rate", [1000, 8000, 16000, 44100, 192000, 384000])
def test_any_rate_becomes_16_khz(make_tone: Maker, rate: int) -> None:
    clip = clip_from_arrays(make_tone(0.5, rate, 100.0), rate)
    assert clip.samples.dtype == np.float32
    assert len(clip.samples) == pytest.approx(8000, abs=8)
    expected = make_tone(0.5, 16000, 100.0)
    np.testing.assert_allclose(clip.samples[1600:6400], expected[1600:6400], atol=5e-3)
    assert clip.absent == {"video": "no pictures were given"}


def test_types_and_channels_are_one_scale(make_tone: Maker) -> None:
    audio = make_tone(0.1)
    whole = np.round(audio * 32768).astype(np.int16)
    stereo = np.stack([audio, np.zeros_like(audio)], axis=1)
    np.testing.assert_array_equal(clip_from_arrays(audio, 16000).samples, audio)
    np.testing.assert_array_equal(clip_from_arrays(audio.astype(np.float64), 16000).samples, audio)
    np.testing.assert_allclose(clip_from_arrays(whole, 16000).samples, audio, atol=1 / 32768)
    np.testing.assert_allclose(clip_from_arrays(stereo, 16000).samples, audio / 2, rtol=1e-6)
    assert clip_from_arrays(np.array([-32768], np.int16), 16000).samples[0] == -1.0


def test_the_caller_keeps_its_array(make_tone: Maker) -> None:
    audio = make_tone(0.1)
    clip = clip_from_arrays(audio, 16000)
    audio[:] = 0
    assert clip.samples.any()


@pytest.mark.parametrize(
    ("samples", "rate", "message"),
    [
        (np.zeros(0, np.float32), 16000, "empty"),
        (np.zeros((5, 0), np.float32), 16000, "empty"),
        (np.zeros(5, np.float16), 16000, "not float16"),
        (np.zeros(5, np.int64), 16000, "not int64"),
        (np.zeros(5, np.complex64), 16000, "not complex64"),
        (["a"], 16000, "must be float32"),
        (np.zeros((2, 3, 4), np.float32), 16000, r"not \(2, 3, 4\)"),
        (np.zeros((2, 16000), np.float32), 16000, "transpose"),
        (np.zeros(5, np.float32), None, "need their sample_rate"),
        (np.zeros(5, np.float32), 999, "between 1000 and 384000"),
        (np.zeros(5, np.float32), 384001, "between 1000 and 384000"),
        (np.zeros(5, np.float32), 16000.5, "whole number"),
        (np.zeros(5, np.float32), True, "whole number"),
        (np.zeros(5, np.float32), float("nan"), "whole number"),
        (np.full(5, 20000, np.float32), 16000, "divide 16-bit values by 32768"),
    ],
)
def test_wrong_samples_are_named(samples: object, rate: object, message: str) -> None:
    with pytest.raises(MediaError, match=message):
        clip_from_arrays(samples, rate)  # type: ignore[arg-type]


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_the_first_sample_that_is_no_number_is_named(value: float) -> None:
    audio = np.zeros(100, np.float32)
    audio[[37, 60]] = value
    with pytest.raises(MediaError, match=r"sample 37 is -?(nan|inf) \(2 of 100"):
        clip_from_arrays(audio, 16000)
    stereo = np.zeros((100, 2))
    stereo[5, 1] = value
    with pytest.raises(MediaError, match="sample 5 of channel 1 is"):
        clip_from_arrays(stereo, 16000)


def test_pictures_keep_their_times_and_are_sampled(make_pictures: Maker) -> None:
    frames = make_pictures(30)
    clip = clip_from_arrays(frames=frames, frame_times=np.arange(30) / 30)
    assert clip.duration == pytest.approx(16000, abs=1)
    assert not clip.has_audio
    (segment,) = clip.segments(10.0, frames_per_second=5.0)
    assert [f.time for f in segment.frames] == [0, 3200, 6400, 9600, 12800]
    np.testing.assert_array_equal(segment.frames[1].image, frames[6])
    halves = list(clip.segments(0.5, frames_per_second=5.0))
    assert [f.time for s in halves for f in s.frames] == [0, 3200, 6400, 9600, 12800]


def test_sound_and_pictures_share_segments(make_tone: Maker, make_pictures: Maker) -> None:
    clip = clip_from_arrays(make_tone(1.0), 16000, make_pictures(10), np.arange(10) / 5)
    segments = list(clip.segments(0.75))
    assert [(s.start, s.stop, len(s.samples)) for s in segments] == [
        (0, 12000, 12000),
        (12000, 24000, 4000),
        (24000, 32000, 0),
    ]
    assert [s.audio_present for s in segments] == [True, True, False]


@pytest.mark.parametrize(
    ("shape", "dtype", "times", "message"),
    [
        ((2, 8, 8, 3), np.float32, [0, 1], "must be uint8"),
        ((2, 8, 8), np.uint8, [0, 1], "must be uint8 of the shape"),
        ((2, 8, 8, 4), np.uint8, [0, 1], "must be uint8 of the shape"),
        ((0, 8, 8, 3), np.uint8, [], "empty"),
        ((2, 8, 8, 3), np.uint8, None, "need their frame_times"),
        ((2, 8, 8, 3), np.uint8, [0], "2 frames need as many"),
        ((2, 8, 8, 3), np.uint8, [0, 0], "rise"),
        ((2, 8, 8, 3), np.uint8, [-1, 0], "not negative"),
        ((2, 8, 8, 3), np.uint8, [0, np.nan], "finite"),
    ],
)
def test_wrong_pictures_are_named(
    shape: tuple[int, ...], dtype: type, times: list[float] | None, message: str
) -> None:
    with pytest.raises(MediaError, match=message):
        clip_from_arrays(frames=np.zeros(shape, dtype), frame_times=times)


def test_nothing_is_an_error() -> None:
    with pytest.raises(MediaError, match="neither samples nor frames"):
        clip_from_arrays()
