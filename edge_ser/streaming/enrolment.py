"""Enrolment of a person in a live stream: seconds of speech in, a profile out."""

from __future__ import annotations

import asyncio
from collections.abc import Generator
from concurrent.futures import Future, InvalidStateError
from concurrent.futures import TimeoutError as FutureTimeoutError
from contextlib import suppress
from typing import Any, Protocol

from edge_ser.bundles.loading import Bundle
from edge_ser.constants import SAMPLE_RATE
from edge_ser.errors import CaptureError
from edge_ser.media.clip import Samples, check_positive
from edge_ser.pipeline.encoders import Encoded
from edge_ser.pipeline.timing import StageTimer
from edge_ser.speaker.profile import Profile, adaptation_of
from edge_ser.speaker.voice import VoiceStatistics


class EncodesAudio(Protocol):
    """What makes tokens of a piece of sound: `edge_ser.pipeline.encoders.Encoders`."""

    def audio(self, samples: Samples, timer: StageTimer) -> Encoded:
        """Encode one piece of sound."""


class Enrolment:
    """An enrolment that goes on while the stream runs; `EmotionStream.enroll` begins it.

    Wait for its profile with `result`, or await it in asyncio.

    Thread contract: every method from any thread, but `hear`, `interrupt`, `stop` and `fail`,
    which are the stream's.
    """

    def __init__(
        self, bundle: Bundle, encoders: EncodesAudio, seconds: float, extend: Profile | None
    ) -> None:
        """Begin; see `EmotionStream.enroll`."""
        check_positive("seconds", seconds)
        adaptation = adaptation_of(bundle) if extend is None else extend.check(bundle)
        self._bundle = bundle
        self._future: Future[Profile] = Future()
        self._wanted = seconds
        self._voice = VoiceStatistics(
            lambda samples: encoders.audio(samples, StageTimer()).tokens,
            adaptation.columns,
            seen=None if extend is None else extend.statistics,
            samples=0 if extend is None else extend.samples,
        )
        self._begun_with = self._voice.samples

    @property
    def wanted_seconds(self) -> float:
        """Seconds of speech after which the profile is made."""
        return self._wanted

    @property
    def heard_seconds(self) -> float:
        """Seconds of speech heard since `EmotionStream.enroll` was called."""
        return (self._voice.samples - self._begun_with) / SAMPLE_RATE

    @property
    def done(self) -> bool:
        """Whether there is a profile, or will never be one."""
        return self._future.done()

    @property
    def profile(self) -> Profile | None:
        """The profile, if there is one by now."""
        future = self._future
        return future.result() if future.done() and future.exception() is None else None

    def cancel(self) -> None:
        """Let go of what was heard; the stream goes on as before."""
        self.fail("the enrolment was cancelled")

    def result(self, timeout: float | None = None) -> Profile:
        """Wait for the profile.

        Args:
            timeout: seconds to wait; None waits until enough was said or the stream is closed.

        Raises:
            CaptureError: if too little was said in that time, or the enrolment ended without a
                profile. After a timeout it goes on: wait again, or `cancel` it.
        """
        try:
            return self._future.result(timeout)
        except FutureTimeoutError:
            raise CaptureError(
                f"only {self.heard_seconds:.1f} of {self._wanted:g} s of speech were heard in "
                f"{timeout:g} s: speak on, nearer to the microphone"
            ) from None

    def __await__(self) -> Generator[Any, None, Profile]:
        """Wait for the profile in asyncio, as `result` does.

        After a wait that was cancelled or timed out the enrolment goes on.
        """
        return self._waited().__await__()

    def hear(self, samples: Samples) -> None:
        """Take 16 kHz sound that follows on."""
        self._voice.accept(samples)
        self._look()

    def interrupt(self) -> None:
        """The sound that comes next does not follow on."""
        self._voice.finish()
        self._look()

    def stop(self) -> None:
        """Nothing more comes: what was heard is enough, or there will be no profile."""
        try:
            self.interrupt()
        except Exception as error:  # whoever waits is told, whatever it was
            self.fail(f"the enrolment failed ({error})")
        self.fail("the stream was closed")

    def fail(self, why: str) -> None:
        """There will be no profile, unless there is one already."""
        with suppress(InvalidStateError):
            self._future.set_exception(
                CaptureError(
                    f"{why} after {self.heard_seconds:.1f} of {self._wanted:g} s of speech: "
                    "enrol again"
                )
            )

    async def _waited(self) -> Profile:
        # Not `asyncio.wrap_future`: a cancelled wait would cancel the enrolment.
        loop, woken = asyncio.get_running_loop(), asyncio.Event()

        def wake(_: object) -> None:
            with suppress(RuntimeError):  # the loop was closed: nobody waits any more
                loop.call_soon_threadsafe(woken.set)

        self._future.add_done_callback(wake)
        await woken.wait()
        return self._future.result()

    def _look(self) -> None:
        # A sentence is not cut in the middle: its end, too, belongs to a voice.
        if self._voice.complete - self._begun_with >= self._wanted * SAMPLE_RATE:
            with suppress(InvalidStateError):
                self._future.set_result(
                    Profile.made(self._bundle, self._voice.seen, self._voice.complete)
                )
