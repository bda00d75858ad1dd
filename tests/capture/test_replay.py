"""A clip replayed is the clip, at the pace that was asked for."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest

from edge_ser.capture.replay import ReplaySource
from edge_ser.errors import CaptureError, ConfigError
from edge_ser.live.sources import SourceOptions, make_sources
from edge_ser.media.media import open_clip, read_clip
from edge_ser.media.transcript import Transcript, Word


class FakeTime:
    """A clock that only sleeping moves."""

    def __init__(self) -> None:
        self.now = 1 << 40
        self.slept: list[float] = []

    def __call__(self) -> int:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.now += round(seconds * 16000)


def test_an_unpaced_replay_delivers_the_clip_exactly(demo_clip: Path, sink: Any) -> None:
    source = ReplaySource(demo_clip, speed=None, origin=1000, frames_per_second=5)
    source.start(sink)
    assert source.wait(30)
    whole = read_clip(demo_clip, frames_per_second=5)
    np.testing.assert_array_equal(sink.samples, whole.samples)
    assert [t for _, t in sink.pictures] == [1000 + f.time for f in whole.frames]
    np.testing.assert_array_equal(sink.pictures[3][0], whole.frames[3].image)
    times = [t for _, t, _ in sink.audio]
    lengths = [len(s) for s, _, _ in sink.audio]
    assert times == [1000 + sum(lengths[:i]) for i in range(len(times))]
    assert source.health.state == "ended"
    assert source.health.audio_samples == len(whole.samples)
    assert source.health.pictures == len(whole.frames)


@pytest.mark.parametrize("speed", [1.0, 4.0])
def test_a_paced_replay_hands_over_nothing_before_it_happened(
    demo_clip: Path, sink: Any, speed: float
) -> None:
    clock = FakeTime()
    begin = clock.now
    arrivals: list[tuple[int, int]] = []
    push = sink.push_audio

    def noted(samples: np.ndarray, capture_time: int, *what: Any, **how: Any) -> bool:
        arrivals.append((clock.now - begin, capture_time + len(samples) - begin))
        return bool(push(samples, capture_time, *what, **how))

    sink.push_audio = noted
    source = ReplaySource(demo_clip, speed=speed, now=clock, sleep=clock.sleep)
    source.start(sink)
    assert source.wait(30)
    for arrived, captured in arrivals:
        assert arrived == pytest.approx(captured / speed, abs=2)
    assert sum(clock.slept) == pytest.approx(read_clip(demo_clip).duration / 16000 / speed, 0.01)


def test_words_come_when_they_have_been_said(demo_clip: Path, sink: Any) -> None:
    words = (Word("we", 0, 4000), Word("made", 4000, 9000), Word("never", 10**8, 10**9))
    source = ReplaySource(
        demo_clip, speed=None, origin=50, transcript=Transcript("we made never", words)
    )
    heard_at = []
    push = sink.push_text
    sink.push_text = lambda *w, **k: (heard_at.append(sink.audio[-1][1]), push(*w, **k))[1]
    source.start(sink)
    assert source.wait(30)
    assert sink.words == [("we", 50, 4050, True), ("made", 4050, 9050, True)]
    assert all(t <= 50 + e < t + 1600 for t, e in zip(heard_at, (4000, 9000), strict=True))


def test_a_loop_goes_on_without_a_gap(demo_clip: Path, sink: Any, eventually: Any) -> None:
    clip = read_clip(demo_clip)
    source = ReplaySource(clip, speed=None, loop=True, origin=0)
    with source:
        source.start(sink)
        eventually(lambda: len(sink.audio) > 350)
    assert source.health.state == "stopped"
    start_of_second = next(t for _, t, _ in sink.audio if t >= clip.duration)
    assert start_of_second == clip.duration
    twice = np.concatenate([clip.samples, clip.samples])
    np.testing.assert_array_equal(sink.samples[: len(twice)], twice)


def test_an_open_clip_can_be_replayed(demo_clip: Path, sink: Any) -> None:
    with open_clip(demo_clip, want_video=False) as clip:
        source = ReplaySource(clip, speed=None)
        source.start(sink)
        assert source.wait(30)
    assert sink.pictures == []
    assert len(sink.audio) > 10


def test_a_closed_sink_ends_an_unpaced_replay(demo_clip: Path, sink: Any) -> None:
    sink.takes = False
    source = ReplaySource(demo_clip, speed=None)
    source.start(sink)
    assert source.wait(30)
    assert source.health.state == "ended"


def test_a_full_sink_does_not_hold_up_a_paced_replay(demo_clip: Path, sink: Any) -> None:
    clock = FakeTime()
    sink.push_audio = lambda *_, **__: False
    source = ReplaySource(demo_clip, now=clock, sleep=clock.sleep)
    source.start(sink)
    assert source.wait(30)
    assert source.health.audio_refused > 10
    assert len(sink.pictures) > 10


def test_a_file_that_is_not_there_is_told_at_the_start(tmp_path: Path, sink: Any) -> None:
    with pytest.raises(CaptureError, match="no such file"):
        ReplaySource(tmp_path / "none.mp4").start(sink)


@pytest.mark.parametrize("wrong", [{"speed": 0.0}, {"speed": -1.0}, {"frames_per_second": 0.0}])
def test_numbers_that_cannot_be_are_refused(demo_clip: Path, wrong: dict[str, float]) -> None:
    with pytest.raises(ConfigError):
        ReplaySource(demo_clip, **wrong)


@pytest.fixture
def call(tmp_path: Path) -> Path:
    """Two tracks of stereo, of which every channel is another constant."""
    file = tmp_path / "call.mkv"
    with av.open(str(file), "w") as container:
        for _ in (1, 2):
            container.add_stream("pcm_s16le", rate=16000, layout="stereo")
        for number, stream in enumerate(container.streams, 1):
            samples = np.empty((1, 2 * 16000), np.int16)
            samples[0, 0::2], samples[0, 1::2] = number * 1000, number * 3000
            frame = av.AudioFrame.from_ndarray(samples, format="s16", layout="stereo")
            frame.sample_rate = 16000
            for packet in [*stream.encode(frame), *stream.encode(None)]:
                container.mux(packet)
    return file


@pytest.mark.parametrize(
    ("options", "level"),
    [
        ({}, 2000),
        ({"channel": "left"}, 1000),
        ({"channel": 2}, 3000),
        ({"channel": "right", "audio_track": 2}, 6000),
    ],
)
def test_a_channel_and_a_sound_track_of_a_replay_can_be_chosen(
    call: Path, sink: Any, options: dict[str, Any], level: int
) -> None:
    source = ReplaySource(call, speed=None, **options)
    source.start(sink)
    assert source.wait(30)
    np.testing.assert_allclose(sink.samples, level / 32768, atol=1e-4)


def test_a_channel_that_is_not_there_is_told_and_one_that_is_none_is_refused(
    call: Path, sink: Any
) -> None:
    source = ReplaySource(call, speed=None, channel=3)
    with pytest.raises(CaptureError, match="channel"):
        source.start(sink)
    with pytest.raises(ConfigError, match="mix, left, right"):
        ReplaySource(call, channel="middle")  # type: ignore[arg-type]
    with open_clip(call) as clip, pytest.raises(ConfigError, match="opened with its channel"):
        ReplaySource(clip, channel="left")


@pytest.mark.parametrize(
    "wrong",
    [{"channel": "left"}, {"audio_track": 2}, {"audio_track": 2, "url": "http://127.0.0.1/a"}],
)
def test_what_has_no_channels_to_choose_from_refuses_the_choice(wrong: dict[str, Any]) -> None:
    with pytest.raises(ConfigError, match="is of a replayed file"):
        make_sources(SourceOptions(**wrong))
