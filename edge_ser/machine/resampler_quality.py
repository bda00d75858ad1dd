"""How good a resampler to 16 kHz is: what passes, what is stopped, how long an output waits."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass

import numpy as np
from numpy.typing import NDArray

from edge_ser.constants import SAMPLE_RATE

Samples = NDArray[np.float32]
Resample = Callable[[Samples], Samples]

_NYQUIST = SAMPLE_RATE / 2
_BEYOND = (0.0, 0.001, 0.003, 0.01, 0.02, 0.05, 0.09, 0.13, 0.2, 0.37, 0.5, 0.71, 0.999)
"""Where tones that must not pass lie, between the lower and the higher Nyquist frequency."""
_PASSES_DB = 0.1


@dataclass(frozen=True)
class ResamplerQuality:
    """Figures of one resampler from one rate that is above 16 kHz."""

    pass_band: float
    """Part of the Nyquist frequency up to which tones lose at most 0.1 dB."""
    rejection_db: float
    """How far the loudest residue of a full-scale tone beyond that frequency is down."""
    latency_ms: float
    """The longest that a stream fed a millisecond at a time lags behind its input."""

    def as_dict(self) -> dict[str, float]:
        """Return the figures, rounded, for JSON."""
        return {
            name: round(value, 4 if name == "pass_band" else 1)
            for name, value in asdict(self).items()
        }


def measured_quality(rate: int, whole: Resample, stream: Resample) -> ResamplerQuality:
    """Measure a resampler from `rate` Hz to 16 kHz.

    Args:
        rate: above 16000 Hz.
        whole: gives the float32 [n] of a whole clip.
        stream: takes the next chunk and gives what it makes available.
    """
    return ResamplerQuality(
        _pass_band(rate, whole), _rejection(rate, whole), _latency(rate, stream)
    )


def _tone(hz: float, rate: int) -> Samples:
    return np.asarray(np.sin(2 * np.pi * hz * np.arange(rate // 2) / rate), np.float32)


def _pass_band(rate: int, whole: Resample) -> float:
    low, high = 0.5, 1.0
    while high - low > 1e-4:
        part = (low + high) / 2
        given = whole(_tone(part * _NYQUIST, rate)).astype(np.float64)
        window = np.hanning(len(given))
        turn = np.exp(-1j * np.pi * part * np.arange(len(given)))
        gain = 2 * abs(np.sum(window * given * turn)) / window.sum()
        low, high = (part, high) if 20 * np.log10(gain) >= -_PASSES_DB else (low, part)
    return low


def _rejection(rate: int, whole: Resample) -> float:
    loudest = 0.0
    for part in _BEYOND:
        # Not at exactly 8 kHz, where samples may fall on the zeros of the sine.
        given = whole(_tone(_NYQUIST + part * (rate / 2 - _NYQUIST) + 1.7, rate))
        middle = given[len(given) // 4 : -len(given) // 4].astype(np.float64)
        loudest = max(loudest, float(np.mean(middle**2)) / 0.5)
    return float(-10 * np.log10(loudest + 1e-30))


def _latency(rate: int, stream: Resample) -> float:
    taken, given, longest = 0, 0, 0.0
    for millisecond in range(1, 501):
        chunk = np.zeros(millisecond * rate // 1000 - taken, np.float32)
        taken += len(chunk)
        given += len(stream(chunk))
        longest = max(longest, taken / rate - given / SAMPLE_RATE)
    return 1000 * longest
