"""Which words of a transcript belong to a window."""

from __future__ import annotations

from dataclasses import dataclass

from edge_ser.capture.transcript import Transcript
from edge_ser.encoders import Encoded, Encoders
from edge_ser.timing import StageTimer


@dataclass(frozen=True)
class ClipWords:
    """The words of a clip, or the reason why there are none."""

    transcript: Transcript | None
    reason: str | None
    origin: str | None
    """Where the words came from, when not from the caller."""

    def between(self, start: int, stop: int, duration: int) -> str:
        """Words whose middle lies in [start, stop), in samples of 16 kHz sound.

        Words without times are taken to be spread evenly over the clip.

        Args:
            start: first sample of the window.
            stop: end of the window, excluded.
            duration: length of the clip.
        """
        if self.transcript is None:
            return ""
        if self.transcript.words:
            return " ".join(
                w.text for w in self.transcript.words if start <= (w.start + w.end) // 2 < stop
            )
        pieces = self.transcript.text.split()
        if start <= 0 and stop >= duration:
            return self.transcript.text
        step = duration / max(len(pieces), 1)
        return " ".join(p for i, p in enumerate(pieces) if start <= (i + 0.5) * step < stop)


class WordEncoder:
    """Encodes a window's words once for as long as they stay the same.

    Thread contract: belongs to one thread.
    """

    def __init__(self, encoders: Encoders, words: ClipWords) -> None:
        self._encoders = encoders
        self._words = words
        self._last: tuple[str, Encoded] | None = None

    def encode(self, start: int, stop: int, duration: int, timer: StageTimer) -> Encoded:
        """Tokens of the words in [start, stop) of a clip of that duration, all in samples."""
        if self._words.transcript is None:
            return Encoded(None, self._words.reason)
        text = self._words.between(start, stop, duration)
        if self._last is None or self._last[0] != text:
            encoded = self._encoders.text(text, timer)
            if self._words.origin is not None:
                encoded = Encoded(
                    encoded.tokens, encoded.reason, (self._words.origin, *encoded.notes)
                )
            self._last = (text, encoded)
        return self._last[1]
