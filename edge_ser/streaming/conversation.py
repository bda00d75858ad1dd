"""One live conversation without its threads: what arrived goes in, decisions come out.

Decisions are made at every multiple of the hop after the first capture time, each from the window
before it, as `EdgeRecognizer.timeline` does for a clip; nothing looks ahead. A decision is due when
the sound has reached its moment, or when the clock has passed it by more than sound may be late.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from edge_ser.bundles.loading import Bundle
from edge_ser.clock import StreamClock, milliseconds
from edge_ser.constants import MODALITIES, SAMPLE_RATE
from edge_ser.frontends.audio import HOP
from edge_ser.pipeline.decide import decide
from edge_ser.pipeline.encoders import Encoded
from edge_ser.pipeline.timing import StageTimer
from edge_ser.result import Decision, LiveDecision, StreamHealth, Window
from edge_ser.speaker.adaptation import SpeakerMap
from edge_ser.speech.speech_gate import SpeechGate
from edge_ser.speech.voice_activity import VoiceActivity
from edge_ser.streaming.enrolment import Enrolment
from edge_ser.streaming.inbox import Arrivals, Chunk, PictureArrival
from edge_ser.streaming.intake import AudioIntake, Piece
from edge_ser.streaming.load import LoadController
from edge_ser.streaming.options import StreamOptions
from edge_ser.streaming.outbox import Ready
from edge_ser.streaming.recent_past import RecentPast, StreamEncoders, WindowEvidence
from edge_ser.streaming.smoothing import LabelSmoother
from edge_ser.streaming.tally import Tally

PATIENCE: Final = SAMPLE_RATE // 6
"""How long a decision waits for sound at least; longer if the sound has been coming later."""
LONGEST_PATIENCE: Final = 5 * SAMPLE_RATE
SHORT_PATIENCE: Final = SAMPLE_RATE // 20
"""The same when there has been no sound for `AUDIO_GONE`."""
AUDIO_GONE: Final = SAMPLE_RATE
HURRY: Final = SAMPLE_RATE // 40
"""So long before a window ends no picture is begun with."""
PREPARATION: Final = SAMPLE_RATE * 3 // 20
"""So long before a window ends its words are encoded; sound wakes the stream more often than so."""
MOST_AT_ONCE: Final = 240
"""Hops that a gap in the capture times may span before they are skipped."""


def origin_of(arrivals: Arrivals) -> int | None:
    """The capture time at which a conversation begins; None if nothing has arrived."""
    times = [chunk.capture_time for chunk in arrivals.chunks]
    if arrivals.picture is not None:
        times.append(arrivals.picture.capture_time)
    return min(times or [words.start for words in arrivals.words], default=None)


class Conversation:
    """Thread contract: belongs to one thread.

    `speaker` moves the sound's tokens by a person's statistics; `enrolment` hears what is said.
    """

    def __init__(
        self,
        bundle: Bundle,
        encoders: StreamEncoders,
        options: StreamOptions,
        clock: StreamClock,
        tally: Tally,
        origin: int,
    ) -> None:
        self.speaker: SpeakerMap | None = None
        self.enrolment: Enrolment | None = None
        self.notes: tuple[str, ...] = ()
        self._bundle = bundle
        self._fusion = encoders.fusion
        self._options = options
        self._clock = clock
        self._tally = tally
        self._origin = origin
        self._longest = options.window + options.hop + LONGEST_PATIENCE
        self._past = RecentPast(
            encoders,
            bundle.manifest.frontend,
            origin,
            self._longest,
            tally,
            SpeechGate(VoiceActivity(), self._longest) if options.speech_gate else None,
        )
        self._intake = AudioIntake(tally)
        self._smoother = LabelSmoother(options.smoothing)
        self._load = LoadController()
        self._hops = 0
        self._decided_hops = 0
        self._audio_came: int | None = None
        self._patience = PATIENCE
        self._picture: PictureArrival | None = None
        self._early_timer = StageTimer()
        self._backlog = 0
        self._draining = False
        self._busy = 0
        self._busy_since = 0

    @property
    def next_moment(self) -> int:
        """Capture time at which the next window ends."""
        return self._origin + (self._hops + 1) * self._options.hop

    @property
    def deadline(self) -> int:
        """Moment at which the next decision is made even if nothing more comes."""
        return self.next_moment + (self._patience if self._hears else SHORT_PATIENCE)

    @property
    def _hears(self) -> bool:
        """Whether sound has been coming lately."""
        came = self._audio_came
        return came is not None and self._clock.now() - came < AUDIO_GONE

    def health(self) -> StreamHealth:
        """Everything that went wrong so far."""
        drift, drift_sd = self._past.drift or (None, None)
        load = self._load.level.description
        return self._tally.health(drift_ppm=drift, drift_sd_ppm=drift_sd, load=load)

    def take(self, arrivals: Arrivals, *, draining: bool = False) -> Iterator[Ready]:
        """Take what has arrived; give the decisions that became due.

        Args:
            arrivals: everything that was pushed since the last call.
            draining: whether nothing more will come, so that no hop needs to be skipped.
        """
        self._draining = draining
        self._busy_since = self._clock.now()
        for words in arrivals.words:
            self._past.be_told(words, self.next_moment - self._longest)
        if arrivals.picture is not None:
            if self._picture is not None:
                self._tally.add("pictures_replaced")
            self._picture = arrivals.picture
        self._see()
        self._backlog = sum(chunk.duration for chunk in arrivals.chunks)
        for chunk in arrivals.chunks:
            yield from self._hear(chunk)
        # A picture from after the window has waited for the decision, not the other way round.
        self._see(everything=True)
        late = self._clock.now() - self.deadline
        if late >= 0:
            yield from self._decide_up_to(self.next_moment + late)
        self._prepare()
        self._busy += self._clock.now() - self._busy_since

    def finish(self) -> Iterator[Ready]:
        """Nothing more comes: decide for what is left behind the last whole hop, if anything."""
        decided = self._origin + self._hops * self._options.hop
        ends = (self._past.audio_end, self._past.newest_picture)
        end = next((e for e in ends if e is not None), decided)
        left = (end - decided) // HOP * HOP
        if left > 0:
            self._hops += 1
            yield self._decision(decided + left)

    def _prepare(self) -> None:
        """Do now what the next decision needs and is known already: it then comes sooner."""
        if 0 < self.next_moment - self._clock.now() <= PREPARATION:
            start = max(self.next_moment - self._options.window, self._origin)
            self._past.prepare(start, self.next_moment, self._load.level, self._early_timer)

    def _see(self, *, everything: bool = False) -> None:
        """Look at the picture that waits, if it belongs to the next window.

        One that comes at the last moment counts for the window after: sound that ends a window is
        about to come, and its decision would be late by the time that the picture takes.
        """
        picture = self._picture
        hurry = self._clock.live and not self._draining and self._hears
        if hurry and self._clock.now() >= self.next_moment - HURRY:
            return
        if picture is not None and (everything or picture.capture_time < self.next_moment):
            self._picture = None
            self._past.see(picture, self._load.level, self._early_timer)

    def _hear(self, chunk: Chunk) -> Iterator[Ready]:
        self._backlog -= chunk.duration
        piece = self._intake.accept(chunk)
        if piece is None:
            return
        self._audio_came = self._clock.now()
        late = max(self._audio_came - chunk.end, 0) + 2 * chunk.duration
        self._patience = min(max(late, PATIENCE), LONGEST_PATIENCE)
        begin = self._past.audio_end
        begin = piece.capture_time if begin is None else begin + piece.skipped
        if piece.skipped:
            yield from self._decide_up_to(begin)
        while piece is not None:
            # Samples behind the window's end must not change it, however long the chunk is.
            first, piece = piece.cut(max(self.next_moment - begin, 1))
            begin = self._past.hear(first)
            self._listen(first)
            behind = 0 if piece is None else len(piece.samples)
            self._backlog += behind
            yield from self._decide_up_to(begin)
            self._backlog -= behind

    def _listen(self, piece: Piece) -> None:
        """Let an enrolment hear; what it makes of it must not end the conversation."""
        enrolment = self.enrolment
        if enrolment is None or enrolment.done:
            return
        try:
            if piece.skipped:
                enrolment.interrupt()
            enrolment.hear(piece.samples)
        except Exception as error:  # an encoder that fails costs the enrolment alone
            self._tally.error("encoder_errors", "the enrolment failed", error)
            enrolment.fail(f"the enrolment failed ({error})")

    def _decide_up_to(self, time: int) -> Iterator[Ready]:
        """Make every decision whose window ends at `time` or before."""
        while (moment := self.next_moment) <= time:
            due = (time - moment) // self._options.hop
            live = self._clock.live and not self._draining
            # Of several that are due only the newest is news; and a stamp may be years ahead.
            skipped = due if live or due > MOST_AT_ONCE else 0
            if live and self._backlog >= self._options.hop:
                skipped = max(skipped, 1)
            if skipped:
                self._hops += skipped
                self._tally.add("hops_skipped", skipped)
                continue
            self._hops += 1
            if self._hops % self._load.level.hop_divisor:
                self._tally.add("hops_skipped")
            else:
                yield self._decision(moment)
            self._see()

    def _decision(self, moment: int) -> Ready:
        start = max(moment - self._options.window, self._origin)
        timer = StageTimer()
        waited = {"waited": milliseconds(self._clock.now() - moment)} if self._clock.live else {}
        evidence = self._past.evidence(start, moment, self._load.level, timer)
        window = Window(start - self._origin, moment - self._origin)
        decision = self._fused(evidence, window, timer)
        busy = self._account(moment)
        stages = {**waited, **self._early_timer.stages(), **timer.stages(), "total": busy}
        self._early_timer = StageTimer()
        steady_label = self._smoother.update(decision, window.end)
        live = LiveDecision(
            label=decision.label,
            probabilities=decision.probabilities,
            modalities=decision.modalities,
            abstained=decision.abstained,
            abstain_reason=decision.abstain_reason,
            window=window,
            bundle=decision.bundle,
            notes=(*self.notes, *decision.notes),
            timing_ms=stages,
            sequence=self._hops,
            steady_label=steady_label,
            steady_probabilities=self._smoother.probabilities,
            capture_time=moment,
            health=self.health(),
        )
        return Ready(live, evidence.newest, evidence.oldest)

    def _account(self, moment: int) -> float:
        """Tell the load controller of the hop; give the milliseconds that it took."""
        now = self._clock.now()
        busy = self._busy + now - self._busy_since
        if self._clock.live:
            hops = self._hops - self._decided_hops
            late = now - moment - self._patience
            self._load.hop_done(busy, late, hops * self._options.hop)
        self._busy, self._busy_since, self._decided_hops = 0, now, self._hops
        return milliseconds(busy)

    def _fused(self, evidence: WindowEvidence, window: Window, timer: StageTimer) -> Decision:
        try:
            return decide(self._bundle, self._fusion, window, evidence.encoded, timer, self.speaker)
        except Exception as error:  # no label is better than no stream
            self._tally.error("encoder_errors", "the fusion failed", error)
            failed = f"the fusion failed: {error}"
            absent = {m: Encoded(None, evidence.encoded[m].reason or failed) for m in MODALITIES}
            return decide(self._bundle, self._fusion, window, absent, timer)
