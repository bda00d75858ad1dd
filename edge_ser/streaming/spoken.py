"""The words of the recent past, and their tokens for as long as a window's words stay the same."""

from __future__ import annotations

import bisect
from dataclasses import dataclass
from typing import Final, Protocol

from edge_ser.pipeline.encoders import Encoded
from edge_ser.pipeline.timing import StageTimer
from edge_ser.streaming.inbox import WordsArrival
from edge_ser.streaming.tally import Tally

MOST_WORDS: Final = 512
"""Words that are kept; nobody says more in the longest window."""


class EncodesText(Protocol):
    """What makes tokens of words: `edge_ser.pipeline.encoders.Encoders`."""

    def text(self, words: str, timer: StageTimer) -> Encoded:
        """Encode the words of one window."""


@dataclass(frozen=True)
class _Word:
    text: str
    start: int
    end: int
    final: bool

    @property
    def middle(self) -> int:
        return (self.start + self.end) // 2


class SpokenWords:
    """Thread contract: belongs to one thread."""

    def __init__(self, encoders: EncodesText, tally: Tally) -> None:
        self._encoders = encoders
        self._tally = tally
        self._words: list[_Word] = []
        self._any = False
        self._last: tuple[str, Encoded] | None = None

    @property
    def known(self) -> bool:
        """Whether there are words at all."""
        return bool(self._words)

    def add(self, arrival: WordsArrival, too_old: int) -> None:
        """Add words; several are spread over their span by their length.

        Words that are not final are replaced by whatever is pushed next.

        Args:
            arrival: the words.
            too_old: words whose middle lies before this moment are of no use any more.
        """
        self._any = True
        self._words = [w for w in self._words if w.final]
        pieces = arrival.words.split()
        letters = sum(len(p) for p in pieces)
        begin, before = arrival.start, 0
        for piece in pieces:
            before += len(piece)
            end = arrival.start + (arrival.end - arrival.start) * before // letters
            word = _Word(piece, begin, end, arrival.final)
            begin = end
            if word.middle < too_old:
                self._tally.add("words_dropped")
            else:
                self._insert(word)

    def forget(self, before: int) -> None:
        """Let go of words whose middle lies before a moment."""
        del self._words[: bisect.bisect_left(self._words, before, key=lambda w: w.middle)]

    def encode(self, start: int, stop: int, timer: StageTimer) -> Encoded:
        """Tokens of the words whose middle lies in [start, stop).

        Raises:
            EngineError: if the backend fails.
        """
        if not self._any:
            return Encoded(None, "no words were given")
        text = " ".join(w.text for w in self._words if start <= w.middle < stop)
        if self._last is None or self._last[0] != text:
            self._last = (text, self._encoders.text(text, timer))
        return self._last[1]

    def _insert(self, word: _Word) -> None:
        bisect.insort(self._words, word, key=lambda w: w.middle)
        if len(self._words) > MOST_WORDS:
            del self._words[0]
            self._tally.add("words_dropped")
