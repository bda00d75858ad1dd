"""`EmotionStream`: sound, pictures and words in from any thread, decisions out, for days."""

from __future__ import annotations

import asyncio
import logging
import threading
import time
from collections import deque
from collections.abc import AsyncIterator, Iterator, Sequence
from typing import Final

import numpy as np
import numpy.typing as npt

from edge_ser.bundles.loading import Bundle
from edge_ser.clock import MonotonicClock, StreamClock, checked_moment
from edge_ser.constants import SAMPLE_RATE
from edge_ser.errors import ConfigError, MediaError
from edge_ser.media.arrays import checked_form
from edge_ser.media.channels import mono_full_scale
from edge_ser.media.samples import checked_rate
from edge_ser.result import LiveDecision, StreamHealth
from edge_ser.runtime.closing import ClosedOnExit
from edge_ser.speaker.profile import Profile
from edge_ser.streaming.conversation import Conversation, origin_of
from edge_ser.streaming.enrolment import Enrolment
from edge_ser.streaming.inbox import Arrivals, Chunk, Inbox, PictureArrival, WordsArrival
from edge_ser.streaming.options import StreamOptions
from edge_ser.streaming.outbox import Callback, Outbox
from edge_ser.streaming.recent_past import StreamEncoders
from edge_ser.streaming.tally import Tally

AUDIO_QUEUE: Final = 10 * SAMPLE_RATE
"""16 kHz samples that may wait to be looked at; a push beyond is refused and counted."""

_LOG = logging.getLogger("edge_ser.stream")


