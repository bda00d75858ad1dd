"""Media files through FFmpeg (PyAV): any container with sound, pictures or both.

`open_clip` reads a file of any length in bounded memory, `read_clip` a short one at once.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from fractions import Fraction
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from edge_ser.constants import SAMPLE_RATE
from edge_ser.errors import ConfigError, MediaError
from edge_ser.media.arrays import clip_from_arrays
from edge_ser.media.audio_track import FileAudioTrack
from edge_ser.media.channels import Channel, checked_channel
from edge_ser.media.clip import (
    LONGEST_READ,
    AudioTrack,
    Clip,
    MemoryClip,
    PictureSampler,
    Samples,
    Track,
    VideoFrame,
    VideoTrack,
)
from edge_ser.media.container import (
    configure_decoder,
    media_path,
    nothing_decoded,
    open_container,
    start_of,
)
from edge_ser.media.limits import refused_picture, refused_sound
from edge_ser.media.packets import PacketReader
from edge_ser.media.video_track import Decoding, FileVideoTrack, believable_aspect

if TYPE_CHECKING:
    from av.container import InputContainer

__all__ = [
    "Clip",
    "MediaClip",
    "MemoryClip",
    "VideoFrame",
    "clip_from_arrays",
    "open_clip",
    "read_clip",
]

# Where a file is this much shorter than it says, it was cut short.
_CUT_SHORT = SAMPLE_RATE // 2

# Pictures that no other refers to need not be decoded if there are this many times more pictures
# than are sampled: what is left is denser than the samples, but for a few encoders' pictures.
_ABUNDANCE = 4

# More threads decode little faster, and each holds a picture.
_MOST_THREADS = 4

_MICROSECONDS = 1_000_000


def open_clip(
    path: str | os.PathLike[str],
    *,
    want_audio: bool = True,
    want_video: bool = True,
    maximum_side: int = 1280,
    decoder_threads: int | None = None,
    channel: Channel = "mix",
    audio_track: int | None = None,
) -> MediaClip:
    """Open a media file of any length.

    Args:
        path: a file that FFmpeg can read: wav, flac, mp3, ogg, mp4, mpg, webm, mkv, avi, ...
        want_audio: False leaves the sound undecoded.
        want_video: False leaves the pictures undecoded.
        maximum_side: pictures whose longer side has more pixels are shrunk to it.
        decoder_threads: threads that decode pictures; None takes one a core, four at most.
        channel: which is heard: mix, left, right, or a channel's number from 1 on.
        audio_track: which of the file's sound tracks, from 1 on; None takes the one that a player
            would.

    Raises:
        MediaError: if the file is missing, empty, unreadable, damaged or not a recording. Sound
            or pictures that are not there are no error (see `Clip.absent`); a channel or a track
            that was asked for is.
        ConfigError: if an option is out of range, or sound and pictures are both unwanted.
    """
    if maximum_side < 16:
        raise ConfigError(f"maximum_side must be at least 16 pixels, not {maximum_side}")
    if decoder_threads is None:
        decoder_threads = min(_usable_cores(), _MOST_THREADS)
    if decoder_threads < 1:
        raise ConfigError(f"decoder_threads must be at least 1, not {decoder_threads}")
    if not (want_audio or want_video):
        raise ConfigError("a clip without its sound and its pictures is nothing: want one of them")
    channel = checked_channel(channel)
    check_track(audio_track)
    return MediaClip(
        media_path(path),
        want_audio,
        want_video,
        maximum_side,
        decoder_threads,
        channel,
        audio_track,
    )


def read_clip(
    path: str | os.PathLike[str],
    *,
    want_audio: bool = True,
    want_video: bool = True,
    frames_per_second: float = 5.0,
    maximum_side: int = 1280,
    decoder_threads: int | None = None,
    maximum_seconds: float = LONGEST_READ,
    channel: Channel = "mix",
    audio_track: int | None = None,
) -> MemoryClip:
    """Read a short media file whole: its sound at 16 kHz mono and its sampled pictures.

    Args:
        path: as for `open_clip`.
        want_audio: False leaves the sound undecoded.
        want_video: False leaves the pictures undecoded.
        frames_per_second: pictures sampled a second.
        maximum_side: pictures whose longer side has more pixels are shrunk to it.
        decoder_threads: threads that decode pictures; None takes one a core, four at most.
        maximum_seconds: a longer file is refused, because its pictures would fill the memory.
        channel: as for `open_clip`, and so is `audio_track`.
        audio_track: number of a sound track.

    Raises:
        MediaError: as `open_clip`, if nothing can be decoded, or if the clip is too long.
        ConfigError: if an option is out of range.
    """
    samples: list[Samples] = []
    frames: list[VideoFrame] = []
    stop = 0
    with open_clip(
        path,
        want_audio=want_audio,
        want_video=want_video,
        maximum_side=maximum_side,
        decoder_threads=decoder_threads,
        channel=channel,
        audio_track=audio_track,
    ) as clip:
        for segment in clip.segments(2.0, frames_per_second):
            stop = segment.stop
            if stop > maximum_seconds * SAMPLE_RATE:
                raise MediaError(
                    f"{path} lasts longer than {maximum_seconds:g} s: read it in pieces with "
                    "open_clip, or raise maximum_seconds"
                )
            samples.append(segment.samples)
            frames.extend(segment.frames)
        audio = np.concatenate(samples) if clip.has_audio else None
        return MemoryClip(
            audio,
            tuple(frames) if clip.has_video else None,
            duration=stop,
            name=clip.name,
            absent=clip.absent,
            warnings=clip.warnings,
            channel_notes=clip.channel_notes,
        )


class MediaClip(Clip):
    """A media file, read as a stream. Made by `open_clip`."""

    def __init__(
        self,
        path: Path,
        want_audio: bool,
        want_video: bool,
        maximum_side: int,
        decoder_threads: int,
        channel: Channel,
        audio_track: int | None,
    ) -> None:
        self._path = path
        self._channel = channel
        self._maximum_side = maximum_side
        self._threads = decoder_threads
        self._audio: FileAudioTrack | None = None
        self._video: FileVideoTrack | None = None
        self._cut_short: str | None = None
        container = open_container(path)
        # It serves the pictures, or the sound where they are not read.
        self._fresh = [container]
        try:
            duration = _duration(container)
            audio, no_audio = _choose(container, "audio", audio_track)
            sound: Any = None if audio is None else container.streams[audio]
            self.channels = 0 if sound is None else int(sound.channels)
            """Channels of the sound track that is heard; 0 without one."""
            unused = None if audio_track or audio is None else _unused(container, audio)
            self._unused = (unused,) if unused and want_audio else ()
            picture, no_video = _choose(container, "video")
            chosen = [container.streams[i] for i in (audio, picture) if i is not None]
            if not chosen:
                raise MediaError(f"{path} holds nothing to decode: {no_audio}; {no_video}")
            self._header_tells = container.format.name.startswith(("mov,", "matroska"))
            # When the clip begins, on the file's clock: both count, even if one is unwanted.
            self._origin = min(start_of(stream) for stream in chosen)
            shown: Any = None if picture is None else container.streams[picture]
            rate = shown and (shown.average_rate or shown.guessed_rate)
            self._picture_rate = Fraction(rate or 25)
            self._pixel_aspect = believable_aspect(shown and shown.sample_aspect_ratio)
            self._unsized = shown is not None and not shown.codec_context.width
        except BaseException:
            container.close()
            raise
        self._audio_index, self._video_index = audio, picture
        absent: dict[Track, str] = {}
        if no_audio or not want_audio:
            absent["audio"] = no_audio or "its sound was not asked for"
        if no_video or not want_video:
            absent["video"] = no_video or "its pictures were not asked for"
        super().__init__(str(path), absent, duration)

    @property
    def warnings(self) -> tuple[str, ...]:
        """What was wrong with the clip but could be worked around, as far as it has been read."""
        told = [w for t in (self._audio, self._video) if t is not None for w in t.warnings()]
        return (*told, self._cut_short) if self._cut_short else tuple(told)

    @property
    def channel_notes(self) -> tuple[str, ...]:
        """What a person should know of its channels and sound tracks, as far as they were read."""
        return (*self._unused, *(() if self._audio is None else self._audio.downmix.notes()))

    def close(self) -> None:
        """Let go of the file; a second call does nothing."""
        for opened in (self._audio, self._video, *self._fresh):
            if opened is not None:
                opened.close()
        self._fresh = []

    def _open_tracks(
        self, sampler: PictureSampler | None
    ) -> tuple[AudioTrack | None, VideoTrack | None]:
        for track in (self._audio, self._video):
            if track is not None:
                track.close()
        self._cut_short = None
        wanted = sampler if self.has_video else None
        self._video = None if wanted is None else self._open_video(wanted)
        self._audio = self._open_audio() if self.has_audio else None
        return self._audio, self._video

    def _open_audio(self) -> FileAudioTrack:
        def opened() -> tuple[InputContainer, Any]:
            if self._video is None:
                container = self._container()
            else:
                container = open_container(self._path, for_sound=self._header_tells)
            stream = container.streams[self._audio_index or 0]
            configure_decoder(stream, 1, {})
            return container, stream

        return FileAudioTrack(PacketReader(opened), self._origin, self._channel)

    def _open_video(self, sampler: PictureSampler) -> FileVideoTrack:
        abundant = self._picture_rate >= _ABUNDANCE * sampler.frames_per_second
        return FileVideoTrack(
            lambda decoding: PacketReader(partial(self._open_pictures, decoding)),
            Decoding(self._threads, every_picture=not abundant),
            self._origin,
            sampler,
            maximum_side=self._maximum_side,
            period=round(SAMPLE_RATE / self._picture_rate),
            pixel_aspect=self._pixel_aspect,
        )

    def _open_pictures(self, decoding: Decoding) -> tuple[InputContainer, Any]:
        container = self._container()
        stream: Any = container.streams[self._video_index or 0]
        options = {} if decoding.every_picture else {"skip_frame": "noref"}
        if stream.codec_context.name == "mjpeg":
            # What would be shrunk anyway is decoded at a half, a quarter or an eighth.
            side = max(stream.codec_context.width, stream.codec_context.height)
            options["lowres"] = str(min(3, max(0, (side // self._maximum_side).bit_length() - 1)))
        configure_decoder(stream, decoding.threads, options)
        return container, stream

    def _container(self) -> InputContainer:
        try:
            return self._fresh.pop()
        except IndexError:
            return open_container(self._path)

    def _after_reading(self, end: int) -> None:
        whole = self._video is not None or not self.has_video
        if end == 0 and whole:
            raise MediaError(nothing_decoded(self._path, self.warnings, unsized=self._unsized))
        if self._audio is not None and not self._audio.end:
            self.absent["audio"] = "nothing of its sound can be decoded"
        if self._video is not None and not self._video.end:
            self.absent["video"] = "none of its pictures can be decoded"
        read_all = (self._audio_index is None or self._audio is not None) and (
            self._video_index is None or self._video is not None
        )
        if read_all and self.duration is not None and end < self.duration - _CUT_SHORT:
            self._cut_short = (
                f"the file says that it lasts {self.duration / SAMPLE_RATE:.1f} s, but ends after "
                f"{end / SAMPLE_RATE:.1f} s: it was cut short"
            )


def _usable_cores() -> int:
    affinity = getattr(os, "sched_getaffinity", None)  # Linux alone has it
    return len(affinity(0)) if affinity is not None else os.cpu_count() or 1


def _duration(container: InputContainer) -> int | None:
    if container.duration is None or container.duration <= 0:
        return None
    return round(Fraction(container.duration * SAMPLE_RATE, _MICROSECONDS))


def check_track(audio_track: int | None) -> None:
    """Refuse what is no number of a sound track.

    Raises:
        ConfigError: if it is none.
    """
    number = isinstance(audio_track, int) and not isinstance(audio_track, bool)
    if audio_track is not None and not (number and audio_track >= 1):
        raise ConfigError(f"audio_track must be a whole number from 1 on, not {audio_track!r}")


def _unused(container: InputContainer, chosen: int) -> str | None:
    """Tell that there are other sound tracks than the stream that was chosen."""
    indices = [s.index for s in container.streams if s.type == "audio"]
    if len(indices) < 2:
        return None
    return (
        f"the file has {len(indices)} sound tracks and track {indices.index(chosen) + 1} is heard: "
        "choose another with --audio-track (audio_track=)"
    )


def _choose(
    container: InputContainer, kind: Track, track: int | None = None
) -> tuple[int | None, str]:
    """Give the index of the best stream of a kind, or why there is none.

    Raises:
        MediaError: if a track was asked for that is not there.
    """
    from av.stream import Disposition

    name = "sound" if kind == "audio" else "pictures"
    streams: list[Any] = [s for s in container.streams if s.type == kind]
    if track is not None:
        if track > len(streams):
            raise MediaError(
                f"there is no sound track {track}: {container.name.removeprefix('file:')} has "
                f"{len(streams)}; they count from 1"
            )
        streams = [streams[track - 1]]
    if not streams:
        return None, f"it has no {name}"
    moving = [s for s in streams if not s.disposition & Disposition.attached_pic]
    if not moving:
        return None, "its only picture is a cover"
    known = [s for s in moving if s.codec_context is not None]
    if not known:
        return None, f"its {name} are in a form that no decoder is installed for"
    fits: Callable[[Any], str | None] = refused_sound if kind == "audio" else refused_picture
    refused = {s.index: why for s in known if (why := fits(s)) is not None}
    known = [s for s in known if s.index not in refused]
    if not known:
        return None, next(iter(refused.values()))
    best = container.streams.best(kind)
    chosen = best if best is not None and best in known else known[0]
    return chosen.index, ""
