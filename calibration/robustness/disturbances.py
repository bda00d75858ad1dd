"""Bad light, noise, lost pictures and wrong words, made on purpose and the same at every run."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from edge_ser.bundles.schema import VideoFrontendConfig
from edge_ser.calibration.robustness.result import Disturbance
from edge_ser.constants import Modality
from edge_ser.export.data.items import Item
from edge_ser.export.examples.audio_augmentation import noise_at
from edge_ser.export.trials.windows import ClipWindow
from edge_ser.kernels import luminance
from edge_ser.media.clip import Picture, VideoFrame

NOISE_DB: Final = (20.0, 10.0, 0.0)
LIGHT: Final = (0.25, 0.1, 0.03)
DROPPED: Final = (0.25, 0.5, 0.8, 0.95)
WRONG_WORDS: Final = (0.1, 0.2, 0.4)

_READ_NOISE: Final = 2.0
_SHOT_NOISE: Final = 0.3
_DELETED, _INSERTED = 0.2, 0.1


@dataclass(frozen=True)
class Kind:
    """One kind of disturbance.

    Attributes:
        modality: what it disturbs.
        strengths: from the mildest to the worst.
        unit: of a strength.
        how: how it is made, for a report.
        words: what one strength is, in words.
    """

    modality: Modality
    strengths: tuple[float, ...]
    unit: str
    how: str
    words: Callable[[float], str]


KINDS: Final[Mapping[Disturbance, Kind]] = {
    "noise": Kind(
        "audio",
        NOISE_DB,
        "dB",
        "noise between white and brown is added so many dB below the sound's mean power",
        lambda db: f"noise at {db:g} dB",
    ),
    "dim light": Kind(
        "video",
        LIGHT,
        "share of the light",
        "pictures are darkened in linear light to that share, with the noise of a sensor; a "
        "picture darker than the bundle's black level is not looked at",
        lambda share: f"{share:.0%} of the light",
    ),
    "dropped frames": Kind(
        "video",
        DROPPED,
        "share of the pictures",
        "that share of a window's pictures, drawn at random, never arrives",
        lambda share: f"{share:.0%} of the pictures lost",
    ),
    "wrong words": Kind(
        "text",
        WRONG_WORDS,
        "share of the words",
        "that share of the words is misheard: 70 % replaced by another word of the data, 20 % "
        "left out, 10 % followed by a word that was not said",
        lambda share: f"{share:.0%} of the words wrong",
    ),
}


class Disturber:
    """Makes disturbed windows; what it draws depends on the item and the strength alone."""

    def __init__(self, config: VideoFrontendConfig, vocabulary: Sequence[str], seed: int) -> None:
        """Take the words that misheard ones are replaced by."""
        self._config = config
        self._vocabulary = list(vocabulary)
        self._seed = seed

    def window(
        self, disturbance: Disturbance, strength: float
    ) -> Callable[[ClipWindow, Item], ClipWindow]:
        """What makes of a window the disturbed modality, alone."""

        def noise(window: ClipWindow, item: Item) -> ClipWindow:
            if window.samples is None:
                return ClipWindow(absent=window.absent)
            audio = window.samples.astype(np.float64)
            noisy = audio + noise_at(audio, strength, self._generator(item, "noise", strength))
            return ClipWindow(samples=np.clip(noisy, -1.0, 1.0).astype(np.float32))

        def dim(window: ClipWindow, item: Item) -> ClipWindow:
            generator = self._generator(item, "dim light", strength)
            if window.face is not None:
                face = dimmed(window.face, strength, generator)
                if luminance(face) < self._config.black_level:
                    return ClipWindow(absent={"video": "the picture is black"})
                return ClipWindow(face=face)
            frames = tuple(
                VideoFrame(dimmed(f.image, strength, generator), f.time) for f in window.frames
            )
            return ClipWindow(frames=frames, absent=window.absent)

        def misheard(window: ClipWindow, item: Item) -> ClipWindow:
            if window.words is None:
                return ClipWindow(absent=window.absent)
            generator = self._generator(item, "wrong words", strength)
            return ClipWindow(
                words=wrong_words(window.words, strength, self._vocabulary, generator)
            )

        makers: dict[Disturbance, Callable[[ClipWindow, Item], ClipWindow]] = {
            "noise": noise,
            "dim light": dim,
            "wrong words": misheard,
        }
        return makers[disturbance]

    def kept_pictures(self, name: str, count: int, dropped: float) -> list[int]:
        """Which of `count` pictures of an example arrive when a share of them is lost."""
        draws = _generator(self._seed, name, "dropped frames", 0.0).random(count)
        return [i for i in range(count) if draws[i] >= dropped]

    def _generator(self, item: Item, kind: str, strength: float) -> np.random.Generator:
        return _generator(self._seed, item.name, kind, strength)


def dimmed(picture: Picture, share: float, generator: np.random.Generator) -> Picture:
    """A picture with only a share of its light.

    Args:
        picture: uint8 [height, width, 3], sRGB.
        share: of the light, above 0.
        generator: of the sensor's noise: shot noise and 2 grey levels of read noise.
    """
    linear = np.where(
        picture <= 10, picture / 255 / 12.92, ((picture / 255 + 0.055) / 1.055) ** 2.4
    )
    dark = linear * share
    coded = 255 * np.where(
        dark <= 0.0031308, 12.92 * dark, 1.055 * np.maximum(dark, 1e-9) ** (1 / 2.4) - 0.055
    )
    # The same noise in all channels: a grey picture stays grey.
    noise = generator.standard_normal(picture.shape[:2])[..., None]
    deviation = _READ_NOISE + _SHOT_NOISE * np.sqrt(coded)
    return np.asarray(np.clip(np.round(coded + noise * deviation), 0, 255), np.uint8)


def wrong_words(
    words: str, share: float, vocabulary: Sequence[str], generator: np.random.Generator
) -> str:
    """Words of which a share is misheard, as speech to text does it."""
    heard: list[str] = []
    for word in words.split():
        draw, kind = generator.random(), generator.random()
        other = vocabulary[int(generator.integers(len(vocabulary)))] if vocabulary else ""
        if draw >= share:
            heard.append(word)
        elif kind < _DELETED:
            continue
        elif kind < _DELETED + _INSERTED:
            heard += [word, other]
        else:
            heard.append(other)
    return " ".join(heard)


def vocabulary_of(texts: Sequence[str]) -> list[str]:
    """The words of all texts, each once, in a fixed order."""
    return sorted({word for text in texts for word in text.split()})


def _generator(seed: int, name: str, kind: str, strength: float) -> np.random.Generator:
    digest = hashlib.sha256(f"{seed}|{name}|{kind}|{strength:g}".encode()).digest()
    return np.random.default_rng(int.from_bytes(digest[:8], "big"))
