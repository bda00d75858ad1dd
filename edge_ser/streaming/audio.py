"""The sound of the recent past as feature rows, each computed once, on a clock that is estimated.

Samples are counted; the count and the capture times give the offset and drift of the sound card's
clock and show lost buffers, which become gaps, never shifted sound.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import numpy.typing as npt

from edge_ser.bundles.schema import AudioFrontendConfig
from edge_ser.constants import SAMPLE_RATE
from edge_ser.frontends.audio import HOP
from edge_ser.frontends.level import loudest_power_dbfs, why_quiet, why_short
from edge_ser.kernels import Aligner, AlignerOptions
from edge_ser.media.clip import Samples
from edge_ser.runtime.session import FloatTensor
from edge_ser.streaming.intake import Piece
from edge_ser.streaming.tally import Tally

Mask = npt.NDArray[np.bool_]

_LATE = SAMPLE_RATE // 4


class AudioRowStream(Protocol):
    """Feature rows of a stream: `edge_ser.frontends.audio_stream.AudioFeatureStream`."""

    @property
    def width(self) -> int:
        """Columns of a row."""

    @property
    def emitted(self) -> int:
        """Rows given since the last reset; the next one is centred at sample 160 * emitted."""

    def accept(self, samples: Samples) -> FloatTensor:
        """Take samples; give the rows [n, width] that became complete."""

    def finish(self) -> FloatTensor:
        """Give the rows that were on their way, and begin anew."""

    def preview(self, end: int) -> FloatTensor:
        """The rows on their way, as they would be if the sound ended at sample `end`."""

    def reset(self) -> None:
        """Begin anew."""


@dataclass(frozen=True, eq=False)
class AudioWindow:
    """The sound of one window, or the reason why there is none."""

    rows: FloatTensor | None
    """float32 [T, width] from the window's start to its end, or to where the sound ended."""
    reason: str | None
    notes: tuple[str, ...] = ()
    oldest: int = 0
    newest: int = 0
    """Capture times of the first sample and of the end of what was heard of the window."""


