"""Sound as sources deliver it, brought to 16 kHz pieces whose capture times can be trusted."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from edge_ser.constants import SAMPLE_RATE
from edge_ser.media.clip import Samples
from edge_ser.media.samples import LOUDEST, resampler_from
from edge_ser.streaming.inbox import Chunk
from edge_ser.streaming.tally import Tally

GAP: Final = SAMPLE_RATE
"""A step of the capture times by so many samples is lost sound at once; a smaller one only when
the clock estimate confirms it, because it may be jitter."""

_JITTER = SAMPLE_RATE // 25


@dataclass(frozen=True, eq=False)
class Piece:
    """16 kHz sound that follows on from the piece before, `skipped` samples later."""

    samples: Samples
    capture_time: int
    skipped: int

    def cut(self, count: int) -> tuple[Piece, Piece | None]:
        """Give the first `count` samples, and what is left of the piece if anything is."""
        if len(self.samples) <= count:
            return self, None
        first = Piece(self.samples[:count], self.capture_time, self.skipped)
        return first, Piece(self.samples[count:], self.capture_time + count, 0)


class AudioIntake:
    """Checks, resamples and orders chunks. Thread contract: belongs to one thread.

    Refused and counted: chunks with NaN, infinity or values far beyond full scale; exact repeats;
    chunks that come when their time has been passed by. Should the latter last for a second, it is
    the source's clock that was set back, and its sound is taken again.
    """

    def __init__(self, tally: Tally) -> None:
        self._tally = tally
        self._last: Chunk | None = None
        self._late = 0
        self._rate = SAMPLE_RATE
        self._resampler: Any = None
        self._taken = 0
        self._given = 0

    def accept(self, chunk: Chunk) -> Piece | None:
        """Take a chunk; give what of it can be used, if anything."""
        last = self._last
        skipped = 0
        if last is not None:
            if self._comes_late(chunk, last):
                return None
            skipped = chunk.capture_time - last.end
        if not _usable(chunk.samples):
            # It is not the previous chunk of what follows: its time counts as lost sound.
            self._tally.add("audio_unusable_samples", chunk.duration)
            return None
        self._late = 0
        self._last = chunk
        skipped = skipped if skipped >= GAP else 0
        if skipped or chunk.sample_rate != self._rate:
            self._rate = chunk.sample_rate
            self._resampler = None
            self._taken = self._given = 0
        if chunk.sample_rate == SAMPLE_RATE:
            return Piece(chunk.samples, chunk.capture_time, skipped)
        return self._resampled(chunk, skipped)

    def _comes_late(self, chunk: Chunk, last: Chunk) -> bool:
        repeated = chunk.capture_time == last.capture_time and np.array_equal(
            chunk.samples, last.samples
        )
        passed_by = chunk.end <= last.end - _JITTER
        if not (repeated or passed_by):
            return False
        self._late += chunk.duration
        if passed_by and self._late > SAMPLE_RATE:
            return False
        self._tally.add("audio_late_samples", chunk.duration)
        return True

    def _resampled(self, chunk: Chunk, skipped: int) -> Piece:
        if self._resampler is None:
            self._resampler = resampler_from(chunk.sample_rate)
        # The resampler holds a little back: its output begins before the chunk does.
        begin = self._taken * SAMPLE_RATE // chunk.sample_rate
        samples: Samples = self._resampler.accept(chunk.samples)
        capture_time = chunk.capture_time + self._given - begin
        self._taken += len(chunk.samples)
        self._given += len(samples)
        return Piece(samples, capture_time, skipped)


def _usable(samples: Samples) -> bool:
    return bool(np.isfinite(samples).all()) and float(np.abs(samples).max(initial=0)) <= LOUDEST
