"""Whether sound is long and loud enough for the acoustic graph."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from edge_ser.bundles.schema import AudioFrontendConfig
from edge_ser.constants import SAMPLE_RATE

_BLOCKS_A_SECOND = 10


def why_short(seconds: float, config: AudioFrontendConfig) -> str | None:
    """Say that so many seconds of sound are too few; None if they are not."""
    if seconds >= config.minimum_seconds:
        return None
    needed = config.minimum_seconds * 1000
    return f"only {seconds * 1000:.0f} ms of sound; {needed:.0f} ms are needed"


def why_quiet(level: float, config: AudioFrontendConfig) -> str | None:
    """Say that sound whose loudest part has this level, in dBFS, is silence; None if it is not."""
    if level >= config.silence_dbfs:
        return None
    return "digital silence" if level == -np.inf else f"silence (loudest {level:.0f} dBFS)"


def why_unheard(samples: npt.NDArray[np.float32], config: AudioFrontendConfig) -> str | None:
    """Say why a piece of sound, float32 [n] at 16 kHz, is too short or too quiet; None if not."""
    return why_short(len(samples) / SAMPLE_RATE, config) or why_quiet(loudest_dbfs(samples), config)


def loudest_dbfs(samples: npt.NDArray[np.float32]) -> float:
    """Level of the loudest 100 ms in dB relative to a full-scale square wave; -inf for zeros.

    Args:
        samples: float32 [n], n at least 1, 16 kHz.
    """
    return loudest_power_dbfs(np.square(samples.astype(np.float64)), SAMPLE_RATE)


def loudest_power_dbfs(power: npt.NDArray[np.floating[Any]], rate: int) -> float:
    """As `loudest_dbfs`, from mean squares [n], n at least 1, of which a second has `rate`."""
    block = rate // _BLOCKS_A_SECOND
    count = max(len(power) // block, 1)
    size = min(block, len(power))
    loudest = float(power[: count * size].reshape(count, size).mean(axis=1, dtype=float).max())
    return float(10 * np.log10(loudest)) if loudest > 0 else float("-inf")
