"""A finished recording: what every reader offers, cut into segments on one clock.

Times are integer counts of 16 kHz samples since the clip's start: the moment at which the earlier
of its sound and its pictures begins.
"""

from __future__ import annotations

from abc import abstractmethod
from collections import deque
from collections.abc import Callable, Generator, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import partial
from typing import Literal, Protocol, TypeAlias

import numpy as np
import numpy.typing as npt

from edge_ser.constants import SAMPLE_RATE
from edge_ser.errors import ConfigError
from edge_ser.runtime.closing import ClosedOnExit

Samples = npt.NDArray[np.float32]
"""Mono sound at 16 kHz, float32 [n], full scale is 1."""

Picture = npt.NDArray[np.uint8]
"""A picture, uint8 [height, width, 3], RGB, upright, square pixels."""

Track = Literal["audio", "video"]

Hear: TypeAlias = Callable[[int, int, Samples, bool], None]
Look: TypeAlias = "Callable[[Iterator[VideoFrame]], tuple[VideoFrame, ...]]"

LONGEST_READ = 120.0
"""Seconds that a clip may last to be read into memory whole."""


@dataclass(frozen=True, eq=False)
class VideoFrame:
    """One picture and when it is shown, in 16 kHz samples since the clip's start."""

    image: Picture
    time: int


@dataclass(frozen=True, eq=False)
class Segment:
    """A span of a clip: its sound and the pictures that were sampled inside it.

    ``samples[i]`` belongs to time ``start + i``. Sound that begins after the clip, or is
    interrupted, is silence there; where it ends before `stop`, `samples` is shorter than the span.
    """

    start: int
    stop: int
    samples: Samples
    audio_present: bool
    """Whether any of `samples` was recorded, not filled in."""
    frames: tuple[VideoFrame, ...]

    @property
    def seconds(self) -> float:
        """Length of the span in seconds."""
        return (self.stop - self.start) / SAMPLE_RATE


class AudioTrack(Protocol):
    """The sound of a clip, read once from its start to its end."""

    @property
    def end(self) -> int | None:
        """Time at which the sound ends; None while that is not known."""

    def read(self, stop: int) -> tuple[Samples, bool]:
        """Give the samples from the last read up to `stop`, and whether any was recorded."""

    def close(self) -> None:
        """Let go of the file."""


class VideoTrack(Protocol):
    """The sampled pictures of a clip, read once from its start to its end."""

    @property
    def end(self) -> int | None:
        """Time at which the last picture ends; None while that is not known."""

    def read(self, stop: int) -> Iterator[VideoFrame]:
        """Give the sampled pictures from the last read up to `stop`, each once it is decoded."""

    def close(self) -> None:
        """Let go of the file."""


class PictureSampler:
    """Picks the first picture of every period of 1 / `frames_per_second` seconds.

    The choice depends on the pictures' times alone, never on how the clip is cut.
    """

    # Containers that count in milliseconds put a picture up to half of one too early.
    _EARLY = SAMPLE_RATE // 1000

    def __init__(self, frames_per_second: float) -> None:
        check_positive("frames_per_second", frames_per_second)
        self.frames_per_second = frames_per_second
        self._last_period = -1

    def wants(self, time: int) -> bool:
        """Tell whether the picture shown at `time` is sampled; times must not go back."""
        period = int((time + self._EARLY) * self.frames_per_second / SAMPLE_RATE)
        if period <= self._last_period:
            return False
        self._last_period = period
        return True


