"""Samples and pictures that are in memory already, checked and brought to a clip's form."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from edge_ser.constants import SAMPLE_RATE
from edge_ser.errors import MediaError
from edge_ser.media.channels import Channel, Downmix
from edge_ser.media.clip import MemoryClip, Samples, VideoFrame
from edge_ser.media.samples import LOUDEST, checked_rate, resampler_from

# More channels than any recorder has: the axes are swapped.
_MOST_CHANNELS = 64

# Clips of days are streams; a larger number is milliseconds, or time since an epoch.
_LONGEST_CLIP = 7 * 86400.0

_HOW_TO_SCALE = {
    "int32": ": divide by 2147483648 (2 ** 31) as float32",
    "uint8": ": subtract 128 and divide by 128 as float32",
    "int64": ": convert 16-bit values to int16, or divide by their full scale as float32",
    "uint16": ": subtract 32768 and divide by 32768 as float32",
    "int8": ": divide by 128 as float32",
    "float16": ": convert to float32",
}


def clip_from_arrays(
    samples: npt.ArrayLike | None = None,
    sample_rate: int | None = None,
    frames: npt.ArrayLike | None = None,
    frame_times: Sequence[float] | npt.NDArray[np.floating[Any]] | None = None,
    *,
    channel: Channel = "mix",
) -> MemoryClip:
    """Make a clip from arrays; sound and pictures begin on the same clock.

    Args:
        samples: float32, float64 (full scale 1) or int16, shape [n] or [n, channels].
        sample_rate: in Hz, 1000 to 384000; needed with `samples`.
        frames: uint8 [n, height, width, 3], RGB.
        frame_times: when each picture is shown, in seconds since the first sample, rising.
        channel: mix, left, right, or a channel's number from 1 on.

    Raises:
        MediaError: if an array is empty, has another type or shape, holds NaN or infinity (the
            message names the sample), if both are missing, or the sound lacks the channel.
        ConfigError: if it is no channel.
    """
    if samples is None and frames is None:
        raise MediaError("neither samples nor frames were given")
    downmix = Downmix(channel)
    audio = None if samples is None else mono_at_16_khz(samples, sample_rate, downmix)
    pictures = None if frames is None else _pictures(frames, frame_times)
    end = 0 if audio is None else len(audio)
    if pictures:
        step = pictures[-1].time - pictures[-2].time if len(pictures) > 1 else 1
        end = max(end, pictures[-1].time + step)
    return MemoryClip(audio, pictures, duration=end, channel_notes=downmix.notes())


def mono_at_16_khz(samples: npt.ArrayLike, sample_rate: int | None, downmix: Downmix) -> Samples:
    """Check sound and give it as mono float32 [n] at 16 kHz.

    Raises:
        MediaError: as `clip_from_arrays`.
    """
    if sample_rate is None:
        raise MediaError("samples need their sample_rate in Hz")
    rate = checked_rate(sample_rate)
    values = checked_samples(samples)
    mono = downmix.accept(values)
    if rate == SAMPLE_RATE:
        return mono
    resampled: Samples = resampler_from(rate).compute(mono)
    return resampled


def checked_form(samples: npt.ArrayLike) -> npt.NDArray[Any]:
    """Give samples, also none, as an array of a type and a shape that sound has.

    Raises:
        MediaError: if they have another.
    """
    values = as_array("samples", samples)
    if values.dtype not in (np.dtype(np.float32), np.dtype(np.float64), np.dtype(np.int16)):
        raise MediaError(
            f"samples must be float32, float64 or int16, not {values.dtype}"
            + _HOW_TO_SCALE.get(values.dtype.name, "")
        )
    if values.ndim not in (1, 2):
        raise MediaError(f"samples must have the shape (n,) or (n, channels), not {values.shape}")
    if values.shape[1:] == (0,):
        raise MediaError(f"samples are empty: their shape is {values.shape}")
    if values.ndim == 2 and values.shape[1] > _MOST_CHANNELS:
        raise MediaError(
            f"samples of the shape {values.shape} would have {values.shape[1]} channels: give "
            "(n, channels), so transpose them"
        )
    return values


def checked_samples(samples: npt.ArrayLike) -> npt.NDArray[Any]:
    """Give samples as an array of a type, a shape and with values that are sound.

    Raises:
        MediaError: if they are not; the message names the first sample that is NaN or infinite.
    """
    values = checked_form(samples)
    if values.size == 0:
        raise MediaError(f"samples are empty: their shape is {values.shape}")
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
    if peak > LOUDEST:
        bits = next((b for b in (16, 24, 32) if peak <= 2.0 ** (b - 1)), None)
        advice = f": divide {bits}-bit values by {2 ** (bits - 1)}" if bits else ""
        raise MediaError(
            f"floating-point samples have their full scale at 1, but these reach {peak:.4g}{advice}"
        )
    return values


def as_array(name: str, values: Any) -> npt.NDArray[Any]:
    """Give numbers as an array, whatever holds them.

    Raises:
        MediaError: if it is a file, a text, or rows of different lengths.
    """
    if isinstance(values, (bytes, bytearray, memoryview)) or hasattr(values, "read"):
        raise MediaError(
            f"{name} are numbers in an array, not {type(values).__name__}: decode them first, or "
            "save them as a file and give its path"
        )
    try:
        array = np.asarray(values)
    except (ValueError, TypeError) as error:
        raise MediaError(f"{name} cannot be read as an array: {error}") from error
    if array.dtype == object:
        raise MediaError(f"{name} must have one type and rows of one length, not {array.dtype}")
    return array


def _pictures(
    frames: npt.ArrayLike, frame_times: Sequence[float] | npt.NDArray[Any] | None
) -> tuple[VideoFrame, ...]:
    images = as_array("frames", frames)
    if images.dtype != np.uint8 or images.ndim != 4 or images.shape[3] != 3:
        raise MediaError(
            "frames must be uint8 of the shape (n, height, width, 3) in RGB, not "
            f"{images.dtype} of the shape {images.shape}"
        )
    if images.size == 0:
        raise MediaError(f"frames are empty: their shape is {images.shape}")
    if frame_times is None:
        raise MediaError("frames need their frame_times in seconds")
    times = _seconds(frame_times)
    if times.shape != (len(images),):
        raise MediaError(
            f"{len(images)} frames need as many frame_times, not the shape {times.shape}"
        )
    if not np.isfinite(times).all() or times[0] < 0 or (np.diff(times) <= 0).any():
        raise MediaError("frame_times must be finite, not negative, and rise from frame to frame")
    if times[-1] > _LONGEST_CLIP:
        raise MediaError(
            f"frame_times are seconds since the clip's start, and {times[-1]:.6g} s is later than "
            "any clip lasts: divide milliseconds by 1000, and take the first sample's time away"
        )
    counts = np.round(times * SAMPLE_RATE).astype(np.int64)
    return tuple(VideoFrame(image, int(t)) for image, t in zip(images, counts, strict=True))


def _seconds(frame_times: Any) -> npt.NDArray[np.float64]:
    times = as_array("frame_times", frame_times)
    if times.dtype.kind not in "iuf":
        hint = ": give seconds since the first sample" if times.dtype.kind in "mM" else ""
        raise MediaError(f"frame_times must be numbers of seconds, not {times.dtype}{hint}")
    return times.astype(np.float64)
