"""Reading an item's sound as the runtime reads it."""

from __future__ import annotations

from collections.abc import Callable, Iterable

import numpy as np
import numpy.typing as npt

from edge_ser.capture.media import read_clip
from edge_ser.constants import SAMPLE_RATE
from edge_ser.errors import EdgeSerError, MediaError
from edge_ser.export.data.items import Item, Problem

Samples = npt.NDArray[np.float32]


def read_sound(item: Item) -> Samples:
    """The item's sound: float32 [n], 16 kHz mono, cut to its span.

    Raises:
        MediaError: if it cannot be decoded, has no sound, or the span lies outside of it.
    """
    if item.path is None or item.kind != "sound":
        raise MediaError(f"{item.name} is no recording")
    samples = read_clip(item.path, want_video=False).samples
    if samples is None or not len(samples):
        raise MediaError(f"{item.path} holds no sound")
    first = round((item.start or 0.0) * SAMPLE_RATE)
    last = len(samples) if item.end is None else round(item.end * SAMPLE_RATE)
    if first >= len(samples) or last > len(samples) + SAMPLE_RATE // 2:
        raise MediaError(
            f"{item.name}: the recording is {len(samples) / SAMPLE_RATE:.2f} s long and does not "
            f"hold the span from {item.start or 0.0:g} to {item.end if item.end else 'the end'}"
        )
    piece = np.ascontiguousarray(samples[first:last], np.float32)
    if not np.isfinite(piece).all():
        raise MediaError(f"{item.path} holds samples that are not finite")
    return piece


def check_sounds(
    items: Iterable[Item], advance: Callable[[], None] = lambda: None
) -> tuple[tuple[Item, ...], tuple[Problem, ...]]:
    """Decode every recording once; those that fail become problems with their reason.

    Args:
        items: recordings.
        advance: called once an item, for a progress bar.
    """
    usable: list[Item] = []
    problems: list[Problem] = []
    for item in items:
        try:
            read_sound(item)
        except EdgeSerError as error:
            problems.append(Problem(item.name, str(error)))
        else:
            usable.append(item)
        advance()
    return tuple(usable), tuple(problems)
