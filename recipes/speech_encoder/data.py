"""The corpora of the speech encoder: who trains, who is left for the fusion, who tests.

RAVDESS: the published first fold. CREMA-D: its own split by actor. Emo-DB, EMOVO and nEMO train
whole, since they test only where they were left out. Read speech: a fifth of the readers, chosen by
a hash of their name, never trains and shows how often an emotion is named where there is none.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal

from edge_ser.constants import EMOTIONS
from edge_ser.export.data.emodb import LETTERS, read_emodb
from edge_ser.export.data.items import Item
from edge_ser.export.data.leakage import require_no_leak
from edge_ser.export.data.manifest import read_manifest
from edge_ser.export.data.ravdess import read_ravdess
from edge_ser.export.data.splits import PARTS, Part, published_ravdess_folds
from edge_ser.export.examples.audio_augmentation import AudioAugmentation

CorpusName = Literal["ravdess", "cremad", "emodb", "emovo", "nemo", "read"]
ACTED: Final[tuple[CorpusName, ...]] = ("ravdess", "cremad", "emodb", "emovo", "nemo")
"""Those that are left out in turn."""
READ: Final[CorpusName] = "read"
_READ_TEST_SHARE: Final = 0.2

_NOTHING: Final = AudioAugmentation(
    gain_db=(0.0, 0.0), noise_share=0.0, speed_share=0.0, room_share=0.0, tilt_share=0.0
)
CONDITIONS: Final[Mapping[str, AudioAugmentation]] = {
    "telephone": _NOTHING.model_copy(update={"telephone_share": 1.0}),
    "below 5.5 kHz": _NOTHING.model_copy(update={"band_share": 1.0, "band_hz": (5500.0, 5500.0)}),
    "noise at 10 dB": _NOTHING.model_copy(
        update={"noise_share": 1.0, "noise_snr_db": (10.0, 10.0)}
    ),
    "voices at 10 dB": _NOTHING.model_copy(
        update={"noise_share": 1.0, "noise_snr_db": (10.0, 10.0), "voices_share": 1.0}
    ),
    "room of 0.4 s": _NOTHING.model_copy(
        update={"room_share": 1.0, "reverberation_seconds": (0.4, 0.4)}
    ),
    "Opus, 8 kbit a second": _NOTHING.model_copy(
        update={"opus_share": 1.0, "opus_bits_per_second": (8000.0, 8000.0)}
    ),
    "5 % clipped": _NOTHING.model_copy(
        update={"clipping_share": 1.0, "clipped_samples": (0.05, 0.05)}
    ),
    "10 % of packets lost": _NOTHING.model_copy(
        update={"loss_share": 1.0, "lost_packets": (0.1, 0.1)}
    ),
    "30 dB quieter": _NOTHING.model_copy(update={"gain_db": (-30.0, -30.0)}),
}
"""One disturbance each, under which RAVDESS's test actors are heard."""


@dataclass(frozen=True)
class SpeechCorpus:
    """A corpus in parts; validation and test may be empty.

    Attributes:
        parts: recordings of different people.
        weight: how often it trains, beside the square root of its size.
        open_labels: see `Corpus` of the training.
        judged: parts on which a model is judged that never saw the corpus; empty for all.
    """

    parts: Mapping[Part, tuple[Item, ...]]
    weight: float = 1.0
    open_labels: bool = False
    judged: tuple[Part, ...] = ()

    def parts_when_left_out(self) -> tuple[Part, ...]:
        """Parts that test a model which never saw the corpus: a test part, or all there is."""
        return self.judged or tuple(part for part in PARTS if self.parts[part])


def speech_corpora(data: Path, read_weight: float) -> dict[CorpusName, SpeechCorpus]:
    """Read the six corpora of a data folder.

    Args:
        data: holds ``ravdess_speech``, ``cremad``, ``emodb/original``, ``emovo``, ``nemo`` and
            ``libri_neutral``.
        read_weight: of read speech, which has one label and teaches only what no emotion is.

    Raises:
        ConfigError: if one is missing.
    """
    ravdess = read_ravdess(data / "ravdess_speech", calm_is_neutral=True)
    fold = published_ravdess_folds(ravdess.items)[0]
    require_no_leak(ravdess.items, fold)
    letters = tuple(label for label in LETTERS.values() if label in EMOTIONS)
    cremad = read_manifest(data / "cremad" / "manifest.csv")
    read = read_manifest(data / "libri_neutral" / "manifest.csv").items
    return {
        "ravdess": SpeechCorpus(
            {part: tuple(ravdess.items[i] for i in fold.part(part)) for part in PARTS}
        ),
        "cremad": SpeechCorpus({part: cremad.part(part) for part in PARTS}, judged=("test",)),
        "emodb": _whole(read_emodb(data / "emodb" / "original", labels=letters).items),
        "emovo": _whole(read_manifest(data / "emovo" / "manifest.csv").items),
        "nemo": _whole(read_manifest(data / "nemo" / "manifest.csv").items),
        "read": SpeechCorpus(
            {
                "train": tuple(item for item in read if not _tests(item)),
                "validation": (),
                "test": tuple(item for item in read if _tests(item)),
            },
            read_weight,
            open_labels=True,
        ),
    }


def people_of(corpora: Mapping[CorpusName, SpeechCorpus]) -> dict[str, list[str]]:
    """Who trains, chooses and tests, as a bundle's splits say it.

    Names are those of the corpora; only where two use the same, as Emo-DB's numbers are RAVDESS's
    too, the corpus stands before them.
    """
    plain: tuple[CorpusName, ...] = ("ravdess", "cremad")
    return {
        f"{_TITLES[corpus]}, {part}": sorted(
            {
                (item.speaker or "") if corpus in plain else f"{_TITLES[corpus]} {item.speaker}"
                for item in items
            }
        )
        for corpus, of in corpora.items()
        for part, items in of.parts.items()
        if items
    }


_TITLES: Final[Mapping[CorpusName, str]] = {
    "ravdess": "RAVDESS actors",
    "cremad": "CREMA-D actors",
    "emodb": "Emo-DB speakers",
    "emovo": "EMOVO actors",
    "nemo": "nEMO actors",
    "read": "LibriSpeech readers",
}


def _whole(items: tuple[Item, ...]) -> SpeechCorpus:
    return SpeechCorpus({"train": items, "validation": (), "test": ()})


def _tests(item: Item) -> bool:
    digest = hashlib.sha256((item.speaker or item.name).encode()).digest()
    return digest[0] / 256 < _READ_TEST_SHARE
