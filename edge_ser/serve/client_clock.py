"""A client's clock against this machine's: nothing arrives before it was captured."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from edge_ser.clock import monotonic_samples
from edge_ser.constants import SAMPLE_RATE

SPAN: Final = 30 * SAMPLE_RATE
"""What was measured longer ago than twice that is forgotten: clocks drift."""


class ClientClock:
    """The quickest message of the last while tells the shift best. Belongs to one thread."""

    def __init__(self, now: Callable[[], int] = monotonic_samples) -> None:
        self._now = now
        self._since: int | None = None
        self._quickest: int | None = None
        self._before: int | None = None

    def arrived(self, time: int, duration: int = 0) -> int:
        """Turn the capture time of what arrives now into one of this machine's.

        Args:
            time: on the client's clock, in 16 kHz samples.
            duration: of what begins then: it was sent after its end.
        """
        now = self._now()
        if self._since is None or now - self._since >= SPAN:
            self._since, self._before, self._quickest = now, self._quickest, None
        shift = now - time - duration
        self._quickest = shift if self._quickest is None else min(self._quickest, shift)
        return time + (
            self._quickest if self._before is None else min(self._before, self._quickest)
        )
