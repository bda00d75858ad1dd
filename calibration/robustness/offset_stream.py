"""Three utterances one after the other, streamed with an offset between sound and picture.

The stream is the runtime's own `Conversation`: its sound features, its aligner, its windows. Only
the clock is simulated, so that pictures and sound arrive exactly as late as they are told to.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from edge_ser.bundles.loading import Bundle
from edge_ser.bundles.schema import BundleManifest, subset_name
from edge_ser.clock import milliseconds
from edge_ser.constants import SAMPLE_RATE, Modality
from edge_ser.export.trials.logits import fuse_tokens
from edge_ser.frontends.audio import AudioFrontend
from edge_ser.frontends.audio_stream import AudioFeatureStream
from edge_ser.frontends.face_tracks import FaceTracker, Sighting
from edge_ser.media.clip import Picture, Samples, VideoFrame
from edge_ser.pipeline.encoders import Encoded, EncodedFaces
from edge_ser.pipeline.fusion import Fused, calibrated
from edge_ser.pipeline.timing import StageTimer
from edge_ser.runtime.session import FloatTensor, Session
from edge_ser.streaming.audio import AudioRowStream
from edge_ser.streaming.conversation import Conversation
from edge_ser.streaming.inbox import Arrivals, Chunk, PictureArrival
from edge_ser.streaming.options import StreamOptions
from edge_ser.streaming.tally import Tally

CHUNK: Final = SAMPLE_RATE // 10
UTTERANCES: Final = 3

_ALONE: Final = Sighting(track=0, in_view=1, place=0.5)

Rows = npt.NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class Utterance:
    """Sound of one length, and the face tokens that were seen in it."""

    samples: Samples
    """float32 [n], 16 kHz."""
    times: tuple[int, ...]
    """When each picture was captured, in samples from the utterance's start."""
    tokens: Rows
    """float32 [pictures, width]."""
    label: int
    person: str


@dataclass(frozen=True)
class Heard:
    """What the stream answered for the utterance in the middle.

    Attributes:
        probabilities: float64 [labels], calibrated for what was there.
        pictures: in the window.
        foreign: of these, pictures of the utterance before or after.
    """

    probabilities: npt.NDArray[np.float64]
    pictures: int
    foreign: int


class _ArrivalClock:
    """A live clock that stands where the latest arrival put it."""

    live: Final = True

    def __init__(self) -> None:
        self.time = 0

    def now(self) -> int:
        return self.time

    def seconds_until(self, moment: int) -> float | None:
        return max(moment - self.time, 0) / SAMPLE_RATE

    def plausible(self, capture_time: int) -> bool:
        del capture_time
        return True

    def saw(self, capture_time: int) -> None:
        """It moves with the arrivals alone."""


class AudioMemory:
    """Feature rows and sound tokens that were computed before: sound is the same at every offset.

    What is kept is found by everything that was fed, so nothing is mistaken for something else.
    """

    def __init__(self, frontend: AudioFrontend, acoustic: Session) -> None:
        self._frontend = frontend
        self._acoustic = acoustic
        self._rows: dict[str, Rows] = {}
        self._tokens: dict[str, Rows] = {}

    def features(self) -> AudioRowStream:
        """A new stream of feature rows."""
        return _RememberedFeatures(self._frontend, self._rows)

    def tokens(self, rows: Rows) -> Rows:
        """Sound tokens [tokens, width] of a window's rows."""
        name = hashlib.sha256(rows.tobytes()).hexdigest()
        if name not in self._tokens:
            tensors = self._frontend.normalised(rows).tensors()
            self._tokens[name] = self._acoustic.run(tensors)["audio_tokens"][0]
        return self._tokens[name]


class _RememberedFeatures:
    """As `AudioFeatureStream`, but rows that were computed before are not computed again."""

    def __init__(self, frontend: AudioFrontend, rows: dict[str, Rows]) -> None:
        self._frontend = frontend
        self._remembered = rows
        self._stream = AudioFeatureStream(frontend)
        self.width = self._stream.width
        self._fed: list[Samples] = []
        self._given = 0
        self._history = ""
        self.emitted = 0

    def accept(self, samples: Samples) -> Rows:
        self._history = _name(self._history, samples.tobytes())
        self._fed.append(samples)
        rows = self._remembered.get(self._history)
        if rows is None:
            rows = self._catch_up()
            self._remembered[self._history] = rows
        self.emitted += len(rows)
        return rows

    def preview(self, end: int) -> Rows:
        name = _name(self._history, f"preview {end}".encode())
        if name not in self._remembered:
            self._catch_up()
            self._remembered[name] = self._stream.preview(end)
        return self._remembered[name]

    def finish(self) -> Rows:
        self._catch_up()
        rows = self._stream.finish()
        self.reset()
        return rows

    def reset(self) -> None:
        self._stream.reset()
        self._fed, self._given, self._history, self.emitted = [], 0, "", 0

    def _catch_up(self) -> Rows:
        """Feed the true stream all that it has not been fed; give the rows of the last piece."""
        rows = np.empty((0, self.width), np.float32)
        for samples in self._fed[self._given :]:
            rows = self._stream.accept(samples)
        self._given = len(self._fed)
        return rows


