"""Clocks that a stream reads: all count 16 kHz samples in whole numbers of any size.

A capture time is such a count: when a source's samples or picture came into being, on the very
clock that the stream reads. `monotonic_samples` is that clock for everything captured live.
"""

from __future__ import annotations

import threading
import time
from typing import Final, Protocol

import numpy as np

from edge_ser.constants import SAMPLE_RATE
from edge_ser.errors import MediaError

NANOSECONDS_PER_SAMPLE: Final = 1_000_000_000 // SAMPLE_RATE
"""Exactly 62500: no rounding builds up over the days."""


EARLIEST: Final = SAMPLE_RATE // 10
"""A device may stamp its buffers so far ahead of the system's clock."""
OLDEST: Final = 30 * SAMPLE_RATE
"""What is pushed live cannot have been captured longer ago."""


def samples_from_nanoseconds(nanoseconds: int) -> int:
    """Whole 16 kHz samples in a reading of, for instance, `time.monotonic_ns`."""
    return nanoseconds // NANOSECONDS_PER_SAMPLE


def monotonic_samples() -> int:
    """The system's monotonic clock in 16 kHz samples; never set back by a change of the date."""
    return samples_from_nanoseconds(time.monotonic_ns())


def checked_moment(name: str, moment: object) -> int:
    """A moment that a caller gave, in whole 16 kHz samples.

    Args:
        name: what the caller calls it.
        moment: a whole number, also of NumPy or as a float.

    Raises:
        MediaError: if it is none: seconds, a date, text or NaN.
    """
    # NumPy takes a span of time for a whole number.
    if isinstance(moment, (int, np.integer)) and not isinstance(moment, (bool, np.timedelta64)):
        return int(moment)
    if isinstance(moment, (float, np.floating)) and float(moment).is_integer():
        return int(moment)
    raise MediaError(
        f"{name} must be a whole number of 16 kHz samples on the stream's clock, not {moment!r}: "
        f"multiply seconds by {SAMPLE_RATE} and round"
    )


def milliseconds(samples: int) -> float:
    """Length of a span of samples in milliseconds."""
    return samples * 1000 / SAMPLE_RATE


class StreamClock(Protocol):
    """What a stream knows of the time. Thread contract: any thread may read it."""

    @property
    def live(self) -> bool:
        """Whether time passes by itself, so that being slow means being late."""

    def plausible(self, capture_time: int) -> bool:
        """Whether something that is pushed now can have been captured then."""

    def now(self) -> int:
        """The present moment in 16 kHz samples; never goes back."""

    def seconds_until(self, moment: int) -> float | None:
        """Real seconds to wait for a moment; None when waiting does not bring it nearer."""

    def saw(self, capture_time: int) -> None:
        """Something was captured up to this moment."""


class MonotonicClock:
    """The system's monotonic clock: the clock of everything that is captured live."""

    live: Final = True

    def now(self) -> int:
        """See `monotonic_samples`."""
        return monotonic_samples()

    def seconds_until(self, moment: int) -> float:
        """Real seconds to a moment; 0 once it has passed."""
        return max(moment - self.now(), 0) / SAMPLE_RATE

    def plausible(self, capture_time: int) -> bool:
        """Not from the future, nor older than sound may wait on its way."""
        age = self.now() - capture_time
        return -EARLIEST <= age <= OLDEST

    def saw(self, capture_time: int) -> None:
        """Live captures do not move this clock."""


class PushedClock:
    """It is as late as the newest thing that was pushed: for media fed at any speed.

    It never goes back.
    """

    live: Final = False

    def __init__(self, start: int = 0) -> None:
        self._now = start
        self._lock = threading.Lock()

    def __repr__(self) -> str:
        return f"<PushedClock at {self.now()} samples>"

    def now(self) -> int:
        """The latest moment that was pushed or set."""
        return self._now

    def seconds_until(self, moment: int) -> float | None:
        """Waiting does not move this clock."""
        return 0.0 if moment <= self._now else None

    def plausible(self, capture_time: int) -> bool:
        """Everything is: nothing is known of the time but what is pushed."""
        del capture_time
        return True

    def saw(self, capture_time: int) -> None:
        """Move on to a capture time, unless that would be a step back."""
        with self._lock:
            self._now = max(self._now, capture_time)
