"""Reading an item's sound as the runtime reads it."""

from __future__ import annotations

from collections.abc import Callable, Iterable

import numpy as np
import numpy.typing as npt

from edge_ser.errors import EdgeSerError, MediaError
from edge_ser.export.data.items import Item, Problem
from edge_ser.export.data.spans import read_spans
from edge_ser.media.media import read_clip

Samples = npt.NDArray[np.float32]


def read_sound(item: Item) -> Samples:
    """The item's sound: float32 [n], 16 kHz mono, cut to its span.

    Raises:
        MediaError: if it cannot be decoded, has no sound, or the span lies outside of it.
    """
    if item.path is None or item.kind != "sound":
        raise MediaError(f"{item.name} is no recording")
    if item.start is not None or item.end is not None:
        # A piece of a recording that may be hours long.
        piece = read_spans([item], None)[0].samples
        if piece is None or not len(piece):
            raise MediaError(f"{item.path} holds no sound there")
        return _finite(piece, item)
    samples = read_clip(item.path, want_video=False).samples
    if samples is None or not len(samples):
        raise MediaError(f"{item.path} holds no sound")
    return _finite(np.ascontiguousarray(samples, np.float32), item)


def _finite(samples: Samples, item: Item) -> Samples:
    if not np.isfinite(samples).all():
        raise MediaError(f"{item.path} holds samples that are not finite")
    return samples


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
