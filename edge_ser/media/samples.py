"""Samples of any type to full scale, and from any rate to the one that a bundle wants."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np
import numpy.typing as npt

from edge_ser.constants import SAMPLE_RATE
from edge_ser.errors import MediaError

if TYPE_CHECKING:
    from edge_ser.kernels import Resampler

LOWEST_RATE: Final = 1000
"""Lowest sample rate in Hz that is taken, from files, arrays and devices."""

HIGHEST_RATE: Final = 384000
"""Highest sample rate in Hz that is taken."""

LOUDEST: Final = 16.0
"""Floating-point sound far above full scale is 16-bit sound that was not divided by 32768."""


def resampler_from(rate: int) -> Resampler:
    """Give the resampler from a rate in Hz to 16 kHz.

    Raises:
        MediaError: if no sound has such a rate.
    """
    from edge_ser.kernels import Resampler, ResamplerOptions

    return Resampler(ResamplerOptions(source_rate=checked_rate(rate), target_rate=SAMPLE_RATE))


def checked_rate(sample_rate: Any) -> int:
    """Give a sample rate in Hz as a whole number.

    Raises:
        MediaError: if it is none, or no sound has such a rate.
    """
    number = isinstance(sample_rate, (int, float, np.integer, np.floating))
    whole = number and not isinstance(sample_rate, bool) and float(sample_rate).is_integer()
    if not whole:
        swapped = ": give (samples, rate), in this order" if np.ndim(sample_rate) else ""
        shown = type(sample_rate).__name__ if np.ndim(sample_rate) else repr(sample_rate)
        raise MediaError(f"sample_rate must be a whole number of Hz, not {shown}{swapped}")
    if not LOWEST_RATE <= sample_rate <= HIGHEST_RATE:
        raise MediaError(
            f"sample_rate must lie between {LOWEST_RATE} and {HIGHEST_RATE} Hz, not {sample_rate}"
        )
    return int(sample_rate)


def full_scale(values: npt.NDArray[Any]) -> npt.NDArray[np.float32]:
    """Give samples of any PCM type as new float32 values with full scale at 1."""
    scaled: npt.NDArray[np.float32] = values.astype(np.float32)
    if values.dtype.kind == "u":
        scaled -= 2.0 ** (8 * values.dtype.itemsize - 1)
    if values.dtype.kind in "iu":
        scaled *= 2.0 ** (1 - 8 * values.dtype.itemsize)
    return scaled
