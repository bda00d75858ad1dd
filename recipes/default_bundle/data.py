"""The data of the default bundle: who trains, who selects and calibrates, who tests.

Sound: of RAVDESS and CREMA-D the people whom the speech encoder did not train on: its validation
people, halved, train and calibrate the fusion, its test people test. Faces: FER2013; PublicTest
tests, a tenth of the training part, chosen by content hash, calibrates; equal pictures never lie on
two sides. Words: GoEmotions; dev tests; of the training part only the texts that the fine-tuned
encoder never trained on are used, because its answers on texts that it has learnt by heart would
teach the fusion too much trust.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
from rich.console import Console

from edge_ser.constants import EMOTIONS, Modality
from edge_ser.errors import ConfigError
from edge_ser.export.data.items import DataSet, Item, content_hash
from edge_ser.export.data.leakage import require_no_leak
from edge_ser.export.data.manifest import read_manifest
from edge_ser.export.data.pictures import read_pictures, without_duplicates
from edge_ser.export.data.ravdess import read_ravdess
from edge_ser.export.data.splits import PARTS, Part, published_ravdess_folds
from edge_ser.export.data.text_tables import read_goemotions
from edge_ser.export.examples.audio_augmentation import AudioAugmentation
from edge_ser.export.examples.label_paired import Bank
from edge_ser.export.examples.picture_augmentation import PictureAugmentation
from edge_ser.export.training.tokens.torch_encoders import (
    AudioTokens,
    FaceTokens,
    TextTokens,
    gather,
)
from recipes.text_encoder.data import drop_texts, labelled_texts, split_held_out
from recipes.text_encoder.finetuning import TextFinetuning

FACE_VALIDATION_SHARE: Final = 0.1
TEXT_VALIDATION_SHARE: Final = 0.35
WORLD: Final = AudioAugmentation.of_the_world()
WINDOW: Final = WORLD.model_copy(update={"window_seconds": (1.5, 3.0)})


@dataclass(frozen=True)
class Amounts:
    """How much is encoded: the defaults are the shipped bundle's, less is quicker."""

    audio_copies: int = 4
    face_copies: int = 3
    faces_per_label: int = 100_000
    texts: int = 100_000


@dataclass(frozen=True)
class PartItems:
    """Items of one modality, a part of the split each, and what could not be read."""

    parts: Mapping[Part, tuple[Item, ...]]
    report: str


def audio_items(data: Path) -> PartItems:
    """Clips of people whom the speech encoder never heard, with the seven labels.

    Of the validation people of each corpus every second one trains, the others calibrate.
    """
    ravdess = read_ravdess(data / "ravdess_speech", calm_is_neutral=True)
    first = published_ravdess_folds(ravdess.items)[0]
    require_no_leak(ravdess.items, first)
    cremad = read_manifest(data / "cremad" / "manifest.csv")
    heard: dict[Part, list[Item]] = {part: [] for part in PARTS}
    for validation, test in (
        (
            [ravdess.items[i] for i in first.part("validation")],
            [ravdess.items[i] for i in first.part("test")],
        ),
        (list(cremad.part("validation")), list(cremad.part("test"))),
    ):
        people = sorted({str(item.speaker) for item in validation})
        training = set(people[::2])
        heard["train"] += [item for item in validation if item.speaker in training]
        heard["validation"] += [item for item in validation if item.speaker not in training]
        heard["test"] += test
    report = "\n".join((ravdess.report(), _short(cremad)))
    return PartItems({part: tuple(items) for part, items in heard.items()}, report)


def face_items(data: Path, amounts: Amounts) -> PartItems:
    """FER2013 faces: hash-distinct parts; pictures that PublicTest also holds do not train."""
    training = without_duplicates(read_pictures(data / "fer2013_train.zip", name="FER2013 train"))
    test = without_duplicates(read_pictures(data / "fer2013_publictest.zip", name="PublicTest"))
    tested = {content_hash(item) for item in test.items}
    parts: dict[Part, list[Item]] = {"train": [], "validation": [], "test": list(test.items)}
    for item in training.items:
        digest = content_hash(item)
        if digest in tested:
            continue
        held = int(digest[:8], 16) / 2**32 < FACE_VALIDATION_SHARE
        parts["validation" if held else "train"].append(item)
    parts["train"] = _at_most(parts["train"], amounts.faces_per_label)
    report = "\n".join(_short(x) for x in (training, test))
    return PartItems({part: tuple(items) for part, items in parts.items()}, report)


