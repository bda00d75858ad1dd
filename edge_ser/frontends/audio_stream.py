"""The sound front-end for a stream: every sample's features are computed once, as it comes in."""

from __future__ import annotations

from typing import Final

import numpy as np

from edge_ser.frontends.audio import HOP, AudioFrontend, FloatArray, stretched
from edge_ser.media.clip import Samples

LOOK_AHEAD: Final = 960
"""A row comes out once so many samples behind its frame's centre have come in, or at the end."""

_REMEMBERED: Final = 5 * LOOK_AHEAD // HOP * HOP


class AudioFeatureStream:
    """Gives the rows of `AudioFrontend.rows` piece by piece, equal to the last bit.

    Cutting a window out of a stream differs from computing a clip of the same samples at the
    window's edges only: the first two frames see the sound before the window, where a clip is
    mirrored, and the pitch path knows its past. `preview` closes the other edge: it gives the rows
    that are still on their way as they would be if the sound ended now.

    Thread contract: belongs to one thread.
    """

    def __init__(self, frontend: AudioFrontend) -> None:
        self._frontend = frontend
        self._kernels = frontend.kernels()
        self._pending: list[FloatArray] = []
        self._recent = np.empty(0, np.float32)
        self._accepted = 0
        self._emitted = 0
        self._clear()

    @property
    def width(self) -> int:
        """Columns of a row: the log-mel's bands, then the prosody's columns."""
        return self._frontend.bands + self._frontend.columns

    @property
    def emitted(self) -> int:
        """Rows given since the last reset; the next one is centred at sample 160 * emitted."""
        return self._emitted

    def accept(self, samples: Samples) -> FloatArray:
        """Take float32 [n] samples; give the rows [m, width] that became complete.

        Raises:
            ValueError: if a sample is not finite; nothing is taken then.
        """
        arrived = [kernel.accept(samples) for kernel in self._kernels]
        self._accepted += len(samples)
        self._recent = np.concatenate((self._recent, samples))
        surplus = len(self._recent) - _REMEMBERED
        if surplus >= HOP:
            self._recent = self._recent[surplus // HOP * HOP :]
        self._pending = [
            np.concatenate(pair) if len(pair[0]) else pair[1]
            for pair in zip(self._pending, arrived, strict=True)
        ]
        return self._take(min(len(rows) for rows in self._pending))

    def finish(self) -> FloatArray:
        """End the sound: give the rows [m, width] that were on their way, and begin anew."""
        frames = self._accepted // HOP - self._emitted
        ends = [kernel.finish() for kernel in self._kernels]
        self._pending = [np.concatenate(pair) for pair in zip(self._pending, ends, strict=True)]
        if frames > 0 and len(self._pending[-1]):
            self._pending[-1] = stretched(self._pending[-1], frames)
        rows = self._take(min(frames, *(len(p) for p in self._pending)))
        self.reset()
        return rows

    def preview(self, end: int) -> FloatArray:
        """The rows behind those that were given, as they would be if the sound ended at `end`.

        They are computed from the last 0.3 s of sound; the stream stays as it is.

        Args:
            end: samples since the last reset, not before the centre of the next row.
        """
        first = self._accepted - len(self._recent)
        rows = self._frontend.rows(self._recent[: max(end - first, 0)])
        return rows[self._emitted - first // HOP :]

    def reset(self) -> None:
        """Forget all samples; the next one is the first of a new stream."""
        for kernel in self._kernels:
            kernel.reset()
        self._clear()

    def _clear(self) -> None:
        self._pending = [np.empty((0, kernel.dim), np.float32) for kernel in self._kernels]
        self._recent = np.empty(0, np.float32)
        self._accepted = self._emitted = 0

    def _take(self, count: int) -> FloatArray:
        count = max(count, 0)
        rows = self._frontend.joined(*(rows[:count] for rows in self._pending))
        self._pending = [rows[count:] for rows in self._pending]
        self._emitted += count
        return rows
