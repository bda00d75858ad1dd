"""Where someone speaks: Silero's detector, and the spans of speech that follow from it."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Final

import numpy as np
import numpy.typing as npt

from edge_ser.constants import SAMPLE_RATE
from edge_ser.errors import ConfigError
from edge_ser.media.clip import Samples
from edge_ser.runtime.onnxruntime_sessions import Graph, open_graph

FRAME: Final = 512
"""Samples that one probability stands for: 32 ms."""

# The detector sees the end of the frame before together with each frame.
_CONTEXT = 64
_STATE = 128

# A call holds at most this many frames, so that memory stays small for any length.
_LARGEST_CALL = 512

_WEIGHTS = Path(__file__).parent / "weights" / "silero_vad.onnx"


class VoiceActivity:
    """Probability of speech, frame by frame, along one stream of sound.

    Thread contract: one stream belongs to one thread.
    """

    def __init__(self) -> None:
        """Open the detector.

        Raises:
            EngineError: if its weights are missing.
        """
        self._session = _opened()
        self.reset()

    def reset(self) -> None:
        """Forget everything that was heard."""
        self._hidden = np.zeros((1, 1, _STATE), dtype=np.float32)
        self._cell = np.zeros((1, 1, _STATE), dtype=np.float32)
        self._context = np.zeros(_CONTEXT, dtype=np.float32)
        self._rest: Samples = np.zeros(0, dtype=np.float32)

    def accept(self, samples: Samples) -> npt.NDArray[np.float32]:
        """Take sound, float32 [n] at 16 kHz; give a probability for each frame it completes.

        Frame k covers the samples 512 * k to 512 * (k + 1) of the stream.
        """
        audio = np.concatenate([self._rest, samples.astype(np.float32, copy=False)])
        whole = len(audio) // FRAME * FRAME
        self._rest = audio[whole:].copy()
        frames = audio[:whole].reshape(-1, FRAME)
        found = [
            self._block(frames[i : i + _LARGEST_CALL]) for i in range(0, len(frames), _LARGEST_CALL)
        ]
        return np.concatenate(found) if found else np.zeros(0, dtype=np.float32)

    def finish(self) -> npt.NDArray[np.float32]:
        """Give the probability of the last frame, filled up with silence, if one is open."""
        if len(self._rest) == 0:
            return np.zeros(0, dtype=np.float32)
        return self.accept(np.zeros(FRAME - len(self._rest), dtype=np.float32))

    def _block(self, frames: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
        contexts = np.concatenate([self._context[None], frames[:-1, -_CONTEXT:]])
        self._context = frames[-1, -_CONTEXT:].copy()
        probabilities: npt.NDArray[np.float32]
        probabilities, self._hidden, self._cell = self._session.run(
            ["speech_probs", "hn", "cn"],
            {
                "input": np.concatenate([contexts, frames], axis=1),
                "h": self._hidden,
                "c": self._cell,
            },
        )
        return probabilities


@cache
def _opened() -> Graph:
    """The detector: any number of streams may run it at once."""
    return open_graph(_WEIGHTS)


@dataclass(frozen=True, eq=False)
class SpeechSpan:
    """A stretch in which someone speaks."""

    start: int
    """First sample, counted from the start of the stream."""
    samples: Samples
    """float32 [n], 16 kHz."""
    probabilities: npt.NDArray[np.float32]
    """Probability of speech of each 512 samples, float32 [ceil(n / 512)]."""

    @property
    def stop(self) -> int:
        """The sample behind the last."""
        return self.start + len(self.samples)


@dataclass(frozen=True)
class SpeechSpanOptions:
    """When speech begins and ends; times in seconds."""

    begin: float = 0.5
    """A frame at least this probable begins a span."""
    end: float = 0.35
    """Frames less probable than this, for `pause`, end it."""
    pause: float = 0.5
    shortest: float = 0.1
    """Spans with less speech than this are clicks and breath."""
    longest: float = 14.0
    """Longer speech is cut where it is least probable."""
    margin: float = 0.3
    """Sound kept before and behind the speech."""

    def __post_init__(self) -> None:
        """Check the options.

        Raises:
            ConfigError: if one is out of range.
        """
        if not 0 < self.end <= self.begin < 1:
            raise ConfigError(f"0 < end ({self.end}) <= begin ({self.begin}) < 1 must hold")
        if self.pause < 2 * FRAME / SAMPLE_RATE or self.shortest < 0 or self.margin < 0:
            raise ConfigError("pause must be at least 0.064 s, shortest and margin not negative")
        if self.longest < 1.0:
            raise ConfigError(f"longest must be at least 1 s, not {self.longest}")


class SpeechSegmenter:
    """Cuts a stream of sound into spans of speech; holds no more than the open span in memory.

    Thread contract: one stream belongs to one thread.
    """

    def __init__(self, options: SpeechSpanOptions | None = None) -> None:
        """Open the detector.

        Raises:
            EngineError: if its weights are missing.
        """
        self._options = options or SpeechSpanOptions()
        self._activity = VoiceActivity()
        self._margin = _frames(self._options.margin)
        self._pause = max(1, _frames(self._options.pause))
        self._longest = _frames(self._options.longest)
        self.reset()

    def reset(self) -> None:
        """Start over with an empty stream at sample 0."""
        self._activity.reset()
        # The kept sound and, for each whole frame of it, the probability; both from _first on.
        self._audio: Samples = np.zeros(0, dtype=np.float32)
        self._probabilities: list[float] = []
        self._first = 0
        self._judged = 0
        self._opened: int | None = None
        self._last_speech = 0

    @property
    def open_span(self) -> SpeechSpan | None:
        """What has been heard so far of a span that has not ended; None while nobody speaks."""
        if self._opened is None:
            return None
        return self._cut(self._opened, self._first + len(self._probabilities))

    def accept(self, samples: Samples) -> list[SpeechSpan]:
        """Take sound, float32 [n] at 16 kHz; give the spans that ended."""
        self._audio = np.concatenate([self._audio, samples.astype(np.float32, copy=False)])
        self._probabilities += [float(p) for p in self._activity.accept(samples)]
        return self._judge()

    def finish(self) -> list[SpeechSpan]:
        """End the stream; give the spans that are left."""
        self._probabilities += [float(p) for p in self._activity.finish()]
        spans = self._judge()
        if self._opened is not None:
            spans += self._close(self._first + len(self._probabilities))
        return spans

    def _judge(self) -> list[SpeechSpan]:
        spans: list[SpeechSpan] = []
        end = self._first + len(self._probabilities)
        while self._judged < end:
            frame = self._judged
            probability = self._probabilities[frame - self._first]
            self._judged += 1
            if self._opened is None:
                if probability >= self._options.begin:
                    self._opened = max(self._first, frame - self._margin)
                    self._last_speech = frame
            elif probability >= self._options.end:
                self._last_speech = frame
            elif frame - self._last_speech >= self._pause:
                spans += self._close(self._last_speech + 1 + self._margin)
            if self._opened is not None and frame + 1 - self._opened >= self._longest:
                spans += self._close(self._weakest(self._opened, frame + 1), go_on=True)
        if self._opened is None:
            self._forget(max(self._first, self._judged - self._margin))
        return spans

    def _weakest(self, start: int, stop: int) -> int:
        """The frame behind which a span that is too long is cut: in its last third."""
        begin = start + (stop - start) * 2 // 3
        part = self._probabilities[begin - self._first : stop - self._first]
        return begin + int(np.argmin(part)) + 1

    def _close(self, stop: int, *, go_on: bool = False) -> list[SpeechSpan]:
        assert self._opened is not None  # noqa: S101 - for the type checker
        stop = min(stop, self._judged)
        span = self._cut(self._opened, stop)
        speech = np.count_nonzero(span.probabilities >= self._options.begin)
        self._opened = stop if go_on else None
        self._forget(stop)
        return [span] if speech * FRAME >= self._options.shortest * SAMPLE_RATE else []

    def _cut(self, start: int, stop: int) -> SpeechSpan:
        at, end = start - self._first, stop - self._first
        samples = self._audio[at * FRAME : end * FRAME].copy()
        probabilities = np.array(self._probabilities[at:end], dtype=np.float32)
        return SpeechSpan(start * FRAME, samples, probabilities)

    def _forget(self, frame: int) -> None:
        """Let go of everything before a frame."""
        count = frame - self._first
        if count > 0:
            self._audio = self._audio[count * FRAME :].copy()
            del self._probabilities[:count]
            self._first = frame


def _frames(seconds: float) -> int:
    return round(seconds * SAMPLE_RATE / FRAME)
