"""A media file delivered as if it happened now: in real time, at another pace, or unpaced."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Iterator
from typing import Final

from edge_ser.capture.sources import LiveSource, Sink
from edge_ser.clock import monotonic_samples
from edge_ser.constants import SAMPLE_RATE
from edge_ser.errors import CaptureError, ConfigError, MediaError
from edge_ser.media.channels import Channel, checked_channel
from edge_ser.media.clip import Clip, Segment, check_positive
from edge_ser.media.media import open_clip
from edge_ser.media.transcript import Transcript, Word

# Sound is delivered in pieces of this length, as from a microphone.
_PIECE_SECONDS: Final = 0.02

# How long an unpaced replay waits for room in the sink before it looks whether to stop.
_ROOM_SECONDS: Final = 0.25

# A sink that takes nothing for so long is closed.
_LONGEST_WAIT: Final = 30.0


class ReplaySource(LiveSource):
    """Delivers the sound, the pictures and the words of a clip.

    Capture times are `origin` plus the time in the clip. At a `speed` other than 1 they pass at
    another pace than the system's clock, so the stream must take its time from what is pushed
    (`edge_ser.clock.PushedClock`). What was wrong with the clip is told to the sink as notes.
    """

    def __init__(
        self,
        clip: str | os.PathLike[str] | Clip,
        *,
        speed: float | None = 1.0,
        loop: bool = False,
        frames_per_second: float = 15.0,
        transcript: Transcript | None = None,
        channel: Channel = "mix",
        audio_track: int | None = None,
        origin: int | None = None,
        now: Callable[[], int] = monotonic_samples,
        sleep: Callable[[float], object] | None = None,
    ) -> None:
        """Choose a clip; it is opened by `start`.

        Args:
            clip: a media file, or a clip that is open.
            speed: 1 replays in real time, 2 twice as fast; None as fast as the sink takes it.
            loop: whether to begin again at the end, without a gap in time.
            frames_per_second: pictures a second that are delivered.
            transcript: words to deliver when they have been said; those without times are not.
            channel: which is heard: mix, left, right, or a channel's number from 1 on.
            audio_track: which of the file's sound tracks; None takes the one a player would.
            origin: capture time of the clip's start; None takes the moment of `start`.
            now: the clock that paces the replay, in 16 kHz samples.
            sleep: waits for so many seconds; None waits until `stop` at the latest.

        Raises:
            ConfigError: if `speed` or `frames_per_second` is not positive, the channel is none, or
                a channel or a track is chosen of a clip that is open.
        """
        if speed is not None:
            check_positive("speed", speed)
        check_positive("frames_per_second", frames_per_second)
        named = clip.name if isinstance(clip, Clip) else os.fspath(clip)
        super().__init__(f"replay of {named}")
        self._source = clip
        self._chosen = checked_channel(channel), audio_track
        if isinstance(clip, Clip) and self._chosen != ("mix", None):
            raise ConfigError("a Clip was opened with its channel and audio_track already")
        self._speed = speed
        self._loop = loop
        self._frames_per_second = frames_per_second
        self._transcript = Transcript("") if transcript is None else transcript
        self._origin = origin
        self._now = now
        self._sleep = sleep if sleep is not None else self._stopping.wait
        self._clip: Clip | None = None
        self._segments: Iterator[Segment] = iter(())
        # What comes after the segment that is delivered: the last one must know that it is that.
        self._ahead: Segment | None = None
        self._notes: tuple[str, ...] = ()
        self._waiting: deque[Word] = deque()
        self._patience = _ROOM_SECONDS if speed is None else 0.0
        # When the replay started, and what capture time that is; how long the rounds before took.
        self._started = self._begin = self._round = 0
        self._length = 0

    def _open(self) -> None:
        try:
            channel, track = self._chosen
            self._clip = (
                self._source
                if isinstance(self._source, Clip)
                else open_clip(self._source, channel=channel, audio_track=track)
            )
            self._rewind(self._clip)
        except MediaError as error:
            raise CaptureError(str(error)) from error
        self._started = self._now()
        self._begin = self._started if self._origin is None else self._origin

    def _rewind(self, clip: Clip) -> None:
        self._segments = clip.segments(_PIECE_SECONDS, self._frames_per_second)
        self._ahead = next(self._segments, None)
        self._waiting = deque(self._transcript.words)

    def _deliver(self, sink: Sink) -> bool:
        segment = self._ahead
        if segment is None:
            return self._again()
        self._ahead = next(self._segments, None)
        ends = self._ahead is None
        self._tell(sink, segment.stop if ends else None)
        self._pace(segment)
        # A device hands its sound over when all of it has been captured; so it is here.
        start = self._begin + self._round
        for frame in segment.frames:
            if not sink.push_video(frame.image, start + frame.time, timeout=self._patience):
                return False
            self._count(pictures=1)
        if len(segment.samples) and not self._push(sink, segment, start + segment.start):
            return False
        # The last word may end a little later than the sound that it is said in.
        while self._waiting and (
            self._waiting[0].end <= segment.stop
            or (ends and self._waiting[0].middle < segment.stop)
        ):
            word = self._waiting.popleft()
            sink.push_text(word.text, start + word.start, start + word.end)
        self._length = segment.stop
        return True

    def _tell(self, sink: Sink, end: int | None) -> None:
        notes = () if self._clip is None else self._clip.notes(end)
        if end is not None:
            notes = (*notes, *self._transcript.outside(end))
        if notes != self._notes:
            self._notes = notes
            sink.push_notes(notes)

    def _push(self, sink: Sink, segment: Segment, capture_time: int) -> bool:
        """Deliver sound; False if an unpaced replay found no room for it for very long."""
        taken = False
        waited = 0.0
        while not taken and waited <= _LONGEST_WAIT and not self._stopping.is_set():
            taken = sink.push_audio(segment.samples, capture_time, timeout=self._patience)
            if self._speed is not None:
                break
            waited += self._patience
        self._count(audio_samples=len(segment.samples), audio_refused=0 if taken else 1)
        return taken or self._speed is not None

    def _again(self) -> bool:
        if not self._loop or self._clip is None or self._length == 0:
            return False
        self._round += self._length
        self._rewind(self._clip)
        return True

    def _pace(self, segment: Segment) -> None:
        if self._speed is None:
            return
        due = self._started + (self._round + segment.stop) / self._speed
        early = (due - self._now()) / SAMPLE_RATE
        if early > 0:
            self._sleep(early)

    def _close(self) -> None:
        clip, self._clip = self._clip, None
        self._segments = iter(())
        if clip is not None:
            clip.close()