class Clip(ClosedOnExit):
    """A finished recording with sound, pictures or both.

    A context manager. `segments` may be called again and starts from the beginning each time. Not
    thread-safe: one clip belongs to one thread, and has another one for its pictures.
    """

    def __init__(self, name: str, absent: dict[Track, str], duration: int | None) -> None:
        self.name = name
        self.duration = duration
        """Length in 16 kHz samples as far as it is known before reading; None if it is not."""
        self.absent = absent
        """Why the sound or the pictures are not there, for each that is not."""

    def __repr__(self) -> str:
        tracks = [t for t in ("audio", "video") if t not in self.absent]
        known = self.duration is not None
        length = f"{(self.duration or 0) / SAMPLE_RATE:.1f} s" if known else "unknown length"
        count = len(self.warnings)
        warned = f", {count} warning{'s' * (count > 1)}: {self.warnings[0]}" if count else ""
        return f"<{type(self).__name__} {self.name}: {length}, {'+'.join(tracks)}{warned}>"

    @property
    def has_audio(self) -> bool:
        """Whether the clip has sound."""
        return "audio" not in self.absent

    @property
    def has_video(self) -> bool:
        """Whether the clip has pictures."""
        return "video" not in self.absent

    @property
    def warnings(self) -> tuple[str, ...]:
        """What was wrong with the clip but could be worked around, as far as it has been read."""
        return ()

    @property
    def channel_notes(self) -> tuple[str, ...]:
        """What a person should know of its channels and sound tracks, as far as they were read."""
        return ()

    def notes(self, end: int | None = None) -> tuple[str, ...]:
        """What a person should know of an answer about this clip: its warnings, its channels.

        Args:
            end: where it ended, in 16 kHz samples, once it has been read in full. A clip of which
                less than half was there says so first; a length that a sound file guesses is no
                reason.
        """
        told = self.duration or 0
        known = (*self.warnings, *self.channel_notes)
        if end is None or not self.warnings or end >= told / 2:
            return known
        there = f"only {end / SAMPLE_RATE:.1f} of {told / SAMPLE_RATE:.1f} s are there"
        return (f"{there}: less than half of the clip", *known)

    def segments(
        self,
        seconds: float = 10.0,
        frames_per_second: float | None = 5.0,
        *,
        hear: Hear | None = None,
        look: Look = tuple,
    ) -> Generator[Segment, None, None]:
        """Give the whole clip as consecutive segments, holding one at a time in memory.

        Args:
            seconds: length of a segment; the last may be shorter.
            frames_per_second: pictures sampled a second; the others are decoded only where that
                is needed, and never converted. None leaves the pictures unread: the clip then ends
                where its sound does.
            hear: is told the sound of a segment before it is given: where it begins and would end
                at the latest, the samples, and whether any was recorded. Meanwhile pictures are
                decoded.
            look: takes a segment's pictures, each as soon as it is decoded, on another thread
                where there is sound, too; what it gives is what the segment has for frames.

        Raises:
            ConfigError: if an argument is not positive.
            MediaError: if nothing of the clip can be decoded.
        """
        length = sample_count("seconds", seconds)
        sampler = None if frames_per_second is None else PictureSampler(frames_per_second)
        return self._segments(length, sampler, hear, look)

    def close(self) -> None:
        """Let go of the file; a second call does nothing."""

    @abstractmethod
    def _open_tracks(
        self, sampler: PictureSampler | None
    ) -> tuple[AudioTrack | None, VideoTrack | None]:
        """Start reading the sound and, if there is a sampler, the pictures from the beginning."""

    def _after_reading(self, end: int) -> None:
        """Judge what was read, once all of it was; `end` is the time where the clip ended."""

    def _segments(
        self, length: int, sampler: PictureSampler | None, hear: Hear | None, look: Look
    ) -> Generator[Segment, None, None]:
        audio, pictures = self._open_tracks(sampler)
        tracks = [t for t in (audio, pictures) if t is not None]
        beside = None if audio is None or pictures is None else ThreadPoolExecutor(1, "pictures")
        try:
            start, ended = 0, False
            while not ended:
                stop = start + length
                seen = partial(look, pictures.read(stop) if pictures else iter(()))
                looking = None if beside is None else beside.submit(seen)
                samples, recorded = audio.read(stop) if audio else (_NO_SAMPLES, False)
                if hear is not None:
                    hear(start, stop, samples, recorded)
                frames = seen() if looking is None else looking.result()
                ends = [t.end for t in tracks]
                last = max((e for e in ends if e is not None), default=0)
                ended = None not in ends and last <= stop
                if ended:
                    stop = last
                if stop > start:
                    yield Segment(start, stop, samples, recorded, frames)
                start = stop
            self._after_reading(start)
        finally:
            if beside is not None:
                beside.shutdown()
            for track in tracks:
                track.close()


