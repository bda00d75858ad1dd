"""The evidence of a clip, window by window: its sound, its words and its faces as far as read."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Final

import numpy as np

from edge_ser.frontends.face_tracks import FaceTracker, one_person
from edge_ser.frontends.level import loudest_dbfs
from edge_ser.media.clip import Clip, Segment
from edge_ser.pipeline.decide import Evidence
from edge_ser.pipeline.encoders import Encoded, EncodedFaces, Encoders
from edge_ser.pipeline.timing import StageTimer
from edge_ser.pipeline.words import WordEncoder
from edge_ser.result import Decision, Window
from edge_ser.speech.speech_gate import NOBODY_SPEAKS, SpeechGate
from edge_ser.speech.voice_activity import VoiceActivity

_QUIET_DBFS: Final = -30.0
"""Speech whose loudest 100 ms lie below this deserves more gain."""


class ClipEvidence:
    """Consecutive segments of a clip, as far back as a window reaches.

    Thread contract: belongs to one thread.
    """

    def __init__(
        self, clip: Clip, encoders: Encoders, words: WordEncoder, window: int, *, speech_gate: bool
    ) -> None:
        """Begin with nothing read.

        Args:
            clip: it is not read here: `segments` does.
            encoders: make tokens of faces.
            words: of the whole clip.
            window: samples that a window looks at, at most.
            speech_gate: whether sound in which nobody speaks counts as absent.
        """
        self._clip = clip
        self._encoders = encoders
        self._words = words
        self._window = window
        self._tracker = FaceTracker()
        self._pieces: deque[tuple[Segment, EncodedFaces]] = deque()
        self._gate = SpeechGate(VoiceActivity(), window) if speech_gate and clip.has_audio else None

    def segments(
        self, seconds: float, frames_per_second: float, timer: StageTimer
    ) -> Iterator[Segment]:
        """Read the clip; every segment that is given can be looked at."""
        segments = self._clip.segments(seconds, frames_per_second)
        while True:
            with timer.stage("decode"):
                segment = next(segments, None)
            if segment is None:
                return
            self._add(segment, timer)
            yield segment

    def until(self, stop: int, start: int, duration: int, timer: StageTimer) -> Evidence:
        """What is known of [start, stop), which ends where the last segment does.

        Args:
            stop: end of the last segment.
            start: first sample of the window.
            duration: length of the clip, over which words without times are spread.
            timer: gets the stages of what is encoded.
        """
        samples, no_samples = None, self._clip.absent.get("audio")
        notes: tuple[str, ...] = ()
        if self._clip.has_audio:
            if not any(s.audio_present for s, _ in self._pieces):
                no_samples = "the sound does not reach into this window"
            else:
                heard = np.concatenate(
                    [s.samples[max(start - s.start, 0) :] for s, _ in self._pieces],
                    dtype=np.float32,
                )
                if self._gate is None:
                    samples = heard
                elif self._gate.speaks(start, stop):
                    samples, notes = heard, _quiet(heard)
                else:
                    no_samples = self._encoders.why_no_audio(heard) or NOBODY_SPEAKS
        return Evidence(
            window=Window(start, stop),
            samples=samples,
            no_samples=no_samples,
            text=self._words.encode(start, stop, duration, timer),
            video=self._video(start),
            audio_notes=notes,
        )

    def _add(self, segment: Segment, timer: StageTimer) -> None:
        if self._gate is not None:
            with timer.stage("speech_gate"):
                self._gate.accept(segment.samples, segment.start + len(segment.samples))
        self._pieces.append((segment, self._encoders.faces(segment.frames, timer, self._tracker)))
        while self._pieces[0][0].stop <= segment.stop - self._window:
            self._pieces.popleft()

    def _video(self, start: int) -> Encoded:
        if not self._clip.has_video:
            return Encoded(None, self._clip.absent.get("video"))
        faces = [f for _, f in self._pieces]
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
