"""Channels to mono: mixed, or one alone; what listening to them told. All downmixing is here."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final, Literal, TypeAlias

import numpy as np
import numpy.typing as npt

from edge_ser.errors import ConfigError, MediaError
from edge_ser.media.clip import Samples
from edge_ser.media.samples import full_scale

Channel: TypeAlias = Literal["mix", "left", "right"] | int
"""Which channel is heard: all mixed, one by its side, or one by its number, from 1 on."""

# Downmix to mono after ITU-R BS.775: the centre carries speech, the low-frequency channel none.
_WEIGHTS: Final = {
    "FL": 0.7071, "FR": 0.7071, "FC": 1.0, "LFE": 0.0, "LFE2": 0.0,
    "BL": 0.5, "BR": 0.5, "BC": 0.5, "SL": 0.5, "SR": 0.5,
}  # fmt: skip

# A mix with less than this share of its channels' power has lost what they carry (-20 dB).
_CANCELS: Final = 0.01

# Power below which sound tells nothing of its channels (-70 dBFS), and from which it may be speech.
_SILENT: Final = 1e-7
_ACTIVE: Final = 1e-5

# A channel speaks alone where it has this many times the power of every other (15 dB); channels
# differ where two of them do so for this share of the sound.
_ALONE: Final = 31.6
_SHARE_ALONE: Final = 0.1

# Samples that are judged at once: 43 ms at 48 kHz, a syllable at 8 kHz.
_BLOCK: Final = 2048


def checked_channel(channel: Any) -> Channel:
    """Give a choice of a channel; digits in a text are its number.

    Raises:
        ConfigError: if it is none.
    """
    if isinstance(channel, str) and channel in ("mix", "left", "right"):
        return channel  # type: ignore[return-value]
    if isinstance(channel, str) and channel.isdecimal():
        channel = int(channel)
    if isinstance(channel, (int, np.integer)) and not isinstance(channel, bool) and channel >= 1:
        return int(channel)
    several = ": recognize_channels decides for each" if channel == "each" else ""
    raise ConfigError(
        f"channel must be mix, left, right or a number from 1 on, not {channel!r}{several}"
    )


class Downmix:
    """Makes one sound mono, block after block.

    Where channels cancel each other in the mix (one was wired the wrong way round), the first is
    heard alone. Thread contract: belongs to one thread.
    """

    def __init__(self, channel: Channel = "mix") -> None:
        """Begin a sound.

        Args:
            channel: as for `checked_channel`.

        Raises:
            ConfigError: if it is no channel.
        """
        self._channel = checked_channel(channel)
        self._mix_power = 0.0
        self._power = 0.0
        self._cancelled = False
        self._active = 0
        self._alone: npt.NDArray[np.int64] = np.zeros(0, dtype=np.int64)

    def accept(self, samples: npt.NDArray[Any], layout: Sequence[str] | None = None) -> Samples:
        """Give the next samples as mono float32 [n], full scale 1.

        Args:
            samples: of any PCM type, [n] or [n, channels].
            layout: FFmpeg's name of each channel; without it all weigh the same.

        Raises:
            MediaError: if the sound lacks the channel.
        """
        scaled = full_scale(samples)
        count = 1 if scaled.ndim == 1 else scaled.shape[1]
        if self._channel != "mix":
            index = _index(self._channel, count)
            return scaled if scaled.ndim == 1 else np.ascontiguousarray(scaled[:, index])
        if scaled.ndim == 1 or count == 1:
            return scaled.reshape(-1)
        weights = np.array([_WEIGHTS.get(name, 0.5) for name in layout or ()] or [1.0] * count)
        if not weights.any():
            weights[:] = 1.0
        # In double, so that the mean of equal channels is exactly one of them.
        mono = np.asarray(scaled @ (weights / weights.sum()), dtype=np.float32)
        heard = scaled[:, weights > 0]
        self._listen(heard, mono)
        if self._power > _SILENT and self._mix_power < _CANCELS * self._power:
            self._cancelled = True
            return np.ascontiguousarray(heard[:, 0])
        return mono

    def notes(self) -> tuple[str, ...]:
        """What a person should know of the channels heard so far."""
        told = []
        if self._cancelled:
            told.append(
                "the channels cancel each other when mixed (one is inverted): the first is heard "
                "alone; choose another with --channel (channel=), or mend the wiring"
            )
        if np.count_nonzero(self._alone > _SHARE_ALONE * self._active) > 1:
            told.append(
                "the channels carry different speech, and this mixes them: decide for each with "
                "--channel each (recognize_channels)"
            )
        return tuple(told)

    def _listen(self, heard: npt.NDArray[np.float32], mono: Samples) -> None:
        if not len(mono):
            return
        starts = np.arange(0, len(mono), _BLOCK)
        lengths = np.diff(starts, append=len(mono))
        finite = np.nan_to_num(heard, posinf=0.0, neginf=0.0).astype(np.float64)
        sums = np.add.reduceat(finite**2, starts, axis=0)
        mixed = np.nan_to_num(mono, posinf=0.0, neginf=0.0).astype(np.float64)
        self._mix_power += float(mixed @ mixed)
        self._power += float(sums.sum()) / heard.shape[1]
        power = sums / lengths[:, None]
        if len(self._alone) != heard.shape[1]:
            self._alone = np.zeros(heard.shape[1], dtype=np.int64)
        if heard.shape[1] < 2:
            return
        loudest, second = power.max(axis=1), np.sort(power, axis=1)[:, -2]
        active = loudest > _ACTIVE
        self._active += int(lengths[active].sum())
        alone = active & (loudest > _ALONE * second)
        np.add.at(self._alone, power.argmax(axis=1)[alone], lengths[alone])


def mono_full_scale(samples: npt.NDArray[Any], channel: Channel = "mix") -> Samples:
    """Give one block of any PCM type, [n] or [n, channels], as mono float32 [n], full scale 1.

    Raises:
        ConfigError, MediaError: as `Downmix`.
    """
    return Downmix(channel).accept(samples)


def _index(channel: Channel, count: int) -> int:
    number = {"left": 1, "right": 2}.get(str(channel)) or int(channel)
    if number > count:
        raise MediaError(
            f"there is no channel {channel}: the sound has {count}; --channel (channel=) takes mix"
            + ("" if count == 1 else f" or 1 to {count}")
        )
    return number - 1
