"""`EdgeRecognizer`: a clip in, a calibrated decision out."""

from __future__ import annotations

import os
import threading
from collections import deque
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, Final, TypeAlias

import numpy as np
import numpy.typing as npt

from edge_ser.bundles.loading import Bundle, load_bundle
from edge_ser.constants import SAMPLE_RATE
from edge_ser.errors import ConfigError, MediaError
from edge_ser.media.clip import Clip, Segment, check_positive, sample_count
from edge_ser.media.media import clip_from_arrays, open_clip
from edge_ser.media.transcript import Transcript, find_sidecar, read_transcript
from edge_ser.pipeline.decide import Evidence, decide, merge
from edge_ser.pipeline.encoders import Encoded, EncodedFaces, Encoders
from edge_ser.pipeline.timing import StageTimer
from edge_ser.pipeline.words import WordEncoder
from edge_ser.result import Decision, Window
from edge_ser.runtime.backend import DEFAULT_BACKEND
from edge_ser.runtime.closing import ClosedOnExit

if TYPE_CHECKING:
    from edge_ser.clock import StreamClock
    from edge_ser.speaker.adaptation import SpeakerMap
    from edge_ser.speaker.profile import Profile
    from edge_ser.speech.speech_to_text import SpeechToText
    from edge_ser.stream import EmotionStream
    from edge_ser.streaming.outbox import Callback
    from edge_ser.streaming.smoothing import Smoothing

ClipInput: TypeAlias = "str | os.PathLike[str] | Clip | tuple[npt.ArrayLike, int]"
"""A path, a `Clip` (see `clip_from_arrays`), or samples with their rate in Hz."""

DEFAULT_WINDOW: Final = 3.0
"""Seconds that one decision of a timeline looks at."""
DEFAULT_HOP: Final = 0.5
"""Seconds between two decisions of a timeline."""


