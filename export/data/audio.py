"""Reading an item's sound as the runtime reads it."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from edge_ser.errors import MediaError
from edge_ser.export.data.items import Item
from edge_ser.export.data.spans import read_spans
from edge_ser.media.media import read_clip

Samples = npt.NDArray[np.float32]


def read_audio(item: Item) -> Samples:
    """The item's sound: float32 [n], 16 kHz mono, cut to its span.

    Raises:
        MediaError: if it cannot be decoded, has no sound, or the span lies outside of it.
    """
    if item.path is None or item.kind != "audio":
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