def text_items(data: Path, amounts: Amounts) -> PartItems:
    """GoEmotions texts with one label, of those that the text encoder's fine-tuning held out."""
    folder = data / "goemotions_ekman"
    training = read_goemotions(folder / "train.tsv", folder / "labels.txt")
    test = read_goemotions(folder / "dev.tsv", folder / "labels.txt")
    config = TextFinetuning()
    # The very split of the fine-tuning: without the test part's texts, or it would be another one.
    trained = drop_texts(labelled_texts(training.items), labelled_texts(test.items))
    held = split_held_out(trained, config.held_out_share, config.seed)[1]
    held_texts = {text.strip().casefold() for text in held.texts}
    test_texts = {(item.text or "").strip().casefold() for item in test.items}
    usable = [
        item
        for item in training.items
        if len(item.labels) == 1 and (item.text or "").strip().casefold() in held_texts - test_texts
    ]
    cut = round(len(usable) * TEXT_VALIDATION_SHARE)
    order = np.random.default_rng(config.seed).permutation(len(usable))
    return PartItems(
        {
            "validation": tuple(usable[i] for i in sorted(order[:cut])),
            "train": tuple(usable[i] for i in sorted(order[cut:]))[: amounts.texts],
            "test": tuple(i for i in test.items if len(i.labels) == 1)[: amounts.texts],
        },
        "\n".join(_short(x) for x in (training, test)),
    )


@dataclass(frozen=True)
class Banks:
    """Tokens of the three modalities for each part, and the names of the test items."""

    parts: Mapping[Part, Mapping[Modality, Bank]]
    items: Mapping[Modality, PartItems]
    problems: tuple[str, ...]


def encode_all(
    data: Path,
    audio: AudioTokens,
    text: TextTokens,
    face: FaceTokens,
    amounts: Amounts,
    console: Console | None,
) -> Banks:
    """Encode all parts of all modalities, from the cache where they are there.

    Validation and test sound come whole and as one random window of 1.5 to 3 s each, because the
    runtime looks at windows.
    """
    items: dict[Modality, PartItems] = {
        "audio": audio_items(data),
        "text": text_items(data, amounts),
        "video": face_items(data, amounts),
    }
    problems: list[str] = []
    parts: dict[Part, dict[Modality, Bank]] = {part: {} for part in PARTS}
    for part in PARTS:
        heard = [audio.variants(items["audio"].parts[part], console=console)]
        copies = amounts.audio_copies if part == "train" else 1
        heard += [
            audio.variants(
                items["audio"].parts[part],
                WINDOW if number % 4 < 3 else WORLD,
                number=number + 1,
                console=console,
            )
            for number in range(copies)
        ]
        seen = [face.variants(items["video"].parts[part], console=console)]
        if part == "train":
            seen += [
                face.variants(
                    items["video"].parts[part],
                    PictureAugmentation(),
                    number=number + 1,
                    console=console,
                )
                for number in range(amounts.face_copies)
            ]
        read = text.of(items["text"].parts[part], console=console)
        for modality, several in (("audio", heard), ("text", [read]), ("video", seen)):
            problems += [f"{p.name}: {p.reason}" for x in several for p in x.problems]
            parts[part][modality] = _bank(*gather(several[0], *several[1:]))  # type: ignore[index]
    return Banks(parts, items, tuple(dict.fromkeys(problems)))


def _bank(items: Sequence[Item], variants: Sequence[Sequence[np.ndarray]]) -> Bank:
    strange = {item.label for item in items} - set(EMOTIONS)
    if strange:
        raise ConfigError(f"the labels {', '.join(sorted(strange))} are not the bundle's")
    # Who wrote a sentence or shows a face is not known: each is a person of its own.
    people = [item.speaker or item.name for item in items]
    return Bank(variants, [EMOTIONS.index(item.label) for item in items], people)


def _at_most(items: Sequence[Item], count: int) -> list[Item]:
    kept: dict[str, list[Item]] = {}
    for item in items:
        kept.setdefault(item.label, []).append(item)
    return [item for group in kept.values() for item in group[:count]]


def _short(data: DataSet) -> str:
    lines = data.report().splitlines()
    return "\n".join([*lines[:4], f"  ... {len(lines) - 4} more"] if len(lines) > 5 else lines)
