"""Whether anybody speaks in a window: sound without speech says nothing of a person's emotion."""

from __future__ import annotations

from collections import deque
from typing import Final, Protocol

import numpy as np
import numpy.typing as npt

from edge_ser.media.clip import Samples
from edge_ser.speech.voice_activity import FRAME, VoiceActivity

SPEECH: Final = 0.5
"""A frame at least this probable is speech."""

ENOUGH: Final = 6
"""Frames of 32 ms that make speech of a window; fewer are knocks, steps or a held note."""

NOBODY_SPEAKS: Final = "nobody speaks"
"""Why sound without speech is absent."""


class DetectsSpeech(Protocol):
    """Probability of speech along a stream: `edge_ser.speech.voice_activity.VoiceActivity`."""

    def accept(self, samples: Samples) -> npt.NDArray[np.float32]:
        """Take sound; give a probability for every 512 samples that it completes."""

    def reset(self) -> None:
        """Forget everything that was heard."""


class SpeechGate:
    """Thread contract: belongs to one thread. Times are capture times in 16 kHz samples."""

    def __init__(self, detector: DetectsSpeech, longest: int) -> None:
        """Begin with nothing heard.

        Args:
            detector: hears speech.
            longest: samples of the past that are kept.
        """
        self._detector = detector
        self._longest = longest
        self._open = 0
        self._speech: deque[int] = deque()

    def accept(self, samples: Samples, end: int) -> None:
        """Take sound that ends at `end`."""
        probabilities = self._detector.accept(samples)
        self._open += len(samples) - len(probabilities) * FRAME
        # The last whole frame ends where the samples of the next one begin.
        first = end - self._open - len(probabilities) * FRAME
        for index in np.flatnonzero(probabilities >= SPEECH):
            self._speech.append(first + int(index) * FRAME)
        while self._speech and self._speech[0] <= end - self._longest:
            self._speech.popleft()

    def reset(self) -> None:
        """The sound was interrupted: what comes next does not follow on."""
        self._detector.reset()
        self._open = 0

    def speaks(self, start: int, stop: int) -> bool:
        """Whether there is speech in [start, stop)."""
        return sum(start <= time < stop for time in self._speech) >= ENOUGH


def speech_in(samples: Samples) -> bool:
    """Whether somebody speaks in one piece of sound, float32 [n], that nothing comes before."""
    gate = SpeechGate(VoiceActivity(), len(samples) + 1)
    gate.accept(samples, len(samples))
    return gate.speaks(0, len(samples))