class EmotionStream(ClosedOnExit):
    """One live conversation. `EdgeRecognizer.stream` makes it.

    Thread contract: every method may be called from any thread. A push copies what it is given,
    never waits (unless told to) and never runs a model. Decisions are made on a thread of the
    stream's own; a callback runs on another, so that neither a slow nor a raising one stops the
    stream. Memory is bounded; everything that is dropped is counted in `StreamHealth`.

    Capture times are whole numbers of 16 kHz samples on the stream's clock, by default
    `edge_ser.clock.monotonic_samples`: when the first sample of a chunk was captured.
    Times that cannot be true there are replaced by the moment of arrival and counted.

    Decisions hold numbers and words, never sound or pictures; nothing is stored or sent.
    """

    def __init__(
        self,
        bundle: Bundle,
        encoders: StreamEncoders,
        options: StreamOptions,
        *,
        on_decision: Callback | None = None,
        consent: bool = False,
        clock: StreamClock | None = None,
        profile: Profile | None = None,
    ) -> None:
        """Start the stream's threads.

        Args:
            bundle: gives labels and front-end parameters.
            encoders: front-ends and graphs; shared with other streams.
            options: window, hop and smoothing.
            on_decision: gets every decision, and is no async function; without it, iterate.
            consent: see `consent`.
            clock: the clock of the capture times.
            profile: see `adapt_to`.

        Raises:
            ConfigError: if the profile was made with another bundle, or `on_decision` is async.
        """
        self._bundle = bundle
        self._encoders = encoders
        self._options = options
        self._clock: StreamClock = MonotonicClock() if clock is None else clock
        self._consent = bool(consent)
        self._enrolments: deque[Enrolment] = deque()
        self.adapt_to(profile)
        self._notes: tuple[str, ...] = ()
        self._tally = Tally()
        self._inbox = Inbox(AUDIO_QUEUE, self._tally)
        self._outbox = Outbox(self._clock, self._tally, on_decision)
        self._conversation: Conversation | None = None
        self._thread = threading.Thread(target=self._work, name="edge-ser-stream", daemon=True)
        self._thread.start()

    def __repr__(self) -> str:
        options = self._options
        window, hop = options.window / SAMPLE_RATE, options.hop / SAMPLE_RATE
        state = "closed" if self.closed else "open"
        name = self._bundle.manifest.name
        return f"<EmotionStream of {name}: {window:g} s every {hop:g} s, {state}>"

    @property
    def consent(self) -> bool:
        """Whether the people in front of the devices agreed; live devices are not opened without.

        The stream itself takes whatever is pushed: only the caller knows where it comes from.
        """
        return self._consent

    @property
    def clock(self) -> StreamClock:
        """The clock of the capture times."""
        return self._clock

    @property
    def closed(self) -> bool:
        """Whether the stream takes nothing more."""
        return self._inbox.closed

    @property
    def profile(self) -> Profile | None:
        """Of the person whom decisions are adapted to; None: nobody in particular."""
        return self._profile

    def adapt_to(self, profile: Profile | None) -> None:
        """From the next decision on, adapt to a person; None: to nobody in particular.

        Raises:
            ConfigError: if the profile was made with another bundle.
        """
        self._speaker = None if profile is None else profile.speaker_map(self._bundle)
        self._profile = profile

    def enroll(self, seconds: float, *, extend: Profile | None = None) -> Enrolment:
        """Listen for so much speech of one person; the stream then adapts to that person.

        Decisions go on meanwhile. Nobody else should speak; `SpeakerAdaptation.enrol_with` of the
        bundle tells whether it should be neutral speech. Sound is not kept, statistics are.

        Args:
            seconds: of speech, from now on; pauses do not count.
            extend: an earlier profile of the person, to go on from.

        Returns:
            The enrolment: `result` waits for its profile.

        Raises:
            ConfigError: if nobody agreed (`consent`), the bundle cannot enrol anybody, `seconds` is
                not positive, or the earlier profile is another bundle's.
        """
        if not self._consent:
            raise ConfigError(
                "a profile is about a person: it is made only in a stream with consent=True"
            )
        enrolment = Enrolment(self._bundle, self._encoders, seconds, extend)
        self._enrolments.append(enrolment)
        if self.closed:
            enrolment.fail("the stream was closed")
        return enrolment

    def push_audio(
        self,
        samples: npt.ArrayLike,
        capture_time: int | None = None,
        sample_rate: int = SAMPLE_RATE,
        *,
        timeout: float = 0.0,
    ) -> bool:
        """Add a chunk of sound.

        Args:
            samples: float32 or float64 (full scale 1) or int16, shape [n] or [n, channels].
                NaN, infinity and values far beyond full scale are not used; they are counted.
            capture_time: of the first sample; None: they have all been captured just now.
            sample_rate: in Hz, 1000 to 384000.
            timeout: seconds to wait for room in a full queue.

        Returns:
            Whether the chunk was taken: False when the queue is full (counted as overflow) or the
            stream is closed.

        Raises:
            MediaError: if samples or rate are of a type or shape that no sound has, or the time is
                no whole number of samples.
        """
        # The values are looked at where they are heard.
        mono, rate = mono_full_scale(checked_form(samples)), checked_rate(sample_rate)
        if len(mono) == 0:
            return not self.closed
        duration = len(mono) * SAMPLE_RATE // rate
        stamp = self._stamp(capture_time, duration)
        chunk = Chunk(mono, stamp, rate)
        self._clock.saw(chunk.end)
        return self._inbox.put_audio(chunk, timeout)

    def push_video(
        self,
        frame: npt.NDArray[np.uint8],
        capture_time: int | None = None,
        *,
        timeout: float = 0.0,
    ) -> bool:
        """Add a picture; one that still waits gives way to it, and is counted.

        Args:
            frame: uint8 [height, width, 3], RGB, upright.
            capture_time: when it was captured; None: just now.
            timeout: seconds to wait for the picture before to be taken.

        Returns:
            Whether the picture was taken: False when the stream is closed.

        Raises:
            MediaError: if the frame is of a type or shape that no picture has, or the time is no
                whole number of samples.
        """
        image = np.asarray(frame)
        if image.dtype != np.uint8 or image.ndim != 3 or image.shape[2] != 3 or image.size == 0:
            raise MediaError(
                "a frame must be uint8 of the shape (height, width, 3) in RGB, not "
                f"{image.dtype} of the shape {image.shape}"
            )
        stamp = self._stamp(capture_time, 0)
        self._clock.saw(stamp)
        return self._inbox.put_picture(PictureArrival(image.copy(), stamp), timeout)

    def push_text(self, words: str, start: int, end: int, *, final: bool = True) -> bool:
        """Add words that were said.

        Args:
            words: separated by spaces.
            start: capture time at which they begin.
            end: capture time at which they end.
            final: False for a guess that whatever is pushed next replaces.

        Returns:
            Whether the words were taken: False when the stream is closed.

        Raises:
            MediaError: if the words are no text, their times no whole numbers of samples, or they
                end before they begin.
        """
        if not isinstance(words, str):
            raise MediaError(f"words must be text, not {type(words).__name__}")
        first, last = checked_moment("start", start), checked_moment("end", end)
        if last < first:
            raise MediaError(f"the words end ({end}) before they begin ({start})")
        self._clock.saw(first)
        return self._inbox.put_words(WordsArrival(words, first, last, final))

    def push_notes(self, notes: Sequence[str]) -> None:
        """Tell what a person should know of what is pushed; every decision from now on carries it.

        Args:
            notes: sentences, in place of those that were told before.
        """
        self._notes = tuple(notes)

    def health(self) -> StreamHealth:
        """What went wrong so far; every decision also carries it."""
        conversation = self._conversation
        return self._tally.health() if conversation is None else conversation.health()

    def __iter__(self) -> Iterator[LiveDecision]:
        """Give decisions as they come; ends when the stream is closed and all were given.

        Several readers share them: each decision goes to one.
        64 decisions wait at most; when they are not taken the oldest give way, and are counted.

        Raises:
            ConfigError: if the stream has a callback.
        """
        self._check_iterable()
        return iter(self._outbox.take, None)

    def __aiter__(self) -> AsyncIterator[LiveDecision]:
        """As `__iter__`, for ``async for``.

        A wait that is cancelled or times out (`asyncio.wait_for`) loses nothing and ends nothing.
        """
        self._check_iterable()
        return self._outbox

    def next_decision(self, timeout: float | None = None) -> LiveDecision | None:
        """Wait for the next decision; None at the end, or after `timeout` seconds without one.

        Raises:
            ConfigError: if the stream has a callback.
        """
        self._check_iterable()
        return self._outbox.take(timeout)

    def close(self, timeout: float = 10.0) -> bool:
        """Take nothing more, decide for everything that waits, deliver it, and end the threads.

        Args:
            timeout: seconds to wait for that; a callback that hangs is left behind.

        Returns:
            Whether everything was decided and delivered in time. A second call waits again.
        """
        self._inbox.close()
        deadline = time.monotonic() + timeout
        if self._thread is not threading.current_thread():
            self._thread.join(timeout)
        delivered = self._outbox.join(max(deadline - time.monotonic(), 0.0))
        return delivered and not self._thread.is_alive()

    async def __aenter__(self) -> EmotionStream:
        return self

    async def __aexit__(self, *_: object) -> None:
        # Whoever waits in every thread of the executor must be let go before one is free for this.
        self._inbox.close()
        await asyncio.get_running_loop().run_in_executor(None, self.close)

    def _check_iterable(self) -> None:
        if self._outbox.calls_back:
            raise ConfigError(
                "this stream delivers its decisions to a callback; to iterate over them, make it "
                "without on_decision"
            )

    def _stamp(self, capture_time: int | None, duration: int) -> int:
        if capture_time is not None:
            stamp = checked_moment("capture_time", capture_time)
            if self._clock.plausible(stamp):
                return stamp
            self._tally.add("stamps_replaced")
        return self._clock.now() - duration

    def _work(self) -> None:
        try:
            while self._turn():
                pass
        finally:
            self._outbox.close()
            while self._enrolments:
                self._enrolments.popleft().stop()

    def _turn(self) -> bool:
        """Wait for something to do and do it; False when nothing more will come."""
        conversation = self._conversation
        timeout, wake_at = None, 0
        if conversation is not None:
            timeout = self._clock.seconds_until(conversation.deadline)
            wake_at = conversation.next_moment
        draining = self._inbox.closed
        arrivals = self._inbox.take(timeout, wake_at)
        try:
            return self._digest(arrivals, draining=draining)
        except Exception as error:  # a mistake of ours must not end a conversation of days
            self._tally.error("encoder_errors", "the stream failed", error)
            _LOG.exception("a stream failed on what was pushed; it goes on")
            return bool(arrivals) or not draining

    def _digest(self, arrivals: Arrivals, *, draining: bool) -> bool:
        conversation = self._conversation
        if conversation is None:
            origin = origin_of(arrivals)
            if origin is None:
                return not draining
            conversation = self._conversation = Conversation(
                self._bundle, self._encoders, self._options, self._clock, self._tally, origin
            )
        conversation.speaker = self._speaker
        conversation.notes = self._notes
        self._listen_for_people(conversation)
        for ready in conversation.take(arrivals, draining=draining):
            self._outbox.put(ready)
        if draining and not arrivals:
            for ready in conversation.finish():
                self._outbox.put(ready)
            return False
        return True

    def _listen_for_people(self, conversation: Conversation) -> None:
        """Hand the first enrolment that is not done to the conversation; adapt to the last done."""
        while self._enrolments and self._enrolments[0].done:
            profile = self._enrolments.popleft().profile
            if profile is not None:
                self.adapt_to(profile)
        conversation.enrolment = self._enrolments[0] if self._enrolments else None