class HeardAudio:
    """Thread contract: belongs to one thread. Times are capture times in 16 kHz samples."""

    def __init__(
        self,
        features: AudioRowStream,
        config: AudioFrontendConfig,
        position: int,
        capture_time: int,
        longest: int,
        tally: Tally,
    ) -> None:
        """Begin with nothing heard.

        Args:
            features: the front-end's stream.
            config: limits of length and level.
            position: number of the first sample to come; rows are centred on the multiples of 160,
                so it is counted from where windows begin.
            capture_time: of that sample.
            longest: samples of the past that are kept.
            tally: counts what was lost.
        """
        self._features = features
        self._config = config
        self._tally = tally
        self._aligner = Aligner(
            AlignerOptions(
                period=HOP,
                dim=features.width + 1,
                capacity=longest // HOP + 256,
                observations=2048,
            )
        )
        self._silence = _row_of_silence(features)
        self._stamps: deque[tuple[int, int]] = deque()
        self._steps = 0
        # A position and its time: between two looks at the clock it is taken to keep its pace.
        self._anchor = (position, capture_time)
        self._begin(position)

    @property
    def end(self) -> int:
        """Capture time at which the sound heard so far ends."""
        return self._time(self._position)

    @property
    def drift_ppm(self) -> tuple[float, float] | None:
        """How fast the sound's clock is, and the standard deviation; None before it can be told."""
        drift = self._aligner.drift()
        # The aligner tells by how much a second of the source is too long.
        return None if drift is None else (-drift[0], drift[1])

    def hear(self, piece: Piece) -> None:
        """Take a piece of sound."""
        if piece.skipped:
            self._store(self._features.finish())
            self._stamps.clear()
            self._begin(self._position + piece.skipped)
        self._stamps.append((self._position, piece.capture_time))
        self._position += len(piece.samples)
        self._accept(piece.samples)
        counters = self._aligner.counters()
        if counters["steps"] != self._steps:
            self._steps = counters["steps"]
            self._settle()
        self._tally.put("audio_lost_samples", counters["missing"] * HOP)

    def window(self, start: int, end: int) -> AudioWindow:
        """The rows from capture time `start` to `end`.

        Gaps are filled with the rows of silence; where the sound ends early so do the rows.
        """
        frames = (end - start) // HOP
        values, present = self._aligned(start, frames)
        there = np.flatnonzero(present)
        if len(there) == 0:
            return AudioWindow(None, self._age("the sound stopped", end))
        length = int(there[-1]) + 1
        oldest, newest = start + int(there[0]) * HOP, min(start + length * HOP, end)
        values, present = values[:length], present[:length]
        heard = len(there) * HOP / SAMPLE_RATE
        reason = why_short(heard, self._config) or why_quiet(
            loudest_power_dbfs(values[:, -1], SAMPLE_RATE // HOP), self._config
        )
        if reason is not None:
            return AudioWindow(None, reason)
        notes = []
        missing = length - len(there)
        if missing:
            values[~present] = self._silence
            notes.append(f"{missing * HOP * 1000 // SAMPLE_RATE} ms of the sound are missing")
        if end - newest > _LATE:
            notes.append(self._age("the sound is late", end))
        return AudioWindow(values[:, :-1], None, tuple(notes), oldest, newest)

    def _begin(self, position: int) -> None:
        # Rows lie on the grid that the decisions' windows begin on.
        self._position = position
        self._run = position // HOP * HOP
        self._next_row = position // HOP
        self._power = self._unsquared = np.empty(0, np.float32)
        if position > self._run:
            self._accept(np.zeros(position - self._run, np.float32))

    def _accept(self, samples: Samples) -> None:
        self._unsquared = np.concatenate((self._unsquared, samples))
        count = len(self._unsquared) // HOP
        whole = self._unsquared[: count * HOP].reshape(count, HOP)
        self._power = np.concatenate((self._power, np.square(whole).mean(axis=1)))
        self._unsquared = self._unsquared[count * HOP :]
        self._store(self._features.accept(samples))

    def _store(self, rows: FloatTensor) -> None:
        """Hand complete rows to the aligner, each with the capture time of its own chunk."""
        count = len(rows)
        emitted, self._next_row = self._next_row, self._next_row + count
        if count == 0:
            return
        full = np.empty((count, rows.shape[1] + 1), np.float32)
        full[:, :-1] = rows
        full[:, -1] = self._power[:count]
        self._power = self._power[count:]
        begin = 0
        while begin < count:
            position = (emitted + begin) * HOP
            while len(self._stamps) > 1 and self._stamps[1][0] <= position:
                self._stamps.popleft()
            stop = count
            if len(self._stamps) > 1:
                stop = min(count, -(-self._stamps[1][0] // HOP) - emitted)
            stamped, capture_time = self._stamps[0]
            captured = capture_time + position - stamped
            self._aligner.push(full[begin:stop], captured, position)
            begin = stop

    def _aligned(self, start: int, frames: int) -> tuple[FloatTensor, Mask]:
        """Rows [frames, width + 1] of the window from `start`, and which of them there are."""
        self._settle()
        first, values, present = self._aligner.window(start + frames * HOP, frames)
        # The front-end looks ahead: the latest rows are still on their way to the aligner.
        arrives = self._time(self._next_row * HOP)
        index = round((arrives - first) / HOP)
        stop = min(self._next_row * HOP + start + frames * HOP - arrives, self._position)
        rows = self._features.preview(max(stop - self._run, 0))
        skipped, index = max(-index, 0), max(index, 0)
        count = min(len(rows), len(self._power), frames - index + skipped)
        if count > skipped:
            latest = slice(index, index + count - skipped)
            values[latest, :-1] = rows[skipped:count]
            values[latest, -1] = self._power[skipped:count]
            present[latest] = True
        return values, present

    def _time(self, position: int) -> int:
        known, time = self._anchor
        return time + position - known

    def _settle(self) -> None:
        """Take the clock's present estimate: costly, so once a window and after a step."""
        time = self._aligner.media_time(self._position)
        if time is not None:
            self._anchor = (self._position, time)

    def _age(self, what: str, end: int) -> str:
        return f"{what}: the newest is {max(end - self.end, 0) / SAMPLE_RATE:.1f} s old"


def _row_of_silence(features: AudioRowStream) -> FloatTensor:
    rows = features.accept(np.zeros(SAMPLE_RATE // 4, np.float32))
    features.reset()
    return np.append(rows[len(rows) // 2], np.float32(0))