class _StreamEncoders:
    """Looks pictures up by their number; decides with the true fusion; notes what it was given."""

    def __init__(
        self,
        memory: AudioMemory,
        fusion: Session,
        manifest: BundleManifest,
        tokens: Rows,
        wanted: tuple[int, int],
    ) -> None:
        self._memory = memory
        self._session = fusion
        self._manifest = manifest
        self._tokens = tokens
        self._wanted = wanted
        self.fusion = self
        self.answer: Heard | None = None
        self.moment = 0

    def audio_features(self) -> AudioRowStream:
        return self._memory.features()

    def acoustic(self, rows: FloatTensor, timer: StageTimer) -> Encoded:
        del timer
        return Encoded(self._memory.tokens(np.ascontiguousarray(rows, np.float32)))

    def audio(self, samples: FloatTensor, timer: StageTimer) -> Encoded:
        del samples, timer
        return Encoded(None, "sound is encoded from its rows")

    def text(self, words: str, timer: StageTimer) -> Encoded:
        del words, timer
        return Encoded(None, "words are left out")

    def faces(
        self, frames: Sequence[VideoFrame], timer: StageTimer, tracker: FaceTracker
    ) -> EncodedFaces:
        del timer, tracker
        (frame,) = frames
        number = _number(frame.image)
        # The number is carried along as a column more, to tell later whose picture it was.
        token = np.append(self._tokens[number], np.float32(number))[None]
        return EncodedFaces(token, (frame.time,), (_ALONE,), 1, None, ())

    def fuse(self, tokens: Mapping[Modality, FloatTensor]) -> Fused:
        parts: dict[Modality, Rows] = dict(tokens)
        numbers = np.empty(0, np.float32)
        if "video" in parts:
            numbers = np.asarray(parts["video"][:, -1], np.float32)
            parts["video"] = np.ascontiguousarray(parts["video"][:, :-1])
        logits = fuse_tokens(parts, self._manifest, self._session)
        calibration = self._manifest.calibration[subset_name(set(parts))]
        probabilities = calibrated(logits, calibration)
        first, stop = self._wanted
        foreign = int(((numbers < first) | (numbers >= stop)).sum())
        self.answer = Heard(probabilities, len(numbers), foreign)
        return Fused(probabilities, dict.fromkeys(parts, 0.0), 0.0)


def stream_moment(
    bundle: Bundle,
    memory: AudioMemory,
    fusion: Session,
    utterances: Sequence[Utterance],
    offset: int,
    *,
    aligned: bool,
    speech_gate: bool = True,
) -> Heard:
    """Stream three utterances and give the decision on exactly the middle one.

    Args:
        bundle: gives front-end parameters and labels.
        memory: sound that was computed before.
        fusion: the bundle's.
        utterances: three of equal length.
        offset: samples by which pictures arrive later than the sound that belongs to them; below 0
            the sound is the later one.
        aligned: whether sound and pictures carry the times of their capture, or of their arrival.
        speech_gate: whether sound in which nobody speaks counts as absent.
    """
    length = len(utterances[1].samples)
    audio_late, picture_late = max(-offset, 0), max(offset, 0)
    counts = np.cumsum([0, *(len(u.tokens) for u in utterances)])
    encoders = _StreamEncoders(
        memory,
        fusion,
        bundle.manifest,
        np.concatenate([u.tokens for u in utterances]),
        (int(counts[1]), int(counts[2])),
    )
    clock, tally = _ArrivalClock(), Tally()
    options = StreamOptions.checked(
        length / SAMPLE_RATE,
        length / SAMPLE_RATE,
        "off",
        UTTERANCES * length,
        speech_gate=speech_gate,
    )
    origin = 0 if aligned else audio_late
    conversation = Conversation(bundle, encoders, options, clock, tally, origin)
    for arrives, arrival in _arrivals(utterances, length, audio_late, picture_late, aligned):
        clock.time = arrives
        for ready in conversation.take(arrival):
            if ready.decision.window.end == 2 * length and encoders.answer is not None:
                return encoders.answer
    raise AssertionError(f"the stream ended before the decision at {milliseconds(2 * length)} ms")


def _arrivals(
    utterances: Sequence[Utterance],
    length: int,
    audio_late: int,
    picture_late: int,
    aligned: bool,
) -> list[tuple[int, Arrivals]]:
    """Everything that arrives, in its order; the camera is opened when the first sound is there."""
    found: list[tuple[int, int, Arrivals]] = []
    audio = np.concatenate([u.samples for u in utterances])
    for begin in range(0, len(audio), CHUNK):
        samples = audio[begin : begin + CHUNK]
        stamp = begin if aligned else begin + audio_late
        chunk = Chunk(samples, stamp, SAMPLE_RATE)
        found.append((begin + len(samples) + audio_late, 1, Arrivals((chunk,), None, ())))
    number = 0
    for place, utterance in enumerate(utterances):
        for time in utterance.times:
            captured = place * length + time
            arrives = captured + picture_late
            if arrives >= audio_late:
                picture = PictureArrival(_numbered(number), captured if aligned else arrives)
                found.append((arrives, 0, Arrivals((), picture, ())))
            number += 1
    return [(arrives, arrival) for arrives, _, arrival in sorted(found, key=lambda f: f[:2])]


def _numbered(number: int) -> Picture:
    """A picture that says which one it is; no two are equal."""
    pixel = np.array([number & 255, number >> 8 & 255, 255], np.uint8)
    return np.asarray(np.tile(pixel, (4, 4, 1)), np.uint8)


def _number(image: Picture) -> int:
    return int(image[0, 0, 0]) + (int(image[0, 0, 1]) << 8)


def _name(history: str, more: bytes) -> str:
    return hashlib.sha256(history.encode() + more).hexdigest()
