"""What a conversation has heard, seen and been told lately, encoded for a decision's window."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Protocol

from edge_ser.bundles.schema import FrontendConfig
from edge_ser.constants import Modality
from edge_ser.pipeline.decide import Fuses
from edge_ser.pipeline.encoders import Encoded
from edge_ser.pipeline.timing import StageTimer
from edge_ser.runtime.session import FloatTensor
from edge_ser.speech.speech_gate import NOBODY_SPEAKS, SpeechGate
from edge_ser.streaming.audio import AudioRowStream, HeardAudio
from edge_ser.streaming.enrolment import EncodesAudio
from edge_ser.streaming.faces import EncodesFaces, SeenFaces
from edge_ser.streaming.inbox import PictureArrival, WordsArrival
from edge_ser.streaming.intake import Piece
from edge_ser.streaming.load import LoadLevel
from edge_ser.streaming.spoken import EncodesText, SpokenWords
from edge_ser.streaming.tally import Tally


class StreamEncoders(EncodesFaces, EncodesAudio, EncodesText, Protocol):
    """What a conversation needs of `edge_ser.pipeline.encoders.Encoders`."""

    @property
    def fusion(self) -> Fuses:
        """The fusion."""

    def audio_features(self) -> AudioRowStream:
        """A new stream of sound features."""

    def acoustic(self, rows: FloatTensor, timer: StageTimer) -> Encoded:
        """Encode a window's feature rows."""


@dataclass(frozen=True)
class WindowEvidence:
    """What is known of one window."""

    encoded: dict[Modality, Encoded]
    oldest: int | None
    newest: int | None
    """Capture times of the first and the last sample or picture that it rests on."""


class RecentPast:
    """Thread contract: belongs to one thread. Times are capture times in 16 kHz samples."""

    def __init__(
        self,
        encoders: StreamEncoders,
        config: FrontendConfig,
        origin: int,
        longest: int,
        tally: Tally,
        gate: SpeechGate | None = None,
    ) -> None:
        """Begin with nothing known.

        Args:
            encoders: front-ends and graphs.
            config: the front-ends' parameters.
            origin: the conversation's first capture time.
            longest: samples of the past that are kept.
            tally: counts what goes wrong.
            gate: tells whether anybody speaks; None takes all sound for speech.
        """
        self._gate = gate
        self._encoders = encoders
        self._config = config
        self._origin = origin
        self._longest = longest
        self._tally = tally
        self._heard: HeardAudio | None = None
        self._faces = SeenFaces(encoders, config.video.frames_per_second, longest, tally)
        self._words = SpokenWords(encoders, tally)

    @property
    def newest_picture(self) -> int | None:
        """When the newest picture was captured; None before the first."""
        newest = self._faces.newest
        return None if newest is None else self._origin + newest

    @property
    def audio_end(self) -> int | None:
        """Where the sound heard so far ends; None before the first."""
        return None if self._heard is None else self._heard.end

    @property
    def drift(self) -> tuple[float, float] | None:
        """See `HeardAudio.drift_ppm`."""
        return None if self._heard is None else self._heard.drift_ppm

    def hear(self, piece: Piece) -> int:
        """Take a piece of sound; give where the sound ends now."""
        if self._heard is None:
            self._heard = HeardAudio(
                self._encoders.audio_features(),
                self._config.audio,
                piece.capture_time - self._origin,
                piece.capture_time,
                self._longest,
                self._tally,
            )
        self._heard.hear(piece)
        if self._gate is not None:
            if piece.skipped:
                self._gate.reset()
            self._gate.accept(piece.samples, self._heard.end)
        return self._heard.end

    def see(self, picture: PictureArrival, level: LoadLevel, timer: StageTimer) -> None:
        """Take a picture; it is looked at if it is sampled."""
        time = picture.capture_time - self._origin
        self._faces.look(picture.image, time, level.face_divisor, timer)

    def be_told(self, words: WordsArrival, too_old: int) -> None:
        """Take words; those before `too_old` are of no use any more."""
        self._words.add(words, too_old)

    def prepare(self, start: int, stop: int, level: LoadLevel, timer: StageTimer) -> None:
        """Encode what is known already of the words of [start, stop): less is left to do then."""
        if level.text and self._words.known:
            # Should it fail, `evidence` tries again and tells.
            with suppress(Exception):
                self._words.encode(start, stop, timer)

    def evidence(
        self, start: int, stop: int, level: LoadLevel, timer: StageTimer
    ) -> WindowEvidence:
        """Encode what is known of [start, stop); words before `start` are forgotten."""
        audio, heard = self._audio(start, stop, timer)
        faces, oldest, newest = self._faces.encoded(start - self._origin, stop - self._origin)
        times = [self._origin + t for t in (oldest, newest) if t is not None] + list(heard)
        text = self._text(start, stop, level, timer)
        self._words.forget(start)
        return WindowEvidence(
            {"audio": audio, "text": text, "video": faces},
            min(times, default=None),
            max(times, default=None),
        )

    def _audio(self, start: int, stop: int, timer: StageTimer) -> tuple[Encoded, tuple[int, ...]]:
        if self._heard is None:
            return Encoded(None, "no sound was given"), ()
        try:
            with timer.stage("audio_features"):
                window = self._heard.window(start, stop)
            if window.rows is None:
                return Encoded(None, window.reason), ()
            if self._gate is not None and not self._gate.speaks(start, stop):
                return Encoded(None, NOBODY_SPEAKS), ()
            encoded = self._encoders.acoustic(window.rows, timer)
        except Exception as error:  # the other modalities still have something to say
            return self._failed("acoustic", error), ()
        noted = replace(encoded, notes=(*window.notes, *encoded.notes))
        return noted, (window.oldest, window.newest) if encoded.tokens is not None else ()

    def _text(self, start: int, stop: int, level: LoadLevel, timer: StageTimer) -> Encoded:
        if not level.text:
            return Encoded(None, "left out: this machine is too slow at present")
        try:
            return self._words.encode(start, stop, timer)
        except Exception as error:  # as above
            return self._failed("text", error)

    def _failed(self, encoder: str, error: Exception) -> Encoded:
        self._tally.error("encoder_errors", f"the {encoder} encoder failed", error)
        return Encoded(None, f"the {encoder} encoder failed: {error}")
