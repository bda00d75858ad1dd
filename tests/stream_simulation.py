"""A conversation on a clock that the test sets, with encoders that are cheap and can be read.

The fake encoders answer what they were given: a window's sound token holds the mean of its rows, a
face token the brightness of its picture, a text token the number of its words.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from types import SimpleNamespace
from typing import Any

import numpy as np

from edge_ser.bundle_schema import FrontendConfig, TextFrontendConfig, VideoFrontendConfig
from edge_ser.capture.clip import Samples, VideoFrame
from edge_ser.constants import SAMPLE_RATE, Modality
from edge_ser.encoders import Encoded, EncodedFaces
from edge_ser.errors import EngineError
from edge_ser.frontends.audio import default_audio_config
from edge_ser.fusion import Fused
from edge_ser.result import BundleReference, LiveDecision
from edge_ser.runtime.session import FloatTensor
from edge_ser.streaming.conversation import Conversation, origin_of
from edge_ser.streaming.inbox import Arrivals, Chunk, PictureArrival, WordsArrival
from edge_ser.streaming.options import StreamOptions
from edge_ser.streaming.outbox import Ready
from edge_ser.streaming.tally import Tally
from edge_ser.timing import StageTimer

LABELS = ("neutral", "happy", "sad")
SECOND = SAMPLE_RATE
HOP = 160


def fake_bundle(pictures_per_second: float = 5.0) -> Any:
    """Labels, a name, and the default front-end's parameters."""
    frontend = FrontendConfig(
        audio=default_audio_config(),
        text=TextFrontendConfig(),
        video=VideoFrontendConfig(frames_per_second=pictures_per_second),
    )
    manifest = SimpleNamespace(labels=LABELS, frontend=frontend)
    return SimpleNamespace(manifest=manifest, reference=BundleReference("fake", "0.0.1", "0" * 64))


class TestClock:
    """A live clock that stands still until the test moves it."""

    __test__ = False
    live = True

    def __init__(self, start: int = 0) -> None:
        self.time = start

    def now(self) -> int:
        return self.time

    def seconds_until(self, moment: int) -> float | None:
        return 0.0 if moment <= self.time else None

    def plausible(self, capture_time: int) -> bool:
        return -SECOND // 10 <= self.time - capture_time <= 30 * SECOND

    def saw(self, capture_time: int) -> None:
        """A live clock goes its own way."""


class FakeFeatures:
    """One row of two columns for every 160 samples, at once: the samples' mean and their first."""

    width = 2

    def __init__(self) -> None:
        self.emitted = 0
        self._rest = np.empty(0, np.float32)

    def accept(self, samples: Samples) -> FloatTensor:
        joined = np.concatenate((self._rest, samples)) if len(self._rest) else samples
        count = len(joined) // HOP
        whole = joined[: count * HOP].reshape(count, HOP)
        self._rest = joined[count * HOP :].copy()
        self.emitted += count
        return np.stack((whole.mean(axis=1), whole[:, 0]), axis=1) if count else np.empty((0, 2))

    def finish(self) -> FloatTensor:
        self.reset()
        return np.empty((0, 2), np.float32)

    def preview(self, end: int) -> FloatTensor:
        del end
        return np.empty((0, 2), np.float32)

    def reset(self) -> None:
        self.emitted = 0
        self._rest = np.empty(0, np.float32)


class FakeFusion:
    """Likeliest is the label whose number is the tokens' mean, rounded."""

    def __init__(self, encoders: FakeEncoders) -> None:
        self._encoders = encoders

    def fuse(self, tokens: Mapping[Modality, FloatTensor]) -> Fused:
        self._encoders.work("fusion")
        value = float(np.mean([t.mean() for t in tokens.values()]))
        probabilities = np.full(len(LABELS), 0.1)
        probabilities[round(value) % len(LABELS)] = 0.8
        return Fused(probabilities, dict.fromkeys(tokens, 1.0), 0.0)


