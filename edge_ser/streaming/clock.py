"""Clocks that a stream reads: all count 16 kHz samples in whole numbers of any size.

A capture time is such a count: when a source's samples or picture came into being, on the very
clock that the stream reads. `monotonic_samples` is that clock for everything captured live.
"""

from __future__ import annotations

import threading
import time
from typing import Final, Protocol

from edge_ser.constants import SAMPLE_RATE

NANOSECONDS_PER_SAMPLE: Final = 1_000_000_000 // SAMPLE_RATE
"""Exactly 62500: no rounding builds up over the days."""


def samples_from_nanoseconds(nanoseconds: int) -> int:
    """Whole 16 kHz samples in a reading of, for instance, `time.monotonic_ns`."""
    return nanoseconds // NANOSECONDS_PER_SAMPLE


def monotonic_samples() -> int:
    """The system's monotonic clock in 16 kHz samples; never set back by a change of the date."""
    return samples_from_nanoseconds(time.monotonic_ns())


def milliseconds(samples: int) -> float:
    """Length of a span of samples in milliseconds."""
    return samples * 1000 / SAMPLE_RATE


class StreamClock(Protocol):
    """What a stream knows of the time. Thread contract: any thread may read it."""

    def now(self) -> int:
        """The present moment in 16 kHz samples; never goes back."""

    def seconds_until(self, moment: int) -> float | None:
        """Real seconds to wait for a moment; None when waiting does not bring it nearer."""

    def saw(self, capture_time: int) -> None:
        """Something was captured up to this moment."""


class MonotonicClock:
    """The system's monotonic clock: the clock of everything that is captured live."""

    def now(self) -> int:
        """See `monotonic_samples`."""
        return monotonic_samples()

    def seconds_until(self, moment: int) -> float:
        """Real seconds to a moment; 0 once it has passed."""
        return max(moment - self.now(), 0) / SAMPLE_RATE

    def saw(self, capture_time: int) -> None:
        """Live captures do not move this clock."""


class PushedClock:
    """It is as late as the newest thing that was pushed: for media fed at any speed.

    Whoever simulates time may also move it by hand. It never goes back.
    """

    def __init__(self, start: int = 0) -> None:
        self._now = start
        self._lock = threading.Lock()

    def now(self) -> int:
        """The latest moment that was pushed or set."""
        return self._now

    def seconds_until(self, moment: int) -> float | None:
        """Waiting does not move this clock."""
        return 0.0 if moment <= self._now else None

    def saw(self, capture_time: int) -> None:
        """Move on to a capture time, unless that would be a step back."""
        with self._lock:
            self._now = max(self._now, capture_time)

    def advance(self, samples: int) -> None:
        """Let time pass."""
        with self._lock:
            self._now += max(samples, 0)
