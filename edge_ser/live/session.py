"""A live session: sources feed a stream, decisions come out, and what was asked for goes beside.

options = LiveOptions(SourceOptions(replay=Path("clip.mp4")))
with EdgeRecognizer() as recognizer, LiveSession(recognizer, options) as session:
for decision in session:
print(decision.steady_label)
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

from edge_ser.capture.recording import Recording
from edge_ser.capture.sources import LiveSource, Sink
from edge_ser.errors import CaptureError, ConfigError
from edge_ser.live.profile import LiveProfile
from edge_ser.live.sources import SourceOptions, make_sources, start
from edge_ser.media.transcript import Transcript, find_sidecar, read_transcript
from edge_ser.result import LiveDecision
from edge_ser.runtime.closing import ClosedOnExit

if TYPE_CHECKING:
    from edge_ser.recognizer import EdgeRecognizer
    from edge_ser.stream import EmotionStream
    from edge_ser.streaming.smoothing import Smoothing

Tell = Callable[[str], None]
"""Takes a line for people: what is missing, what is recorded, how far an enrolment is."""


@dataclass(frozen=True)
class LiveOptions:
    """What a session listens to and looks at, and what it does with it."""

    sources: SourceOptions = field(default_factory=SourceOptions)
    transcript: Path | None = None
    """Words of the replayed file, with times; None looks for a file beside it."""
    asr: bool = False
    """Whether to transcribe speech on this device."""
    window: float = 3.0
    """Seconds that a decision looks at."""
    hop: float = 0.5
    """Seconds between decisions."""
    smoothing: Smoothing = "light"
    speech_gate: bool = True
    """Whether sound in which nobody speaks counts as absent."""
    profile: Path | None = None
    """A person's profile: to adapt to, or what an enrolment writes."""
    enroll: float | None = None
    """Seconds of speech to learn a person's voice from."""
    record: Path | None = None
    """Folder that sound, pictures and decisions are stored in."""


class LiveSession(ClosedOnExit):
    """Iterating gives the decisions, until the sources end or the session is closed.

    Thread contract: belongs to one thread; `sources` may be looked at from any.
    """

    def __init__(
        self,
        recognizer: EdgeRecognizer,
        options: LiveOptions,
        *,
        consent: bool = False,
        tell: Tell = lambda _: None,
        watch: Callable[[Sink], Sink] | None = None,
    ) -> None:
        """Open the sources and begin.

        Args:
            recognizer: decides; it stays open.
            options: what was asked for.
            consent: whether everybody in front of the devices agreed; a replay needs none.
            tell: takes lines for people.
            watch: makes a sink that everything passes through on its way, for a level or a picture.

        Raises:
            ConfigError: if consent is missing, or what was asked for does not go together.
            CaptureError: if no source, or none of those that were named, can be opened.
        """
        wanted = options.sources
        if wanted.live and not consent:
            raise ConfigError(
                "a microphone or a camera needs the consent of everybody in front of it: pass "
                "consent=True once they have agreed"
            )
        words = _words(options.transcript, wanted.replay)
        self.sources: Sequence[LiveSource] = make_sources(replace(wanted, transcript=words))
        self.recording: Recording | None = None
        self._recording_told = False
        self._tell = tell
        self._stack = ExitStack()
        try:
            self._begin(recognizer, options, watch)
        except BaseException:
            self._stack.close()
            raise

    def __repr__(self) -> str:
        names = ", ".join(source.name for source in self.sources)
        return f"<LiveSession of {names}>"

    def __iter__(self) -> Iterator[LiveDecision]:
        """Give the decisions as they are made.

        Raises:
            CaptureError: at the end, if a source failed or too little was said to enrol anybody.
        """
        for decision in self._stream:
            if self.recording is not None:
                self.recording.note(decision)
                self._tell_of_recording()
            self._person.look(self._tell)
            yield decision
        self._person.end(self._tell)
        failed = [s for s in self.sources if s.health.state == "failed" and s.health.error]
        if failed:
            raise CaptureError("; ".join(f"{s.name}: {s.health.error}" for s in failed))

    def close(self) -> None:
        """Stop the sources and finish what is recorded; a second call does nothing."""
        self._stack.close()
        self._tell_of_recording()

    def __exit__(self, *raised: object) -> None:
        """Close.

        Raises:
            ConfigError: if what was to be recorded could not be, and nothing else went wrong.
        """
        self.close()
        if (
            raised[:1] == (None,)
            and self.recording is not None
            and self.recording.error is not None
        ):
            raise ConfigError(self.recording.error)

    def _tell_of_recording(self) -> None:
        """Say once that the recording stopped."""
        error = None if self.recording is None else self.recording.error
        if error is not None and not self._recording_told:
            self._recording_told = True
            self._tell(error)

    def _begin(
        self,
        recognizer: EdgeRecognizer,
        options: LiveOptions,
        watch: Callable[[Sink], Sink] | None,
    ) -> None:
        self._person = LiveProfile(recognizer.bundle, options.profile, options.enroll)
        self._stream: EmotionStream = self._stack.enter_context(
            recognizer.stream(
                window=options.window,
                hop=options.hop,
                smoothing=options.smoothing,
                speech_gate=options.speech_gate,
                consent=True,  # it was asked for above, and a replay needs none
                profile=self._person.profile,
            )
        )
        sink: Sink = self._stream
        if options.record is not None:
            sink = self.recording = self._stack.enter_context(Recording(sink, options.record))
            self._tell(f"RECORDING sound, pictures and decisions to {options.record}")
        if watch is not None:
            sink = watch(sink)
        ending = ExitStack()
        if options.asr:
            from edge_ser.speech.live_transcript import TranscribingSink
            from edge_ser.speech.speech_to_text import SpeechToText

            sink = ending.enter_context(TranscribingSink(sink, SpeechToText()))
        for source in self.sources:
            self._stack.callback(source.stop)
        self._person.begin(self._stream, self._tell)
        for line in start(self.sources, sink, all_needed=options.sources.named):
            self._tell(line)
        threading.Thread(target=self._close_at_end, args=(ending,), daemon=True).start()

    def _close_at_end(self, ending: ExitStack) -> None:
        """Close the stream when every source has ended, so that what waits is still decided."""
        for source in self.sources:
            source.wait()
        ending.close()
        self._stream.close()


def _words(path: Path | None, replay: Path | None) -> Transcript | None:
    """Words with times for a replay; words without times cannot be said at their time."""
    if path is not None and replay is None:
        raise ConfigError("a transcript belongs to a replay; live words come from speech to text")
    found = path if path is not None else (find_sidecar(replay) if replay is not None else None)
    if found is None:
        return None
    words = read_transcript(found)
    if path is not None and not words.words:
        raise ConfigError(f"{path} has no times: a replay needs an .srt, .vtt or .json transcript")
    return words
