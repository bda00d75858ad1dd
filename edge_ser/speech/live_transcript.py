"""Words of a live stream: guesses while someone speaks, final words after a pause."""

from __future__ import annotations

import logging
import queue
import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Protocol

import numpy as np
import numpy.typing as npt

from edge_ser.capture.passing_sink import PassingSink
from edge_ser.capture.sources import Sink
from edge_ser.clock import monotonic_samples
from edge_ser.constants import SAMPLE_RATE
from edge_ser.errors import EdgeSerError
from edge_ser.media.channels import mono_full_scale
from edge_ser.media.clip import Samples, check_positive
from edge_ser.media.samples import resampler_from
from edge_ser.media.transcript import Word
from edge_ser.runtime.closing import ClosedOnExit
from edge_ser.speech.voice_activity import SpeechSegmenter, SpeechSpan

if TYPE_CHECKING:
    from edge_ser.kernels import Resampler

# A chunk that begins this far from where the one before ended is another stretch of sound.
_GAP: Final = SAMPLE_RATE // 4

# Chunks that may wait for the recogniser: over ten seconds of sound at 50 a second.
_QUEUE: Final = 600

_LOG = logging.getLogger("edge_ser.capture")


class Listener(Protocol):
    """What turns a span of speech into words: `edge_ser.speech.speech_to_text.SpeechToText`."""

    def words(self, span: SpeechSpan) -> tuple[Word, ...]:
        """Transcribe a span; times count from the start of its stream."""


@dataclass(frozen=True)
class Heard:
    """Words of one span of speech, by capture time."""

    words: tuple[Word, ...]
    """Final and without words: the guess before was wrong, nothing was said."""
    final: bool
    """False for a guess that whatever is heard next replaces."""
    start: int
    end: int


class LiveTranscript:
    """Turns chunks of sound into words.

    Thread contract: belongs to one thread.
    """

    def __init__(self, listener: Listener, *, guess_seconds: float = 1.0) -> None:
        """Start with nothing heard.

        Args:
            listener: transcribes spans of speech.
            guess_seconds: new sound after which an open span is guessed at again.

        Raises:
            ConfigError: if `guess_seconds` is not positive.
            EngineError: if the weights of the voice detector are missing.
        """
        check_positive("guess_seconds", guess_seconds)
        self._listener = listener
        self._guess_every = round(guess_seconds * SAMPLE_RATE)
        self._segmenter = SpeechSegmenter()
        self._begin: int | None = None
        self._heard = 0
        self._guessed = 0
        self._guess_stands = False

    def accept(self, samples: Samples, capture_time: int, *, may_guess: bool = True) -> list[Heard]:
        """Take sound; give the words that are known now.

        Args:
            samples: float32 [n], 16 kHz mono.
            capture_time: of the first sample.
            may_guess: False leaves guesses out, for a machine that is behind.
        """
        found = []
        if self._begin is not None and abs(self._begin + self._heard - capture_time) > _GAP:
            found += self.finish()
        if self._begin is None:
            self._begin = capture_time
        self._heard += len(samples)
        found += [self._final(s) for s in self._segmenter.accept(samples)]
        span = self._segmenter.open_span
        if span is None:
            self._guessed = self._heard
            found += self._take_back()
        elif may_guess and self._heard - self._guessed >= self._guess_every:
            self._guessed = self._heard
            found.append(self._told(span, final=False))
            self._guess_stands = True
        return found

    def finish(self) -> list[Heard]:
        """End this stretch of sound; give the words that are left. What comes next is another."""
        found = [self._final(s) for s in self._segmenter.finish()]
        found += self._take_back()
        self._segmenter.reset()
        self._begin = None
        self._heard = self._guessed = 0
        return found

    def _final(self, span: SpeechSpan) -> Heard:
        self._guess_stands = False
        return self._told(span, final=True)

    def _take_back(self) -> list[Heard]:
        """A guess about a span that turned out to be no speech."""
        if not self._guess_stands:
            return []
        self._guess_stands = False
        now = (self._begin or 0) + self._heard
        return [Heard((), True, now, now)]

    def _told(self, span: SpeechSpan, *, final: bool) -> Heard:
        begin = self._begin or 0
        words = tuple(
            Word(w.text, begin + w.start, begin + w.end) for w in self._listener.words(span)
        )
        return Heard(words, final, begin + span.start, begin + span.stop)


