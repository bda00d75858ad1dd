"""Which words of a transcript belong to a window."""

from __future__ import annotations

from edge_ser.frontends.language import detected
from edge_ser.media.transcript import Transcript, spread
from edge_ser.pipeline.encoders import Encoded, Encoders
from edge_ser.pipeline.timing import StageTimer


def words_between(transcript: Transcript, start: int, stop: int, duration: int) -> str:
    """Words whose middle lies in [start, stop), in samples of 16 kHz sound.

    Words without times are taken to be spread evenly over the clip.

    Args:
        transcript: the words of the whole clip.
        start: first sample of the window.
        stop: end of the window, excluded.
        duration: length of the clip.
    """
    if not transcript.words and start <= 0 and stop >= duration:
        return transcript.text
    words = transcript.words or spread(transcript.text, 0, duration)
    return " ".join(w.text for w in words if start <= w.middle < stop)


class WordEncoder:
    """Encodes a window's words once for as long as they stay the same.

    Thread contract: belongs to one thread.
    """

    def __init__(self, encoders: Encoders, transcript: Transcript | None) -> None:
        self._encoders = encoders
        self._transcript = transcript
        # The whole text tells its language better than the words of one window.
        self._language: str | None = None
        if transcript is not None:
            self._language = transcript.language or detected(transcript.text)
        self._last: tuple[str, Encoded] | None = None

    def encode(self, start: int, stop: int, duration: int, timer: StageTimer) -> Encoded:
        """Tokens of the words in [start, stop) of a clip of that duration, all in samples."""
        if self._transcript is None:
            return Encoded(None, "no transcript")
        notes = self._transcript.notes
        if notes and not self._transcript.text:
            return Encoded(None, "no transcript", notes)
        text = words_between(self._transcript, start, stop, duration)
        if self._last is not None and self._last[0] == text:
            return self._last[1]
        encoded = self._encoders.text(text, timer, self._language)
        origin = self._transcript.origin
        notes = (*(() if origin is None else (origin,)), *notes, *encoded.notes)
        encoded = Encoded(encoded.tokens, encoded.reason, notes)
        self._last = (text, encoded)
        return encoded
