"""`EdgeRecognizer`: a clip in, a calibrated decision out."""

from __future__ import annotations

import os
import threading
from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

from edge_ser.bundles.loading import Bundle, load_bundle
from edge_ser.bundles.trust import TrustedKeys, check_trusted
from edge_ser.constants import SAMPLE_RATE
from edge_ser.errors import BundleError, ConfigError, MediaError
from edge_ser.media.channels import Channel
from edge_ser.media.clip import Clip, check_positive, sample_count
from edge_ser.media.clip_input import ClipInput, channel_count, opened_clip
from edge_ser.media.transcript import (
    Transcript,
    TranscriptInput,
    given_transcript,
    sidecar_transcript,
)
from edge_ser.pipeline.clip_evidence import ClipEvidence, noted
from edge_ser.pipeline.decide import decide, merge
from edge_ser.pipeline.encoders import Encoders
from edge_ser.pipeline.timing import StageTimer
from edge_ser.pipeline.words import WordEncoder
from edge_ser.result import Decision, Window
from edge_ser.runtime.backend import DEFAULT_BACKEND, JOINING
from edge_ser.runtime.closing import ClosedOnExit

if TYPE_CHECKING:
    from edge_ser.bundles.site import SiteCalibration
    from edge_ser.clock import StreamClock
    from edge_ser.speaker.adaptation import SpeakerMap
    from edge_ser.speaker.profile import Profile
    from edge_ser.speech.speech_to_text import SpeechToText
    from edge_ser.stream import EmotionStream
    from edge_ser.streaming.outbox import Callback
    from edge_ser.streaming.smoothing import Smoothing

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
        risk: float | None = None,
        join: bool | None = None,
        site: str | os.PathLike[str] | SiteCalibration | None = None,
        trusted_keys: TrustedKeys | None = None,
    ) -> None:
        """Load a bundle and open its graphs.

        Args:
            bundle: a bundle's folder, or a bundle that `load_bundle` gave; None loads the one that
                ships with the package.
            backend: what runs the graphs, one of `edge_ser.runtime.backend.BACKENDS`.
            threads: threads that one run of a graph may use on the CPU; `edge-ser report` measures
                whether more than one helps.
            risk: share of the answers that may be wrong, between 0 and 1: a decision abstains where
                more were in the bundle's own measurements, those of sound on corpora that its
                training never saw. None takes the bundle's thresholds.
            join: whether what streams and threads that share this recognizer ask of a graph at the
                same time is joined into one run. Nobody waits for company, and answers are the
                same. None joins on a GPU, where it pays.
            site: file of the calibration of the place where it is used, which `edge-ser calibrate
                --site` wrote with this very bundle; the version that decisions name tells of it.
            trusted_keys: public keys, as files or folders of them, of which one must have signed
                the bundle; None asks for no more than this machine does (docs/signing.md).

        Raises:
            BundleError: if the bundle is not what its manifest says, or not signed as it must be.
            MissingExtraError: if keys are trusted, but what verifies signatures is not installed.
            EngineError: if the backend cannot run a graph of the bundle.
            ConfigError: if the backend's name is unknown, threads is no count, or the risk is none
                or cannot be looked up, or the site's file cannot be used or is another bundle's.
        """
        if isinstance(threads, bool) or not isinstance(threads, int) or threads < 1:
            raise ConfigError(f"threads must be a whole number from 1 on, not {threads!r}")
        if isinstance(bundle, Bundle):
            check_trusted(bundle, trusted_keys)
        else:
            bundle = load_bundle(bundle, trusted_keys=trusted_keys)
        self.bundle = bundle
        self._trusted_keys = trusted_keys
        self._site: SiteCalibration | None = None
        if site is not None:
            from edge_ser.bundles.site import SiteCalibration, load_site

            self._site = site if isinstance(site, SiteCalibration) else load_site(site)
            self.bundle = self._site.applied(self.bundle)
        self._backend = backend
        self._threads = threads
        self._risk = risk
        self._join = backend in JOINING if join is None else bool(join)
        self._encoders = Encoders(self.bundle, backend, threads, risk=risk, join=self._join)
        self._speech_to_text: SpeechToText | None = None
        self._speech_to_text_lock = threading.Lock()
        self._closed = False

    def __repr__(self) -> str:
        manifest = self.bundle.manifest
        precision = "+".join(dict.fromkeys(g.precision for g in manifest.graphs.values()))
        return (
            f"<EdgeRecognizer {manifest.name} {manifest.version} on {self._backend}, {precision}: "
            f"{', '.join(manifest.labels)}{', closed' if self._closed else ''}>"
        )

    def __reduce__(self) -> tuple[object, ...]:
        """For process pools: the bundle is opened and verified anew on the other side.

        Raises:
            ConfigError: if the recognizer is closed.
        """
        _ = self.encoders
        bundle = self.bundle
        options = {
            "backend": self._backend,
            "threads": self._threads,
            "risk": self._risk,
            "join": self._join,
            "site": self._site,
            "trusted_keys": self._trusted_keys,
        }
        return _reopened, (str(bundle.folder), bundle.digest, options)

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
        transcript: TranscriptInput | None = None,
        *,
        asr: bool = False,
        profile: Profile | None = None,
        speech_gate: bool = True,
        channel: Channel = "mix",
        audio_track: int | None = None,
    ) -> Decision:
        """Decide for a whole clip.

        A clip longer than the bundle's longest window is decided window by window, one in memory at
        a time, and the decisions are merged (see `edge_ser.pipeline.decide.merge`).

        Args:
            clip: a file with sound, pictures or both; a `Clip`; or (samples, rate).
            transcript: what is said, or the file that holds it. None looks for a sidecar file
                beside the clip (clip.txt, .srt, .vtt or .json) and, with `asr`, listens when there
                is none.
            asr: whether to transcribe the sound on this device when there is no transcript.
            profile: of the person who speaks, from `enroll`.
            speech_gate: whether sound in which nobody speaks counts as absent, so that music or
                noise alone names no emotion.
            channel: which is heard: mix, left, right, or a channel's number from 1 on.
            audio_track: which of a file's sound tracks, from 1 on; None takes the one that a
                player would.

        Raises:
            ConfigError: if the profile was made with another bundle, or a channel or a track is
                none or is chosen for a `Clip` (`open_clip` chooses them).
            MediaError: if the clip, the samples or the transcript cannot be used.
            MissingExtraError: if `asr` is wanted and the extra ``asr`` is not installed.
            EngineError: if a backend fails.
        """
        encoders = self.encoders
        speaker = self._speaker(profile)
        timer = StageTimer()
        with opened_clip(clip, channel, audio_track) as opened:
            with timer.stage("transcript"):
                spoken = self._transcript(clip, opened, transcript, asr)
            duration = self._duration(opened, spoken)
            longest = encoders.maximum_samples
            words = WordEncoder(encoders, spoken)
            evidence = ClipEvidence(
                opened, encoders, words, longest, duration, speech_gate=speech_gate
            )
            decisions = []
            for s in evidence.segments(longest / SAMPLE_RATE, self._picture_rate, timer):
                seen = evidence.until(s.stop, s.start, timer)
                window = Window(s.start, s.stop)
                decisions.append(decide(self.bundle, encoders.fusion, window, seen, timer, speaker))
            merged = merge(self.bundle, decisions, timer)
            return noted(merged, _notes(opened, spoken, merged.window.end))

    def recognize_channels(
        self,
        clip: ClipInput,
        transcript: TranscriptInput | None = None,
        *,
        asr: bool = False,
        profile: Profile | None = None,
        speech_gate: bool = True,
        audio_track: int | None = None,
    ) -> dict[int, Decision]:
        """Decide for each channel of a clip alone, as for a call with one speaker a channel.

        Every decision sees the same pictures, and the same words unless `asr` listens for them.

        Args:
            clip: a file, or (samples, rate).
            transcript: as for `recognize`; so are the other arguments.
            asr: whether to transcribe each channel where there is no transcript.
            profile: of the person who speaks.
            speech_gate: whether sound in which nobody speaks counts as absent.
            audio_track: which sound track is heard.

        Returns:
            Decisions by the channel's number, from 1 (left) on.

        Raises:
            ConfigError, MediaError, MissingExtraError, EngineError: as for `recognize`; MediaError
                also if the clip has no sound.
        """
        return {
            channel: self.recognize(
                clip,
                transcript,
                asr=asr,
                profile=profile,
                speech_gate=speech_gate,
                channel=channel,
                audio_track=audio_track,
            )
            for channel in range(1, channel_count(clip, audio_track) + 1)
        }

    def timeline(
        self,
        clip: ClipInput,
        transcript: TranscriptInput | None = None,
        *,
        window: float = DEFAULT_WINDOW,
        hop: float = DEFAULT_HOP,
        asr: bool = False,
        profile: Profile | None = None,
        speech_gate: bool = True,
        channel: Channel = "mix",
        audio_track: int | None = None,
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
            speech_gate: as for `recognize`; so are `channel` and `audio_track`.
            channel: which channel is heard.
            audio_track: which sound track is heard.

        Raises:
            ConfigError: if window or hop are not usable, or the profile is another bundle's.
            MediaError, MissingExtraError, EngineError: as for `recognize`.
        """
        encoders = self.encoders
        check_windows(window, hop, encoders.maximum_samples)
        length = sample_count("window", window)
        speaker = self._speaker(profile)
        decisions = []
        with opened_clip(clip, channel, audio_track) as opened:
            spoken = self._transcript(clip, opened, transcript, asr)
            duration = self._duration(opened, spoken)
            words = WordEncoder(encoders, spoken)
            evidence = ClipEvidence(
                opened, encoders, words, length, duration, speech_gate=speech_gate
            )
            timer = StageTimer()
            for s in evidence.segments(hop, self._picture_rate, timer):
                span = Window(max(s.stop - length, 0), s.stop)
                seen = evidence.until(span.end, span.start, timer)
                decided = decide(self.bundle, encoders.fusion, span, seen, timer, speaker)
                decisions.append(noted(decided, opened.notes()))
                timer = StageTimer()
            if decisions:
                # Only now is it known that this is the end.
                decisions[-1] = noted(decided, _notes(opened, spoken, decided.window.end))
        return decisions

    def transcribe(
        self,
        clip: ClipInput,
        transcript: TranscriptInput | None = None,
        *,
        asr: bool = False,
        channel: Channel = "mix",
        audio_track: int | None = None,
    ) -> Transcript | None:
        """Find the words of a clip as `recognize` does: given, from a sidecar file, or listened to.

        The arguments are those of `recognize`.

        Returns:
            The words, or None when there are none to be had.

        Raises:
            MediaError, MissingExtraError, EngineError: as for `recognize`.
        """
        with opened_clip(clip, channel, audio_track) as opened:
            return self._transcript(clip, opened, transcript, asr)

    def enroll(
        self,
        clips: Sequence[ClipInput],
        profile: Profile | None = None,
        *,
        channel: Channel = "mix",
        audio_track: int | None = None,
    ) -> Profile:
        """Make the profile of one person from clips in which nobody else speaks.

        Only statistics are kept: see `Profile`. The bundle's `adaptation` tells
        whether they should be neutral speech (`enrol_with`).

        Args:
            clips: each as for `recognize`; ten seconds of speech are a good beginning.
            profile: an earlier profile of the person, to go on from.
            channel: that the person speaks on, as for `recognize`; so is `audio_track`.
            audio_track: which sound track is heard.

        Raises:
            ConfigError: if the bundle cannot enrol anybody, the profile is another bundle's, or the
                channel is none.
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
            with opened_clip(clip, channel, audio_track) as opened:
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
        speech_gate: bool = True,
        consent: bool = False,
        clock: StreamClock | None = None,
        profile: Profile | None = None,
    ) -> EmotionStream:
        """Begin a live conversation; any number of them may share this recognizer.

        Args:
            window: seconds that one decision looks at, up to the bundle's longest.
            hop: seconds between decisions, at least 0.05 and at most `window`.
            smoothing: how hard `LiveDecision.steady_label` is held: off, light or strong.
            on_decision: called with every `LiveDecision`, on a thread of its own, so it cannot be
                async; without it, iterate over the stream (``for`` or ``async for``).
            speech_gate: whether sound in which nobody speaks counts as absent, so that music or
                noise alone names no emotion.
            consent: whether the people in front of the devices agreed to this.
            clock: the clock of the capture times; None is the system's monotonic clock, a
                `PushedClock` suits media that are fed at any other speed.
            profile: of the person who speaks, from `enroll` or `EmotionStream.enroll`.

        Raises:
            ConfigError: if window, hop, smoothing or on_decision are not usable, the profile is
                another bundle's, or the recognizer is closed.
        """
        from edge_ser.stream import EmotionStream
        from edge_ser.streaming.options import StreamOptions

        encoders = self.encoders
        options = StreamOptions.checked(
            window, hop, smoothing, encoders.maximum_samples, speech_gate=speech_gate
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

    @property
    def _picture_rate(self) -> float:
        return self.bundle.manifest.frontend.video.frames_per_second

    def _transcript(
        self,
        source: ClipInput,
        clip: Clip,
        transcript: TranscriptInput | None,
        asr: bool,
    ) -> Transcript | None:
        if transcript is not None:
            return given_transcript(transcript)
        beside = sidecar_transcript(source) if isinstance(source, (str, os.PathLike)) else None
        if (beside is not None and beside.text) or not asr or not clip.has_audio:
            return beside
        heard = self._listener().transcribe_clip(clip)
        return replace(heard, origin="words from speech to text on this device")

    def _listener(self) -> SpeechToText:
        with self._speech_to_text_lock:
            if self._speech_to_text is None:
                from edge_ser.speech.speech_to_text import SpeechToText

                self._speech_to_text = SpeechToText()
            return self._speech_to_text

    def _duration(self, clip: Clip, spoken: Transcript | None) -> int | None:
        """Length of the clip; read in full only when words without times must be spread over it."""
        untimed = spoken is not None and spoken.text and not spoken.words
        if clip.duration is not None or not untimed:
            return clip.duration
        stop = 0
        for segment in clip.segments(DEFAULT_WINDOW, None if clip.has_audio else 1.0):
            stop = segment.stop
        return stop


def check_windows(window: float, hop: float, maximum_samples: int) -> None:
    """Refuse windows that a bundle cannot look at, or between which sound is skipped.

    Raises:
        ConfigError: if window or hop are not usable.
    """
    longest = maximum_samples / SAMPLE_RATE
    for name, value in (("window", window), ("hop", hop)):
        check_positive(name, value)
    if window > longest:
        raise ConfigError(f"window is {window} s; this bundle takes at most {longest:g} s")
    if hop > window:
        raise ConfigError(f"hop ({hop} s) is longer than window ({window} s): sound is skipped")


def _notes(clip: Clip, spoken: Transcript | None, end: int) -> tuple[str, ...]:
    """What should be known of a clip that was read to its end, and of its words."""
    return (*clip.notes(end), *(() if spoken is None else spoken.outside(end)))


def _reopened(folder: str, digest: str, options: dict[str, Any]) -> EdgeRecognizer:
    bundle = load_bundle(folder, trusted_keys=options["trusted_keys"])
    if bundle.digest != digest:
        raise BundleError(f"{folder} is another bundle than the recognizer was made with")
    return EdgeRecognizer(bundle, **options)
