"""What sources have pushed and the stream has not yet looked at: bounded, counted, never blocking.

Sound waits in a queue that refuses new chunks when it is full; of pictures only the newest waits;
words wait in a queue that lets the oldest go.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from edge_ser.constants import SAMPLE_RATE
from edge_ser.media.clip import Picture, Samples
from edge_ser.streaming.tally import Tally

LONGEST_WORDS_QUEUE: Final = 256
"""Pushes of words that may wait."""


@dataclass(frozen=True, eq=False)
class Chunk:
    """Samples as a source pushed them; `capture_time` is when the first one was captured."""

    samples: Samples
    capture_time: int
    sample_rate: int

    @property
    def duration(self) -> int:
        """Length in 16 kHz samples."""
        return len(self.samples) * SAMPLE_RATE // self.sample_rate

    @property
    def end(self) -> int:
        """Capture time at which the chunk ends."""
        return self.capture_time + self.duration


@dataclass(frozen=True, eq=False)
class PictureArrival:
    """One picture and when it was captured."""

    image: Picture
    capture_time: int


@dataclass(frozen=True)
class WordsArrival:
    """Words that were said from `start` to `end`, on the clock of the capture times."""

    words: str
    start: int
    end: int
    final: bool


@dataclass(frozen=True, eq=False)
class Arrivals:
    """Everything that was waiting, each kind in the order in which it was pushed."""

    chunks: tuple[Chunk, ...]
    picture: PictureArrival | None
    words: tuple[WordsArrival, ...]

    def __bool__(self) -> bool:
        return bool(self.chunks or self.picture is not None or self.words)


class Inbox:
    """Thread contract: every method from any thread; `take` from one."""

    def __init__(self, audio_limit: int, tally: Tally) -> None:
        """Make an empty inbox.

        Args:
            audio_limit: samples of 16 kHz sound that may wait.
            tally: counts what is refused or replaced.
        """
        self._audio_limit = audio_limit
        self._tally = tally
        self._changed = threading.Condition()
        self._chunks: deque[Chunk] = deque()
        self._waiting_samples = 0
        self._picture: PictureArrival | None = None
        self._words: deque[WordsArrival] = deque()
        self._closed = False
        self._wake_at = 0
        self._urgent = False

    @property
    def closed(self) -> bool:
        """Whether nothing more is taken in."""
        return self._closed

    def put_audio(self, chunk: Chunk, timeout: float) -> bool:
        """Add a chunk; False if there was no room for it within `timeout` seconds."""
        with self._changed:
            if not self._wait_for(lambda: self._has_room(chunk.duration), timeout):
                if not self._closed:
                    self._tally.add("audio_overflow_samples", chunk.duration)
                return False
            self._chunks.append(chunk)
            self._waiting_samples += chunk.duration
            # A thread is not woken for every 10 ms: only for a bit of work or a decision.
            if self._waiting_samples >= SAMPLE_RATE // 10 or chunk.end >= self._wake_at:
                self._urgent = True
                self._changed.notify_all()
            return True

    def put_picture(self, picture: PictureArrival, timeout: float) -> bool:
        """Add a picture in place of one that still waits; False only when closed.

        Args:
            picture: the newest picture.
            timeout: seconds to wait for the one before to be taken, so that none is replaced.
        """
        with self._changed:
            self._wait_for(lambda: self._picture is None, timeout)
            if self._closed:
                return False
            if self._picture is not None:
                self._tally.add("pictures_replaced")
            self._picture = picture
            self._urgent = True
            self._changed.notify_all()
            return True

    def put_words(self, words: WordsArrival) -> bool:
        """Add words; False only when closed."""
        with self._changed:
            if self._closed:
                return False
            if len(self._words) >= LONGEST_WORDS_QUEUE:
                self._tally.add("words_dropped", len(self._words.popleft().words.split()))
            self._words.append(words)
            self._urgent = True
            self._changed.notify_all()
            return True

    def take(self, timeout: float | None, wake_at: int) -> Arrivals:
        """Give everything that waits, after at most `timeout` seconds.

        Args:
            timeout: seconds to wait for something; None waits for as long as it takes.
            wake_at: capture time at which a decision is due: sound that reaches it is not left
                waiting for more.
        """
        with self._changed:
            self._wake_at = wake_at
            reached = bool(self._chunks) and self._chunks[-1].end >= wake_at
            if not (self._urgent or reached or self._closed):
                self._changed.wait_for(lambda: self._urgent or self._closed, timeout)
            arrivals = Arrivals(tuple(self._chunks), self._picture, tuple(self._words))
            self._chunks.clear()
            self._words.clear()
            self._picture = None
            self._waiting_samples = 0
            self._urgent = False
            self._changed.notify_all()
            return arrivals

    def close(self) -> None:
        """Take in nothing more; what waits can still be taken."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()

    def _has_room(self, samples: int) -> bool:
        # A chunk longer than the whole queue is taken when nothing else waits.
        return self._waiting_samples == 0 or self._waiting_samples + samples <= self._audio_limit

    def _wait_for(self, condition: Callable[[], bool], timeout: float) -> bool:
        deadline = time.monotonic() + timeout
        while not self._closed and not condition():
            left = deadline - time.monotonic()
            if left <= 0:
                return False
            self._changed.wait(left)
        return not self._closed
