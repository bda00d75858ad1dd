"""A person's statistics from what the person says: the same for a clip, a live stream, training."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from edge_ser.media.clip import Samples
from edge_ser.speaker.adaptation import RunningStatistics
from edge_ser.speech.voice_activity import (
    FRAME,
    SpeechSegmenter,
    SpeechSpan,
    SpeechSpanOptions,
)

Encode = Callable[[Samples], "npt.NDArray[np.floating[Any]] | None"]
"""From float32 [n] samples at 16 kHz to tokens [tokens, width], or None where they say nothing."""

LONGEST_SPAN: Final = 5.0
"""Seconds of speech that are encoded at once; longer speech is cut at a weak place."""

_SPEECH = 0.5


class VoiceStatistics:
    """Hears speech, span by span, and keeps what `RunningStatistics` keeps of its tokens.

    Silence says nothing of a voice: only the spans that the voice detector finds are encoded. The
    sound of the span that is open is all that is held, and it is let go with it.

    Thread contract: belongs to one thread; `samples` and `complete` may be read by any.
    """

    def __init__(
        self,
        encode: Encode,
        columns: Sequence[int],
        *,
        seen: RunningStatistics | None = None,
        samples: int = 0,
    ) -> None:
        """Begin with nothing heard, or go on from earlier.

        Args:
            encode: the acoustic encoder.
            columns: of its tokens that are kept.
            seen: what was seen of the person before.
            samples: of speech behind `seen`.

        Raises:
            EngineError: if the weights of the voice detector are missing.
        """
        self._encode = encode
        self._columns = np.array(columns, np.int64)
        self._segmenter = SpeechSegmenter(SpeechSpanOptions(longest=LONGEST_SPAN))
        self.seen = RunningStatistics(len(columns)) if seen is None else seen
        self.complete = samples
        """16 kHz samples of speech behind `seen`."""
        self._open = 0

    @property
    def samples(self) -> int:
        """16 kHz samples of speech heard so far, those of the open span among them."""
        return self.complete + self._open

    def accept(self, samples: Samples) -> None:
        """Hear float32 [n] samples at 16 kHz that follow on from the ones before."""
        for span in self._segmenter.accept(samples):
            self._take(span)
        unfinished = self._segmenter.open_span
        self._open = 0 if unfinished is None else _speech(unfinished)

    def finish(self) -> None:
        """The sound ends, or is interrupted: what comes next does not follow on."""
        for span in self._segmenter.finish():
            self._take(span)
        self._open = 0
        self._segmenter.reset()

    def _take(self, span: SpeechSpan) -> None:
        tokens = self._encode(span.samples)
        if tokens is not None:
            self.seen.add(tokens[:, self._columns])
            self.complete += _speech(span)


def _speech(span: SpeechSpan) -> int:
    return int(np.count_nonzero(span.probabilities >= _SPEECH)) * FRAME
