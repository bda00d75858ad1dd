"""The evidence of a clip, window by window: its sound, its words and its faces as far as read."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Final

import numpy as np

from edge_ser.constants import Modality
from edge_ser.frontends.face_tracks import FaceTracker, one_person
from edge_ser.frontends.level import loudest_dbfs
from edge_ser.media.clip import Clip, Samples, Segment, VideoFrame
from edge_ser.pipeline.encoders import Encoded, EncodedFaces, Encoders
from edge_ser.pipeline.timing import StageTimer
from edge_ser.pipeline.words import WordEncoder
from edge_ser.result import Decision
from edge_ser.speech.speech_gate import NOBODY_SPEAKS, SpeechGate
from edge_ser.speech.voice_activity import VoiceActivity

_QUIET_DBFS: Final = -30.0
"""Speech whose loudest 100 ms lie below this deserves more gain."""


@dataclass(frozen=True, eq=False)
class _Sound:
    start: int
    stop: int
    """Where its segment ends at the latest."""
    samples: Samples
    recorded: bool


class ClipEvidence:
    """Consecutive segments of a clip, as far back as a window reaches.

    Thread contract: belongs to one thread, and has another one for the clip's pictures.
    """

    def __init__(
        self,
        clip: Clip,
        encoders: Encoders,
        words: WordEncoder,
        window: int,
        duration: int | None,
        *,
        speech_gate: bool,
    ) -> None:
        """Begin with nothing read.

        Args:
            clip: it is not read here: `segments` does.
            encoders: make tokens of sound and faces.
            words: of the whole clip.
            window: samples that a window looks at, at most.
            duration: length of the clip, over which words without times are spread; None if that
                is not known.
            speech_gate: whether sound in which nobody speaks counts as absent.
        """
        self._clip = clip
        self._encoders = encoders
        self._words = words
        self._window = window
        self._duration = duration
        self._tracker = FaceTracker()
        self._sound: deque[_Sound] = deque()
        self._faces: deque[tuple[int, EncodedFaces]] = deque()
        self._heard: tuple[int, Encoded] | None = None
        self._gate = SpeechGate(VoiceActivity(), window) if speech_gate and clip.has_audio else None

    def segments(
        self, seconds: float, frames_per_second: float, timer: StageTimer
    ) -> Iterator[Segment]:
        """Read the clip; every segment that is given can be looked at.

        Its faces are encoded while its pictures are decoded, its sound and its words meanwhile.
        """
        beside = StageTimer()
        asked = time.perf_counter()
        seen: EncodedFaces | None = None

        def look(frames: Iterator[VideoFrame]) -> tuple[VideoFrame, ...]:
            nonlocal seen
            seen = self._encoders.faces(beside.each("decode", frames), beside, self._tracker)
            return ()

        def hear(start: int, stop: int, samples: Samples, recorded: bool) -> None:
            timer.add("decode", (time.perf_counter() - asked) * 1000)
            self._hear(_Sound(start, stop, samples, recorded), timer)

        for segment in self._clip.segments(seconds, frames_per_second, hear=hear, look=look):
            if seen is not None:
                self._faces.append((segment.stop, seen))
            past = segment.stop - self._window
            while self._faces and self._faces[0][0] <= past:
                self._faces.popleft()
            while self._sound[0].stop <= past:
                self._sound.popleft()
            timer.beside(beside)
            yield segment
            beside = StageTimer()
            asked = time.perf_counter()

    def until(self, stop: int, start: int, timer: StageTimer) -> dict[Modality, Encoded]:
        """What the encoders give of [start, stop), which ends where the last segment does."""
        if self._heard is None or self._heard[0] != start:
            self._heard = (start, self._audio(start, stop, timer))
        return {
            "audio": self._heard[1],
            "text": self._words.encode(start, stop, self._duration or stop, timer),
            "video": self._video(start),
        }

    def _hear(self, sound: _Sound, timer: StageTimer) -> None:
        self._sound.append(sound)
        if self._gate is not None:
            with timer.stage("speech_gate"):
                self._gate.accept(sound.samples, sound.start + len(sound.samples))
        # The window that is asked for next, unless the clip ends within this segment.
        start = max(sound.stop - self._window, 0)
        self._heard = (start, self._audio(start, sound.stop, timer))
        self._words.encode(start, sound.stop, self._duration or sound.stop, timer)

    def _audio(self, start: int, stop: int, timer: StageTimer) -> Encoded:
        if not self._clip.has_audio:
            return Encoded(None, self._clip.absent.get("audio"))
        pieces = [s for s in self._sound if s.stop > start]
        if not any(s.recorded for s in pieces):
            return Encoded(None, "the sound does not reach into this window")
        heard = np.concatenate(
            [s.samples[max(start - s.start, 0) :] for s in pieces], dtype=np.float32
        )
        if self._gate is None:
            return self._encoders.audio(heard, timer)
        if not self._gate.speaks(start, stop):
            return Encoded(None, self._encoders.why_no_audio(heard) or NOBODY_SPEAKS)
        encoded = self._encoders.audio(heard, timer)
        return replace(encoded, notes=(*_quiet(heard), *encoded.notes))

    def _video(self, start: int) -> Encoded:
        if not self._clip.has_video:
            return Encoded(None, self._clip.absent.get("video"))
        faces = [f for _, f in self._faces]
        notes = tuple(dict.fromkeys(note for f in faces for note in f.notes))
        seen = [
            (token, sighting)
            for f in faces
            for token, time, sighting in zip(f.tokens, f.times, f.sightings, strict=True)
            if time >= start
        ]
        if seen:
            kept, who = one_person([sighting for _, sighting in seen])
            told = notes if who is None else (who, *notes)
            return Encoded(np.stack([seen[i][0] for i in kept]), None, told)
        reasons = [f.reason for f in faces if f.reason is not None]
        return Encoded(None, reasons[-1] if reasons else "no picture in this window", notes)


def noted(decision: Decision, notes: Sequence[str]) -> Decision:
    """A decision that carries what should be known of the clip, and of what it rests on."""
    notes = list(notes)
    audio = decision.modalities["audio"]
    if decision.label is not None and audio.reason == NOBODY_SPEAKS:
        others = " and ".join({"text": "words", "video": "face"}[m] for m in decision.present)
        notes.append(f"nobody speaks: this rests on {others} alone")
    return replace(decision, notes=(*notes, *decision.notes)) if notes else decision


def _quiet(samples: np.ndarray[tuple[int, ...], np.dtype[np.float32]]) -> tuple[str, ...]:
    level = loudest_dbfs(samples) if len(samples) else float("-inf")
    if not np.isfinite(level) or level >= _QUIET_DBFS:
        return ()
    return (f"the speech is quiet (loudest {level:.0f} dBFS): raise the microphone's gain",)