class EdgeRecognizer(ClosedOnExit):
    """Recognises emotion in clips with one loaded bundle.

    Thread contract: immutable after construction; every method may be called from any thread, also
    at once (a `Clip` object, though, belongs to one thread at a time).
    """

    def __init__(
        self,
        bundle: str | os.PathLike[str] | Bundle | None = None,
        *,
        backend: str = DEFAULT_BACKEND,
        threads: int = 1,
    ) -> None:
        """Load a bundle and open its graphs.

        Args:
            bundle: a bundle's folder, or a bundle that `load_bundle` gave; None loads the one that
                ships with the package.
            backend: what runs the graphs, one of `edge_ser.runtime.backend.BACKENDS`.
            threads: threads that one run of a graph may use on the CPU; `edge-ser report` measures
                whether more than one helps.

        Raises:
            BundleError: if the bundle is not what its manifest says.
            EngineError: if the backend cannot run a graph of the bundle.
            ConfigError: if the backend's name is unknown.
        """
        self.bundle = bundle if isinstance(bundle, Bundle) else load_bundle(bundle)
        self._encoders = Encoders(self.bundle, backend, threads)
        self._speech_to_text: SpeechToText | None = None
        self._speech_to_text_lock = threading.Lock()
        self._closed = False

    @property
    def labels(self) -> tuple[str, ...]:
        """The labels that decisions choose from, in the order of the bundle."""
        return self.bundle.manifest.labels

    @property
    def encoders(self) -> Encoders:
        """Front-ends and graphs, for callers that want features or embeddings.

        Raises:
            ConfigError: if the recognizer is closed.
        """
        if self._closed:
            raise ConfigError("this EdgeRecognizer is closed; make a new one")
        return self._encoders

    def recognize(
        self,
        clip: ClipInput,
        transcript: str | Transcript | None = None,
        *,
        asr: bool = False,
        profile: Profile | None = None,
    ) -> Decision:
        """Decide for a whole clip.

        A clip longer than the bundle's longest window is decided window by window, one in memory at
        a time, and the decisions are merged (see `edge_ser.pipeline.decide.merge`).

        Args:
            clip: a file with sound, pictures or both; a `Clip`; or (samples, rate).
            transcript: what is said. None looks for a sidecar file beside the clip (clip.txt, .srt,
                .vtt or .json) and, with `asr`, listens when there is none.
            asr: whether to transcribe the sound on this device when there is no transcript.
            profile: of the person who speaks, from `enroll`.

        Raises:
            ConfigError: if the profile was made with another bundle.
            MediaError: if the clip, the samples or the transcript cannot be used.
            MissingExtraError: if `asr` is wanted and the extra ``asr`` is not installed.
            EngineError: if a backend fails.
        """
        encoders = self.encoders
        speaker = self._speaker(profile)
        timer = StageTimer()
        with _opened(clip) as opened:
            with timer.stage("transcript"):
                spoken = self._transcript(clip, opened, transcript, asr)
            duration = self._duration(opened, spoken, timer)
            words = WordEncoder(encoders, spoken)
            decisions = []
            for segment in self._segments(opened, encoders.maximum_samples / SAMPLE_RATE, timer):
                faces = encoders.faces(segment.frames, timer)
                span = _Span(opened, deque([(segment, faces)]))
                evidence = span.evidence(segment.start, words, duration or segment.stop, timer)
                decisions.append(decide(self.bundle, encoders, evidence, timer, speaker))
        return merge(self.bundle, decisions, timer)

    def timeline(
        self,
        clip: ClipInput,
        transcript: str | Transcript | None = None,
        *,
        window: float = DEFAULT_WINDOW,
        hop: float = DEFAULT_HOP,
        asr: bool = False,
        profile: Profile | None = None,
    ) -> list[Decision]:
        """Decide again and again along a clip, as a live stream would.

        A decision is made at every multiple of `hop`, and at the clip's end, from the `window`
        seconds before it; the first ones have less to look at. Nothing looks ahead.

        Args:
            clip: as for `recognize`.
            transcript: as for `recognize`; words without times are spread evenly over the clip.
            window: seconds that one decision looks at, up to the bundle's longest.
            hop: seconds between decisions, at most `window`.
            asr: as for `recognize`.
            profile: as for `recognize`.

        Raises:
            ConfigError: if window or hop are not usable, or the profile is another bundle's.
            MediaError, MissingExtraError, EngineError: as for `recognize`.
        """
        encoders = self.encoders
        longest = encoders.maximum_samples / SAMPLE_RATE
        for name, value in (("window", window), ("hop", hop)):
            check_positive(name, value)
        if window > longest:
            raise ConfigError(f"window is {window} s; this bundle takes at most {longest:g} s")
        if hop > window:
            raise ConfigError(f"hop ({hop} s) is longer than window ({window} s): sound is skipped")
        length = sample_count("window", window)
        speaker = self._speaker(profile)
        decisions = []
        with _opened(clip) as opened:
            spoken = self._transcript(clip, opened, transcript, asr)
            duration = self._duration(opened, spoken, StageTimer())
            words = WordEncoder(encoders, spoken)
            pieces: deque[tuple[Segment, EncodedFaces]] = deque()
            timer = StageTimer()
            for segment in self._segments(opened, hop, timer):
                pieces.append((segment, encoders.faces(segment.frames, timer)))
                start = max(segment.stop - length, 0)
                while pieces[0][0].stop <= start:
                    pieces.popleft()
                span = _Span(opened, pieces)
                evidence = span.evidence(start, words, duration or segment.stop, timer)
                decisions.append(decide(self.bundle, encoders, evidence, timer, speaker))
                timer = StageTimer()
        return decisions

    def transcribe(
        self, clip: ClipInput, transcript: str | Transcript | None = None, *, asr: bool = False
    ) -> Transcript | None:
        """Find the words of a clip as `recognize` does: given, from a sidecar file, or listened to.

        Returns:
            The words, or None when there are none to be had.

        Raises:
            MediaError, MissingExtraError, EngineError: as for `recognize`.
        """
        with _opened(clip) as opened:
            return self._transcript(clip, opened, transcript, asr)

    def enroll(self, clips: Sequence[ClipInput], profile: Profile | None = None) -> Profile:
        """Make the profile of one person from clips in which nobody else speaks.

        Only statistics are kept: see `Profile`. The bundle's `adaptation` tells
        whether they should be neutral speech (`enrol_with`).

        Args:
            clips: each as for `recognize`; ten seconds of speech are a good beginning.
            profile: an earlier profile of the person, to go on from.

        Raises:
            ConfigError: if the bundle cannot enrol anybody, or the profile is another bundle's.
            MediaError: if a clip cannot be used, or nobody speaks in any of them.
            EngineError: if a backend fails.
        """
        from edge_ser.speaker.profile import Profile, adaptation_of
        from edge_ser.speaker.voice import VoiceStatistics

        encoders = self.encoders
        adaptation = adaptation_of(self.bundle) if profile is None else profile.check(self.bundle)
        voice = VoiceStatistics(
            lambda samples: encoders.audio(samples, StageTimer()).tokens,
            adaptation.columns,
            seen=None if profile is None else profile.statistics,
            samples=0 if profile is None else profile.samples,
        )
        before = voice.samples
        for clip in clips:
            with _opened(clip) as opened:
                for segment in opened.segments(DEFAULT_WINDOW, None):
                    voice.accept(segment.samples)
            voice.finish()
        if voice.samples == before:
            raise MediaError("nobody speaks in what was given to enrol with: there is no profile")
        return Profile.made(self.bundle, voice.seen, voice.complete)

    def stream(
        self,
        *,
        window: float = DEFAULT_WINDOW,
        hop: float = DEFAULT_HOP,
        smoothing: Smoothing = "light",
        on_decision: Callback | None = None,
        speech_only: bool = False,
        consent: bool = False,
        clock: StreamClock | None = None,
        profile: Profile | None = None,
    ) -> EmotionStream:
        """Begin a live conversation; any number of them may share this recognizer.

        Args:
            window: seconds that one decision looks at, up to the bundle's longest.
            hop: seconds between decisions, at least 0.05 and at most `window`.
            smoothing: how hard `LiveDecision.steady_label` is held: off, light or strong.
            on_decision: called with every `LiveDecision`, on a thread of its own; without it,
                iterate over the stream.
            speech_only: whether sound in which nobody speaks counts as absent, so that music or
                noise alone names no emotion.
            consent: whether the people in front of the devices agreed to this.
            clock: the clock of the capture times; None is the system's monotonic clock, a
                `PushedClock` suits media that are fed at any other speed.
            profile: of the person who speaks, from `enroll` or `EmotionStream.enroll`.

        Raises:
            ConfigError: if window, hop or smoothing are not usable, the profile is another
                bundle's, or the recognizer is closed.
        """
        from edge_ser.stream import EmotionStream
        from edge_ser.streaming.options import StreamOptions

        encoders = self.encoders
        options = StreamOptions.checked(
            window, hop, smoothing, encoders.maximum_samples, speech_only=speech_only
        )
        return EmotionStream(
            self.bundle,
            encoders,
            options,
            on_decision=on_decision,
            consent=consent,
            clock=clock,
            profile=profile,
        )

    def close(self) -> None:
        """Free the graphs; a second call does nothing. Do not call it while another call runs."""
        self._closed = True
        self._encoders.close()

    def _speaker(self, profile: Profile | None) -> SpeakerMap | None:
        return None if profile is None else profile.speaker_map(self.bundle)

    def _segments(self, clip: Clip, seconds: float, timer: StageTimer) -> Iterator[Segment]:
        rate = self.bundle.manifest.frontend.video.frames_per_second
        segments = clip.segments(seconds, rate)
        while True:
            with timer.stage("decode"):
                segment = next(segments, None)
            if segment is None:
                return
            yield segment

    def _transcript(
        self, source: ClipInput, clip: Clip, transcript: str | Transcript | None, asr: bool
    ) -> Transcript | None:
        if transcript is not None:
            return transcript if isinstance(transcript, Transcript) else Transcript(transcript)
        if isinstance(source, (str, os.PathLike)):
            sidecar = find_sidecar(source)
            if sidecar is not None:
                origin = f"words from the file {sidecar.name}"
                return replace(read_transcript(sidecar), origin=origin)
        if not asr or not clip.has_audio:
            return None
        heard = self._listener().transcribe_clip(clip)
        return replace(heard, origin="words from speech to text on this device")

    def _listener(self) -> SpeechToText:
        with self._speech_to_text_lock:
            if self._speech_to_text is None:
                from edge_ser.speech.speech_to_text import SpeechToText

                self._speech_to_text = SpeechToText()
            return self._speech_to_text

    def _duration(self, clip: Clip, spoken: Transcript | None, timer: StageTimer) -> int | None:
        """Length of the clip; read in full only when words without times must be spread over it."""
        untimed = spoken is not None and not spoken.words
        if clip.duration is not None or not untimed:
            return clip.duration
        stop = 0
        for segment in self._segments(clip, DEFAULT_WINDOW, timer):
            stop = segment.stop
        return stop


