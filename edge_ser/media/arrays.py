"""Samples and pictures that are in memory already, checked and brought to a clip's form."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from edge_ser.constants import SAMPLE_RATE
from edge_ser.errors import MediaError
from edge_ser.media.clip import MemoryClip, Samples, VideoFrame
from edge_ser.media.samples import HIGHEST_RATE, LOWEST_RATE, mono_full_scale, resampler_from

__all__ = ["HIGHEST_RATE", "LOWEST_RATE", "checked_samples", "clip_from_arrays", "mono_at_16_khz"]

# More channels than any recorder has: the axes are swapped.
_MOST_CHANNELS = 64

# Floating-point sound far above full scale is 16-bit sound that was not divided by 32768.
_LOUDEST = 16.0


def clip_from_arrays(
    samples: npt.ArrayLike | None = None,
    sample_rate: int | None = None,
    frames: npt.ArrayLike | None = None,
    frame_times: Sequence[float] | npt.NDArray[np.floating[Any]] | None = None,
) -> MemoryClip:
    """Make a clip from arrays; sound and pictures begin on the same clock.

    Args:
        samples: float32, float64 (full scale 1) or int16, shape [n] or [n, channels].
        sample_rate: in Hz, 1000 to 384000; needed with `samples`.
        frames: uint8 [n, height, width, 3], RGB.
        frame_times: when each picture is shown, in seconds since the first sample, rising.

    Raises:
        MediaError: if an array is empty, has another type or shape, holds NaN or infinity (the
            message names the sample), or if both are missing.
    """
    if samples is None and frames is None:
        raise MediaError("neither samples nor frames were given")
    sound = None if samples is None else mono_at_16_khz(samples, sample_rate)
    pictures = None if frames is None else _pictures(frames, frame_times)
    end = 0 if sound is None else len(sound)
    if pictures:
        step = pictures[-1].time - pictures[-2].time if len(pictures) > 1 else 1
        end = max(end, pictures[-1].time + step)
    return MemoryClip(sound, pictures, duration=end)


def mono_at_16_khz(samples: npt.ArrayLike, sample_rate: int | None) -> Samples:
    """Check sound and give it as mono float32 [n] at 16 kHz; channels are averaged.

    Raises:
        MediaError: as `clip_from_arrays`.
    """
    rate = _checked_rate(sample_rate)
    values = checked_samples(samples)
    mono = mono_full_scale(values)
    if rate == SAMPLE_RATE:
        return mono
    resampled: Samples = resampler_from(rate).compute(mono)
    return resampled


def checked_samples(samples: npt.ArrayLike) -> npt.NDArray[Any]:
    """Give samples as an array of a type, a shape and with values that are sound.

    Raises:
        MediaError: if they are not; the message names the first sample that is NaN or infinite.
    """
    values = np.asarray(samples)
    if values.dtype not in (np.dtype(np.float32), np.dtype(np.float64), np.dtype(np.int16)):
        raise MediaError(f"samples must be float32, float64 or int16, not {values.dtype}")
    if values.ndim not in (1, 2):
        raise MediaError(f"samples must have the shape (n,) or (n, channels), not {values.shape}")
    if values.size == 0:
        raise MediaError(f"samples are empty: their shape is {values.shape}")
    if values.ndim == 2 and values.shape[1] > _MOST_CHANNELS:
        raise MediaError(
            f"samples of the shape {values.shape} would have {values.shape[1]} channels: give "
            "(n, channels), so transpose them"
        )
    if values.dtype == np.int16:
        return values
    broken = ~np.isfinite(values)
    if broken.any():
        first = np.unravel_index(int(np.argmax(broken)), broken.shape)
        where = f"sample {first[0]}" + (f" of channel {first[1]}" if values.ndim == 2 else "")
        raise MediaError(
            f"samples must be finite, but {where} is {values[first]} "
            f"({np.count_nonzero(broken)} of {values.size} are not)"
        )
    peak = float(np.abs(values).max())
    if peak > _LOUDEST:
        raise MediaError(
            f"floating-point samples have their full scale at 1, but these reach {peak:.4g}: "
            "divide 16-bit values by 32768"
        )
    return values


def _checked_rate(sample_rate: int | None) -> int:
    if sample_rate is None:
        raise MediaError("samples need their sample_rate in Hz")
    if isinstance(sample_rate, bool) or not float(sample_rate).is_integer():
        raise MediaError(f"sample_rate must be a whole number of Hz, not {sample_rate}")
    if not LOWEST_RATE <= sample_rate <= HIGHEST_RATE:
        raise MediaError(
            f"sample_rate must lie between {LOWEST_RATE} and {HIGHEST_RATE} Hz, not {sample_rate}"
        )
    return int(sample_rate)


def _pictures(
    frames: npt.ArrayLike, frame_times: Sequence[float] | npt.NDArray[Any] | None
) -> tuple[VideoFrame, ...]:
    images = np.asarray(frames)
    if images.dtype != np.uint8 or images.ndim != 4 or images.shape[3] != 3:
        raise MediaError(
            "frames must be uint8 of the shape (n, height, width, 3) in RGB, not "
            f"{images.dtype} of the shape {images.shape}"
        )
    if images.size == 0:
        raise MediaError(f"frames are empty: their shape is {images.shape}")
    if frame_times is None:
        raise MediaError("frames need their frame_times in seconds")
    times = np.asarray(frame_times, dtype=np.float64)
    if times.shape != (len(images),):
        raise MediaError(
            f"{len(images)} frames need as many frame_times, not the shape {times.shape}"
        )
    if not np.isfinite(times).all() or times[0] < 0 or (np.diff(times) <= 0).any():
        raise MediaError("frame_times must be finite, not negative, and rise from frame to frame")
    counts = np.round(times * SAMPLE_RATE).astype(np.int64)
    return tuple(VideoFrame(image, int(t)) for image, t in zip(images, counts, strict=True))