class FakeEncoders:
    """Counts its work; encoders in `fail` raise; a call takes `cost` samples of time."""

    def __init__(self, clock: TestClock | None = None) -> None:
        self.fusion = FakeFusion(self)
        self.clock = clock
        self.calls = dict.fromkeys(("acoustic", "text", "face", "fusion"), 0)
        self.fail: set[str] = set()
        self.cost: dict[str, int] = {}
        self.before: Callable[[str], object] = lambda _: None
        self.windows: list[FloatTensor] = []
        self.texts: list[str] = []

    def work(self, name: str) -> None:
        self.calls[name] += 1
        self.before(name)
        if self.clock is not None:
            self.clock.time += self.cost.get(name, 0)
        if name in self.fail:
            raise EngineError(f"the {name} graph broke")

    def sound_features(self) -> FakeFeatures:
        return FakeFeatures()

    def acoustic(self, rows: FloatTensor, timer: StageTimer) -> Encoded:
        with timer.stage("acoustic"):
            self.work("acoustic")
            self.windows = [*self.windows[-3:], rows]
            return Encoded(rows.mean(axis=0)[None, :1])

    def audio(self, samples: Samples, timer: StageTimer) -> Encoded:
        with timer.stage("acoustic"):
            self.work("acoustic")
            blocks = samples[: len(samples) // 400 * 400].reshape(-1, 400)
            return Encoded(blocks.std(axis=1)[:, None])

    def text(self, words: str, timer: StageTimer) -> Encoded:
        with timer.stage("text"):
            self.work("text")
            self.texts = [*self.texts[-20:], words]
            if not words:
                return Encoded(None, "no words in this window")
            return Encoded(np.full((1, 1), len(words.split()), np.float32))

    def faces(self, frames: Sequence[VideoFrame], timer: StageTimer) -> EncodedFaces:
        with timer.stage("face"):
            self.work("face")
            (frame,) = frames
            level = float(frame.image.mean())
            nothing = np.empty((0, 1), np.float32)
            if level < 8:
                return EncodedFaces(nothing, (), 1, "the picture is black", ())
            if level > 250:
                return EncodedFaces(nothing, (), 1, "no face was found", ())
            notes = ("2 faces; the largest is taken",) if level > 200 else ()
            token = np.full((1, 1), level / 100, np.float32)
            return EncodedFaces(token, (frame.time,), 1, None, notes)


class Simulation:
    """Feeds a conversation chunk by chunk; time passes as the test says."""

    def __init__(
        self,
        *,
        start: int = 0,
        window: float = 3.0,
        hop: float = 0.5,
        smoothing: str = "off",
        seed: int = 7,
    ) -> None:
        self.clock = TestClock(start)
        self.encoders = FakeEncoders(self.clock)
        self.tally = Tally()
        self.options = StreamOptions.checked(window, hop, smoothing, 10 * SECOND)
        self.decisions: list[LiveDecision] = []
        self.ready: list[Ready] = []
        self.conversation: Conversation | None = None
        self.random = np.random.default_rng(seed)
        self._noise = (0.1 * self.random.standard_normal(60 * SECOND)).astype(np.float32)
        self.bundle = fake_bundle()

    def sound(self, samples: int) -> Samples:
        """Noise that does not repeat from one call to the next."""
        at = int(self.random.integers(0, len(self._noise) - samples))
        return self._noise[at : at + samples]

    def picture(self, brightness: int = 100) -> np.ndarray:
        """A picture with the noise of a sensor."""
        noise = self.random.integers(0, 2, (8, 8, 3))
        return np.clip(brightness + noise, 0, 255).astype(np.uint8)

    def give(
        self,
        *chunks: Chunk,
        picture: PictureArrival | None = None,
        words: tuple[WordsArrival, ...] = (),
        draining: bool = False,
    ) -> list[LiveDecision]:
        """Hand arrivals over; give the decisions that became due."""
        arrivals = Arrivals(chunks, picture, words)
        if self.conversation is None:
            origin = origin_of(arrivals)
            if origin is None:
                return []
            self.conversation = Conversation(
                self.bundle, self.encoders, self.options, self.clock, self.tally, origin
            )
        ready = list(self.conversation.take(arrivals, draining=draining))
        self.ready += ready
        self.decisions += [r.decision for r in ready]
        return [r.decision for r in ready]

    def run(
        self,
        seconds: float,
        *,
        chunk: int = 1600,
        sound: Callable[[int], Samples | None] | None = None,
        brightness: int | None = 100,
        stamp: Callable[[int], int] = lambda t: t,
        picture_stamp: Callable[[int], int] = lambda t: t,
        picture: Callable[[], np.ndarray] | None = None,
        microphone: bool = True,
    ) -> list[LiveDecision]:
        """Let live time pass: chunks arrive when they are full, pictures ten times a second.

        Args:
            seconds: how long.
            chunk: samples of a chunk.
            sound: makes a chunk; None for one that is lost on its way.
            brightness: of the pictures; None for no camera.
            stamp: what the sound card makes of a capture time.
            picture_stamp: what the camera makes of one.
            picture: makes pictures, instead of `brightness`.
            microphone: whether there is one.
        """
        before = len(self.decisions)
        begin = next_picture = self.clock.time
        end = begin + round(seconds * SECOND)
        while begin + chunk <= end:
            # Devices go on while the stream is at work: what they gave meanwhile comes at once.
            self.clock.time = max(self.clock.time, begin + chunk)
            chunks, arrived = [], None
            while begin + chunk <= min(self.clock.time, end):
                if brightness is not None and begin >= next_picture:
                    image = self.picture(brightness) if picture is None else picture()
                    arrived = PictureArrival(image, picture_stamp(begin))
                    next_picture += SECOND // 10
                samples = (self.sound if sound is None else sound)(chunk) if microphone else None
                if samples is not None:
                    chunks.append(Chunk(samples, stamp(begin), SECOND))
                begin += chunk
            self.give(*chunks, picture=arrived)
        return self.decisions[before:]


class SinkLog:
    """A sink that notes what kind of thing it was given."""

    def __init__(self) -> None:
        self.got: list[str] = []

    def push_audio(self, *_: Any, **__: Any) -> bool:
        self.got.append("sound")
        return True

    def push_video(self, *_: Any, **__: Any) -> bool:
        self.got.append("picture")
        return True

    def push_text(self, *_: Any, **__: Any) -> bool:
        self.got.append("words")
        return True