class _Span:
    """Consecutive segments of a clip with the faces that were found in them."""

    def __init__(self, clip: Clip, pieces: deque[tuple[Segment, EncodedFaces]]) -> None:
        self._clip = clip
        self._pieces = pieces

    def evidence(
        self, start: int, words: WordEncoder, duration: int, timer: StageTimer
    ) -> Evidence:
        """What is known of the window from sample `start` to the end of the last segment."""
        stop = self._pieces[-1][0].stop
        samples, no_samples = None, self._clip.absent.get("audio")
        if self._clip.has_audio:
            joined = np.concatenate(
                [s.samples[max(start - s.start, 0) :] for s, _ in self._pieces], dtype=np.float32
            )
            if any(s.audio_present for s, _ in self._pieces):
                samples = joined
            else:
                no_samples = "the sound does not reach into this window"
        return Evidence(
            window=Window(start, stop),
            samples=samples,
            no_samples=no_samples,
            text=words.encode(start, stop, duration, timer),
            video=self._video(start),
        )

    def _video(self, start: int) -> Encoded:
        if not self._clip.has_video:
            return Encoded(None, self._clip.absent.get("video"))
        faces = [f for _, f in self._pieces]
        notes = tuple(dict.fromkeys(note for f in faces for note in f.notes))
        rows = [
            token
            for f in faces
            for token, time in zip(f.tokens, f.times, strict=True)
            if time >= start
        ]
        if rows:
            return Encoded(np.stack(rows), None, notes)
        reasons = [f.reason for f in faces if f.reason is not None]
        return Encoded(None, reasons[-1] if reasons else "no picture in this window", notes)


@contextmanager
def _opened(clip: ClipInput) -> Iterator[Clip]:
    """Open what names a clip; a `Clip` that the caller made stays open."""
    if isinstance(clip, Clip):
        yield clip
        return
    if isinstance(clip, tuple):
        samples, rate = clip
        opened: Clip = clip_from_arrays(samples=samples, sample_rate=rate)
    else:
        opened = open_clip(clip)
    with opened:
        yield opened
