"""Recordings that are made on the spot, so that every expected sample and picture is known."""

from __future__ import annotations

import time
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import numpy.typing as npt
import pytest

LAYOUTS = {1: "mono", 2: "stereo", 6: "5.1"}


def tone(
    seconds: float, rate: int = 16000, frequency: float = 440.0, level: float = 0.5
) -> npt.NDArray[np.float32]:
    """A sine, float32 [n]."""
    t = np.arange(round(seconds * rate)) / rate
    return (level * np.sin(2 * np.pi * frequency * t)).astype(np.float32)


def numbered(count: int, width: int = 64, height: int = 48) -> npt.NDArray[np.uint8]:
    """Pictures whose brightness rises from one to the next: 20, 20 + 200 / count, ..."""
    levels = 20 + np.arange(count) * 200 // max(count, 1)
    return np.broadcast_to(
        levels[:, None, None, None].astype(np.uint8), (count, height, width, 3)
    ).copy()


def write_media(
    path: Path,
    *,
    sound: npt.NDArray[Any] | None = None,
    rate: int = 16000,
    sound_codec: str = "pcm_s16le",
    sound_start: float = 0.0,
    lost: Callable[[float], bool] = lambda _: False,
    pictures: npt.NDArray[np.uint8] | None = None,
    pictures_a_second: int = 25,
    picture_codec: str = "mpeg4",
    picture_start: float = 0.0,
    pixel_aspect: Fraction = Fraction(1),
    options: dict[str, str] | None = None,
) -> Path:
    """Write a recording.

    `sound` is float32 [n] or [n, channels]; packets for whose time in seconds `lost` holds are
    left out.
    """
    with av.open(str(path), "w", options=options or {}) as container:
        tracks = []
        if pictures is not None:
            stream = container.add_stream(picture_codec, rate=pictures_a_second)
            stream.height, stream.width = pictures.shape[1:3]
            stream.pix_fmt = "yuvj420p" if picture_codec == "mjpeg" else "yuv420p"
            stream.codec_context.sample_aspect_ratio = pixel_aspect
            tracks.append((stream, _picture_frames(pictures, pictures_a_second, picture_start)))
        if sound is not None:
            planes = sound.T if sound.ndim == 2 else sound[None]
            layout = LAYOUTS[len(planes)]
            stream = container.add_stream(sound_codec, rate=rate, layout=layout)
            tracks.append((stream, _sound_frames(planes, rate, layout, stream, sound_start)))
        packets = []
        for stream, frames in tracks:
            for frame in [*frames, None]:
                packets += stream.encode(frame)
        packets = [p for p in packets if p.stream.type != "audio" or not lost(_seconds(p))]
        for packet in sorted(packets, key=_seconds):
            container.mux(packet)
    return path


def _seconds(packet: Any) -> float:
    return float((packet.dts if packet.dts is not None else packet.pts) * packet.time_base)


def _picture_frames(
    pictures: npt.NDArray[np.uint8], pictures_a_second: int, start: float
) -> list[av.VideoFrame]:
    frames = []
    for i, picture in enumerate(pictures):
        frame = av.VideoFrame.from_ndarray(picture, format="rgb24")
        frame.time_base = Fraction(1, 1000 * pictures_a_second)
        frame.pts = round((start * pictures_a_second + i) * 1000)
        frames.append(frame)
    return frames


def _sound_frames(
    planes: npt.NDArray[Any], rate: int, layout: str, stream: Any, start: float
) -> list[av.AudioFrame]:
    resampler = av.AudioResampler(format=stream.codec_context.format, layout=layout, rate=rate)
    size = stream.codec_context.frame_size or rate // 50
    frames = []
    for at in range(0, planes.shape[1], size):
        piece = np.ascontiguousarray(planes[:, at : at + size], dtype=np.float32)
        frame = av.AudioFrame.from_ndarray(piece, format="fltp", layout=layout)
        frame.sample_rate = rate
        for converted in resampler.resample(frame):
            converted.time_base = Fraction(1, rate)
            converted.pts = round(start * rate) + at
            frames.append(converted)
    return frames


@pytest.fixture
def recording(tmp_path: Path) -> Callable[..., Path]:
    """Write a recording into the test's folder: ``recording(name, **what)``."""

    def write(name: str, **what: Any) -> Path:
        return write_media(tmp_path / name, **what)

    return write


@pytest.fixture
def make_tone() -> Callable[..., npt.NDArray[np.float32]]:
    """Make a sine: ``make_tone(seconds, rate, frequency, level)``."""
    return tone


@pytest.fixture
def make_pictures() -> Callable[..., npt.NDArray[np.uint8]]:
    """Make numbered pictures: ``make_pictures(count, width, height)``."""
    return numbered


class KeepingSink:
    """Takes everything and keeps it."""

    def __init__(self) -> None:
        self.sound: list[tuple[npt.NDArray[Any], int | None, int]] = []
        self.pictures: list[tuple[npt.NDArray[np.uint8], int | None]] = []
        self.words: list[tuple[str, int, int, bool]] = []
        self.takes = True

    def push_audio(
        self,
        samples: npt.ArrayLike,
        capture_time: int | None = None,
        sample_rate: int = 16000,
        *,
        timeout: float = 0.0,
    ) -> bool:
        del timeout
        if self.takes:
            self.sound.append((np.array(samples), capture_time, sample_rate))
        return self.takes

    def push_video(
        self,
        frame: npt.NDArray[np.uint8],
        capture_time: int | None = None,
        *,
        timeout: float = 0.0,
    ) -> bool:
        del timeout
        if self.takes:
            self.pictures.append((frame, capture_time))
        return self.takes

    def push_text(self, words: str, start: int, end: int, *, final: bool = True) -> bool:
        self.words.append((words, start, end, final))
        return self.takes

    @property
    def samples(self) -> npt.NDArray[Any]:
        """All of the sound."""
        return np.concatenate([s for s, _, _ in self.sound])


@pytest.fixture
def sink() -> KeepingSink:
    """A sink that keeps what it is given."""
    return KeepingSink()


@pytest.fixture
def eventually() -> Callable[..., None]:
    """Wait until something holds: ``eventually(lambda: ...)``; fails after ten seconds."""

    def wait(condition: Callable[[], object], seconds: float = 10.0) -> None:
        deadline = time.monotonic() + seconds
        while not condition():
            assert time.monotonic() < deadline, "it did not happen"
            time.sleep(0.005)

    return wait
