"""Samples of any type and rate to mono in full scale, at the rate a bundle wants."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np
import numpy.typing as npt

from edge_ser.constants import SAMPLE_RATE
from edge_ser.errors import MediaError
from edge_ser.media.clip import Samples

if TYPE_CHECKING:
    from edge_ser.kernels import Resampler

LOWEST_RATE: Final = 1000
"""Lowest sample rate in Hz that is taken, from files, arrays and devices."""


HIGHEST_RATE: Final = 384000
"""Highest sample rate in Hz that is taken."""


def resampler_from(rate: int) -> Resampler:
    """Give the resampler from a rate in Hz to 16 kHz.

    Raises:
        MediaError: if no sound has such a rate.
    """
    from edge_ser.kernels import Resampler, ResamplerOptions

    if not LOWEST_RATE <= rate <= HIGHEST_RATE:
        raise MediaError(
            f"a sample rate must lie between {LOWEST_RATE} and {HIGHEST_RATE} Hz, not {rate}"
        )
    return Resampler(ResamplerOptions(source_rate=rate, target_rate=SAMPLE_RATE))


def full_scale(values: npt.NDArray[Any]) -> npt.NDArray[np.float32]:
    """Give samples of any PCM type as new float32 values with full scale at 1."""
    scaled: npt.NDArray[np.float32] = values.astype(np.float32)
    if values.dtype.kind == "u":
        scaled -= 2.0 ** (8 * values.dtype.itemsize - 1)
    if values.dtype.kind in "iu":
        scaled *= 2.0 ** (1 - 8 * values.dtype.itemsize)
    return scaled


def mono_full_scale(samples: npt.NDArray[Any]) -> Samples:
    """As `full_scale`, with channels averaged: [n] or [n, channels] to float32 [n].

    The sum is in double, so that the mean of equal channels is exactly one of them.
    """
    scaled: Samples = full_scale(samples)
    if scaled.ndim == 2:
        return np.asarray(scaled.mean(axis=1, dtype=np.float64), dtype=np.float32)
    return scaled
