"""Clips that clients send: a bounded number decided at once, a bounded number waiting."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Generator
from concurrent.futures import ThreadPoolExecutor

from starlette.requests import Request

from edge_ser.errors import MediaError
from edge_ser.media.clip import (
    AudioTrack,
    Clip,
    Hear,
    Look,
    PictureSampler,
    Segment,
    VideoTrack,
)
from edge_ser.media.media import open_clip
from edge_ser.media.transcript import Transcript
from edge_ser.recognizer import EdgeRecognizer
from edge_ser.result import Decision
from edge_ser.serve.options import Limits
from edge_ser.serve.refusals import Refusal
from edge_ser.serve.upload import Upload, file_in_memory, read_upload


class TimedClip(Clip):
    """Another clip until a deadline: what reads it then ends, wherever it is."""

    def __init__(self, clip: Clip, deadline: float) -> None:
        """`deadline` is a reading of `time.monotonic`."""
        super().__init__(clip.name, clip.absent, clip.duration)
        self._clip = clip
        self._deadline = deadline

    @property
    def warnings(self) -> tuple[str, ...]:
        """What was wrong with the clip but could be worked around."""
        return self._clip.warnings

    @property
    def channel_notes(self) -> tuple[str, ...]:
        """What a person should know of its channels and sound tracks."""
        return self._clip.channel_notes

    def segments(
        self,
        seconds: float = 10.0,
        frames_per_second: float | None = 5.0,
        *,
        hear: Hear | None = None,
        look: Look = tuple,
    ) -> Generator[Segment, None, None]:
        """As `Clip.segments`.

        Raises:
            Refusal: once the deadline has passed (504).
        """
        for segment in self._clip.segments(seconds, frames_per_second, hear=hear, look=look):
            if time.monotonic() > self._deadline:
                raise Refusal(504, "the clip was not decided in time: send a shorter one")
            yield segment

    def close(self) -> None:
        """Let go of the file."""
        self._clip.close()

    def _open_tracks(
        self, sampler: PictureSampler | None
    ) -> tuple[AudioTrack | None, VideoTrack | None]:
        return self._clip._open_tracks(sampler)


class Recognitions:
    """Thread contract: belongs to the event loop; decisions are made on threads of its own."""

    def __init__(self, recognizer: EdgeRecognizer, limits: Limits) -> None:
        self.admitted = 0
        """Clips that are being sent, wait, or are being decided."""
        self._recognizer = recognizer
        self._limits = limits
        self._threads = ThreadPoolExecutor(limits.workers, "edge-ser-clip")

    async def answer(self, request: Request) -> Decision:
        """Decide for the clip of a request.

        Raises:
            Refusal: if there is no room (503), or the request is not usable.
            EdgeSerError: if the clip cannot be decided.
        """
        if self.admitted >= self._limits.workers + self._limits.queue:
            raise Refusal(503, "too many clips wait to be decided: come again later")
        self.admitted += 1
        try:
            upload = await read_upload(request, self._limits)
            deadline = time.monotonic() + self._limits.decision_seconds
            loop = asyncio.get_running_loop()
            return await loop.run_in_executor(self._threads, self._decide, upload, deadline)
        finally:
            self.admitted -= 1

    def close(self) -> None:
        """End the threads once they have decided what they are at; what waits is left."""
        self._threads.shutdown(wait=True, cancel_futures=True)

    def _decide(self, upload: Upload, deadline: float) -> Decision:
        words = None if upload.transcript is None else Transcript(upload.transcript)
        with file_in_memory(upload.file) as path:
            try:
                with open_clip(
                    path, channel=upload.channel, audio_track=upload.audio_track
                ) as clip:
                    return self._recognizer.recognize(
                        TimedClip(clip, deadline),
                        words,
                        asr=upload.asr,
                        speech_gate=upload.speech_gate,
                    )
            except MediaError as error:
                raise MediaError(str(error).replace(path, "the file")) from error
