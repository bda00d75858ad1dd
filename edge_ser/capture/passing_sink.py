"""A sink that hands everything on: what listens, looks or writes on the way derives from it."""

from __future__ import annotations

from collections.abc import Sequence

import numpy.typing as npt

from edge_ser.capture.sources import Sink
from edge_ser.constants import SAMPLE_RATE
from edge_ser.media.clip import Picture


class PassingSink:
    """Hands sound, pictures and words on to another sink.

    Thread contract: every method from any thread, as far as the other sink's may be.
    """

    def __init__(self, sink: Sink) -> None:
        self._sink = sink

    def push_audio(
        self,
        samples: npt.ArrayLike,
        capture_time: int | None = None,
        sample_rate: int = SAMPLE_RATE,
        *,
        timeout: float = 0.0,
    ) -> bool:
        """Hand sound on."""
        return self._sink.push_audio(samples, capture_time, sample_rate, timeout=timeout)

    def push_video(
        self, frame: Picture, capture_time: int | None = None, *, timeout: float = 0.0
    ) -> bool:
        """Hand a picture on."""
        return self._sink.push_video(frame, capture_time, timeout=timeout)

    def push_text(self, words: str, start: int, end: int, *, final: bool = True) -> bool:
        """Hand words on."""
        return self._sink.push_text(words, start, end, final=final)

    def push_notes(self, notes: Sequence[str]) -> None:
        """Hand notes on."""
        self._sink.push_notes(notes)
