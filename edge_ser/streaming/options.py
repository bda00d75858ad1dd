"""What a stream is told when it is made."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from edge_ser.constants import SAMPLE_RATE
from edge_ser.errors import ConfigError
from edge_ser.frontends.audio import HOP
from edge_ser.media.clip import check_positive
from edge_ser.streaming.smoothing import SmoothingOptions, smoothing_options

SHORTEST_HOP: Final = 0.05


@dataclass(frozen=True)
class StreamOptions:
    """Times in 16 kHz samples."""

    window: int
    """What a decision looks at."""
    hop: int
    """From one decision to the next."""
    smoothing: SmoothingOptions
    speech_gate: bool = True
    """Whether sound in which nobody speaks counts as absent."""

    @classmethod
    def checked(
        cls,
        window: float,
        hop: float,
        smoothing: str,
        longest: int,
        *,
        speech_gate: bool = True,
    ) -> StreamOptions:
        """Check what a caller asked for.

        Args:
            window: seconds that a decision looks at; rounded to 10 ms.
            hop: seconds between decisions; rounded to 10 ms.
            smoothing: ``off``, ``light`` or ``strong``.
            longest: samples that the bundle's acoustic graph takes at most.
            speech_gate: whether sound in which nobody speaks counts as absent.

        Raises:
            ConfigError: if a value is out of range; the message says what the range is.
        """
        for name, value in (("window", window), ("hop", hop)):
            check_positive(name, value)
        if hop < SHORTEST_HOP:
            raise ConfigError(f"hop is {hop} s; it must be at least {SHORTEST_HOP} s")
        if hop > window:
            raise ConfigError(f"hop ({hop} s) is longer than window ({window} s): sound is skipped")
        if window * SAMPLE_RATE > longest:
            raise ConfigError(
                f"window is {window} s; this bundle takes at most {longest / SAMPLE_RATE:g} s"
            )
        return cls(_on_grid(window), _on_grid(hop), smoothing_options(smoothing), speech_gate)


def _on_grid(seconds: float) -> int:
    # Whole numbers of feature rows.
    return max(round(seconds * SAMPLE_RATE / HOP), 1) * HOP
