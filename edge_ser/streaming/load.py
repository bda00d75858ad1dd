"""What a stream leaves out when the machine is too slow, in a stated order, and when it returns."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True)
class LoadLevel:
    """How much work a stream does."""

    face_divisor: int
    """One of so many sampled pictures is looked at."""
    text: bool
    """Whether words are encoded."""
    hop_divisor: int
    """One of so many hops gets a decision."""
    description: str
    """What is left out, for people; empty when nothing is."""


LEVELS: Final = (
    LoadLevel(1, True, 1, ""),
    LoadLevel(2, True, 1, "every 2nd picture left out"),
    LoadLevel(4, True, 1, "3 of 4 pictures left out"),
    LoadLevel(4, False, 1, "3 of 4 pictures and the words left out"),
    LoadLevel(4, False, 2, "3 of 4 pictures, the words and every 2nd hop left out"),
    LoadLevel(4, False, 4, "3 of 4 pictures, the words and 3 of 4 hops left out"),
)
"""The order in which work is shed: pictures, then words, then hops. Sound is never shed."""

_TOO_MUCH = 0.8
_LITTLE = 0.4
_HOPS_TO_SHED = 2
_HOPS_TO_RETURN = 12
_MOST_HOPS_TO_RETURN = 240


class LoadController:
    """Chooses the level from how busy the hops were. Thread contract: belongs to one thread.

    Two hops in a row that took more than 80 % of their time, or whose decision came more than a hop
    late, shed one level. Twelve quiet hops in a row (under 40 %) bring one level back; should that
    prove too early, the next attempt waits twice as long, up to 240 hops.
    """

    def __init__(self) -> None:
        self._level = 0
        self._busy_hops = 0
        self._quiet_hops = 0
        self._patience = _HOPS_TO_RETURN
        self._since_return: int | None = None

    @property
    def level(self) -> LoadLevel:
        """What applies now."""
        return LEVELS[self._level]

    def hop_done(self, busy: int, lateness: int, hop: int) -> None:
        """Judge one hop.

        Args:
            busy: samples (time) for which the stream worked since the last decision.
            lateness: samples from the end of the window to the end of the work.
            hop: samples since the last decision.
        """
        if self._since_return is not None:
            self._since_return += 1
            if self._since_return > 4 * _HOPS_TO_SHED:
                self._since_return = None
                self._patience = max(self._patience // 2, _HOPS_TO_RETURN)
        if busy > _TOO_MUCH * hop or lateness > hop:
            self._quiet_hops = 0
            self._busy_hops += 1
            if self._busy_hops >= _HOPS_TO_SHED:
                self._shed()
        elif busy < _LITTLE * hop:
            self._busy_hops = 0
            self._quiet_hops += 1
            if self._quiet_hops >= self._patience:
                self._bring_back()
        else:
            self._busy_hops = self._quiet_hops = 0

    def _shed(self) -> None:
        self._busy_hops = 0
        if self._since_return is not None:
            self._patience = min(self._patience * 2, _MOST_HOPS_TO_RETURN)
            self._since_return = None
        self._level = min(self._level + 1, len(LEVELS) - 1)

    def _bring_back(self) -> None:
        self._quiet_hops = 0
        if self._level > 0:
            self._level -= 1
            self._since_return = 0