class TranscribingSink(PassingSink, ClosedOnExit):
    """Hands everything on to another sink, and adds the words that it hears.

    Sound is handed on at once; the words are found on a thread of its own and pushed when they
    are known. When the recogniser is behind, it stops guessing first; if that does not help, sound
    is left untranscribed and counted in `dropped_samples`.

    Thread contract: as `EmotionStream`: every method from any thread.
    """

    def __init__(self, sink: Sink, listener: Listener, *, guess_seconds: float = 1.0) -> None:
        """Start the thread.

        Raises:
            ConfigError, EngineError: as `LiveTranscript`.
        """
        super().__init__(sink)
        self._transcript = LiveTranscript(listener, guess_seconds=guess_seconds)
        self._chunks: queue.Queue[tuple[npt.NDArray[Any], int, int] | None] = queue.Queue(_QUEUE)
        self._resampler: Resampler | None = None
        self._rate = SAMPLE_RATE
        self.dropped_samples = 0
        """Samples, at the source's rate, that the recogniser had no time for."""
        self.error: str | None = None
        """What went wrong last while transcribing."""
        self._closed = False
        self._thread = threading.Thread(
            target=self._work, name="edge-ser-speech-to-text", daemon=True
        )
        self._thread.start()

    def push_audio(
        self,
        samples: npt.ArrayLike,
        capture_time: int | None = None,
        sample_rate: int = SAMPLE_RATE,
        *,
        timeout: float = 0.0,
    ) -> bool:
        """Hand sound on, and listen to it."""
        audio = np.asarray(samples)
        if capture_time is None:
            capture_time = monotonic_samples() - len(audio) * SAMPLE_RATE // sample_rate
        taken = super().push_audio(audio, capture_time, sample_rate, timeout=timeout)
        if taken and not self._closed:
            try:
                self._chunks.put((audio.copy(), capture_time, sample_rate), timeout=timeout or 0.0)
            except queue.Full:
                self.dropped_samples += len(audio)
        return taken

    def close(self) -> None:
        """Transcribe what waits, and end; the other sink stays open. A second call does nothing."""
        if not self._closed:
            self._closed = True
            self._chunks.put(None)
        if self._thread is not threading.current_thread():
            self._thread.join()

    def _work(self) -> None:
        while (chunk := self._chunks.get()) is not None:
            samples, capture_time, rate = chunk
            behind = self._chunks.qsize() > _QUEUE // 4
            try:
                mono, begin = self._at_16_khz(samples, capture_time, rate)
                self._tell(self._transcript.accept(mono, begin, may_guess=not behind))
            except EdgeSerError as error:
                self.error = str(error)
            except Exception as error:
                self.error = f"{type(error).__name__}: {error}"
                _LOG.exception("speech to text failed on a chunk")
        try:
            self._tell(self._transcript.finish())
        except Exception as error:
            self.error = f"{type(error).__name__}: {error}"
            _LOG.exception("speech to text failed at the end")

    def _at_16_khz(
        self, samples: npt.NDArray[Any], capture_time: int, rate: int
    ) -> tuple[Samples, int]:
        mono = mono_full_scale(samples)
        mono[~np.isfinite(mono)] = 0.0
        if rate == SAMPLE_RATE:
            return mono, capture_time
        if self._resampler is None or rate != self._rate:
            self._resampler = resampler_from(rate)
            self._rate = rate
        # What the resampler holds back is a few milliseconds: words are not timed that finely.
        return self._resampler.accept(mono), capture_time

    def _tell(self, heard: list[Heard]) -> None:
        for part in heard:
            if part.final and part.words:
                # One by one they keep their times; the first replaces the guess.
                for word in part.words:
                    self._sink.push_text(word.text, word.start, word.end)
            else:
                text = " ".join(w.text for w in part.words)
                self._sink.push_text(text, part.start, part.end, final=part.final)
