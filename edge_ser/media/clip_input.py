"""What a caller may give as a clip: a path, an open clip, or samples with their rate."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TypeAlias

import numpy.typing as npt

from edge_ser.errors import ConfigError, MediaError
from edge_ser.media.arrays import checked_form
from edge_ser.media.channels import Channel
from edge_ser.media.clip import Clip
from edge_ser.media.media import clip_from_arrays, open_clip

ClipInput: TypeAlias = "str | os.PathLike[str] | Clip | tuple[npt.ArrayLike, int]"
"""A path, a `Clip` (see `clip_from_arrays`), or samples with their rate in Hz."""


def channel_count(clip: ClipInput, audio_track: int | None) -> int:
    """How many channels a clip's sound has.

    Raises:
        MediaError: if a file has no sound, or cannot be read.
    """
    if isinstance(clip, (str, os.PathLike)):
        with open_clip(clip, audio_track=audio_track) as opened:
            count = opened.channels
        if count == 0:
            raise MediaError(f"{clip} has no channels: {opened.absent['audio']}")
        return count
    if isinstance(clip, (tuple, list)) and len(clip) == 2:
        values = checked_form(clip[0])
        return 1 if values.ndim == 1 else values.shape[1]
    return 1  # `opened_clip` says why it cannot be


@contextmanager
def opened_clip(
    clip: ClipInput, channel: Channel = "mix", audio_track: int | None = None
) -> Iterator[Clip]:
    """Open what names a clip; a `Clip` that the caller made stays open.

    Raises:
        ConfigError: if a channel or a track is chosen where none can be.
        MediaError: if it is no clip, or cannot be read.
    """
    if isinstance(clip, Clip):
        if channel != "mix" or audio_track is not None:
            raise ConfigError(
                "a Clip was opened with its channel and audio_track already: give them to "
                "open_clip or clip_from_arrays"
            )
        yield clip
        return
    if isinstance(clip, (tuple, list)):
        if len(clip) != 2:
            raise MediaError(f"a clip from memory is (samples, rate), not {len(clip)} values")
        if audio_track is not None:
            raise ConfigError("audio_track is for files: samples in memory have channels alone")
        samples, rate = clip
        opened: Clip = clip_from_arrays(samples=samples, sample_rate=rate, channel=channel)
    else:
        opened = open_clip(clip, channel=channel, audio_track=audio_track)
    with opened:
        yield opened