@dataclass(frozen=True, eq=False)
class _MemoryAudio:
    samples: Samples
    position: list[int] = field(default_factory=lambda: [0])

    @property
    def end(self) -> int:
        return len(self.samples)

    def read(self, stop: int) -> tuple[Samples, bool]:
        start, self.position[0] = self.position[0], stop
        piece = self.samples[start:stop]
        return piece, len(piece) > 0

    def close(self) -> None:
        pass


class _MemoryVideo:
    def __init__(self, frames: tuple[VideoFrame, ...], end: int, sampler: PictureSampler) -> None:
        self.end = end
        self._waiting = deque(frames)
        self._sampler = sampler

    def read(self, stop: int) -> Iterator[VideoFrame]:
        while self._waiting and self._waiting[0].time < stop:
            frame = self._waiting.popleft()
            if self._sampler.wants(frame.time):
                yield frame

    def close(self) -> None:
        self._waiting.clear()


class MemoryClip(Clip):
    """A clip that is in memory whole: read from a short file, or made from arrays."""

    def __init__(
        self,
        samples: Samples | None,
        frames: tuple[VideoFrame, ...] | None,
        *,
        duration: int,
        name: str = "arrays",
        absent: dict[Track, str] | None = None,
        warnings: tuple[str, ...] = (),
        channel_notes: tuple[str, ...] = (),
    ) -> None:
        reasons: dict[Track, str] = dict(absent or {})
        if samples is None:
            reasons.setdefault("audio", "no sound was given")
        if frames is None:
            reasons.setdefault("video", "no pictures were given")
        super().__init__(name, reasons, duration)
        self.samples: Samples = _NO_SAMPLES if samples is None else samples
        """All of the sound, float32 [n] at 16 kHz; sample i belongs to time i."""
        self.frames: tuple[VideoFrame, ...] = frames or ()
        """Every picture that was kept, in the order of their times."""
        self._warnings = warnings
        self._channel_notes = channel_notes

    @property
    def warnings(self) -> tuple[str, ...]:
        """What was wrong with the clip but could be worked around."""
        return self._warnings

    @property
    def channel_notes(self) -> tuple[str, ...]:
        """What a person should know of its channels and sound tracks."""
        return self._channel_notes

    def _open_tracks(
        self, sampler: PictureSampler | None
    ) -> tuple[AudioTrack | None, VideoTrack | None]:
        end = self.duration or 0
        audio = _MemoryAudio(self.samples) if self.has_audio else None
        if sampler is None or not self.has_video:
            return audio, None
        return audio, _MemoryVideo(self.frames, end, sampler)


_NO_SAMPLES: Samples = np.zeros(0, dtype=np.float32)


def check_positive(name: str, value: float) -> None:
    """Refuse a number that is not positive and finite.

    Raises:
        ConfigError: if it is not.
    """
    number = isinstance(value, (int, float, np.integer, np.floating))
    if not number or isinstance(value, bool) or not (np.isfinite(value) and value > 0):
        raise ConfigError(f"{name} must be a positive number, not {value!r}")


def sample_count(name: str, seconds: float) -> int:
    """Give the whole number of 16 kHz samples nearest to `seconds`, at least one.

    Raises:
        ConfigError: if `seconds` is not positive and finite.
    """
    check_positive(name, seconds)
    return max(1, round(seconds * SAMPLE_RATE))
