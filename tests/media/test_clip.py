"""Which pictures are sampled, and how clips in memory are cut."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge_ser.errors import ConfigError
from edge_ser.media.clip import MemoryClip, PictureSampler, VideoFrame, sample_count


def sampled(rate: float, wanted: float, seconds: float = 10.0) -> list[int]:
    sampler = PictureSampler(wanted)
    times = [round(i * 16000 / rate) for i in range(round(seconds * rate))]
    return [t for t in times if sampler.wants(t)]


@pytest.mark.parametrize("rate", [10, 15, 24, 25, 29.97, 30, 50, 59.94, 60])
def test_so_many_pictures_a_second_are_sampled(rate: float) -> None:
    times = sampled(rate, 5.0)
    assert len(times) == 50
    # Each is the first of its period: at most one picture's time behind its beginning.
    late = [t - i * 3200 for i, t in enumerate(times)]
    assert min(late) >= -16
    assert max(late) <= 16000 / rate


def test_of_few_pictures_all_are_sampled() -> None:
    assert len(sampled(4.0, 5.0)) == 40


def test_times_rounded_to_milliseconds_change_nothing() -> None:
    sampler = PictureSampler(5.0)
    exact = sampled(30.0, 5.0)
    rounded = [int(i * 1000 / 30) * 16 for i in range(300)]
    assert [t for t in rounded if sampler.wants(t)] == [int(t / 16) * 16 for t in exact]


@given(st.lists(st.integers(0, 10**12), unique=True, max_size=50), st.floats(0.1, 60))
def test_sampled_pictures_keep_their_distance(times: list[int], wanted: float) -> None:
    sampler = PictureSampler(wanted)
    kept = [t for t in sorted(times) if sampler.wants(t)]
    assert kept[:1] == sorted(times)[:1]
    for a, b in zip(kept, kept[2:], strict=False):
        # Two periods lie between a picture and the next but one, less what two may be late.
        assert b - a > 16000 / wanted - 17


def test_a_clip_without_pictures_or_sound_is_cut_all_the_same() -> None:
    picture = np.zeros((2, 2, 3), np.uint8)
    seen = MemoryClip(None, (VideoFrame(picture, 100),), duration=200)
    (segment,) = seen.segments(1.0)
    assert (segment.start, segment.stop, len(segment.samples)) == (0, 200, 0)
    assert segment.seconds == 200 / 16000
    assert not segment.audio_present
    heard = MemoryClip(np.ones(25000, np.float32), None, duration=25000)
    assert [s.stop for s in heard.segments(1.0)] == [16000, 25000]
    assert heard.absent == {"video": "no pictures were given"}
    with heard as same:
        assert same is heard


@pytest.mark.parametrize("value", [0, -1.0, float("nan"), float("inf")])
def test_spans_must_be_positive(value: float) -> None:
    with pytest.raises(ConfigError, match="hop must be a positive number"):
        sample_count("hop", value)
    assert sample_count("hop", 1e-9) == 1
