"""On what a finished model is tested: named data sets, and people that it never saw."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final, Literal

from edge_ser.constants import MODALITIES, Modality
from edge_ser.errors import ConfigError
from edge_ser.export.data.corpora import JOINT
from edge_ser.export.data.emodb import LETTERS
from edge_ser.export.data.items import DataSet, Item, content_hash
from edge_ser.export.data.leakage import Leaks
from edge_ser.export.data.spans import cut_to_windows
from edge_ser.export.training.config import (
    EmoDbData,
    ManifestData,
    PictureData,
    RavdessData,
    RunDataConfig,
    SentenceData,
)
from edge_ser.export.training.run_data import read_items

People = Literal["unseen", "all"]

MANIFEST: Final = "manifest:"
PROTOCOLS: Final = ("ravdess", "emodb-original", "emodb-cut", "fer2013", "goemotions", "meld")
"""Names of the published sets; ``manifest:FILE`` names a user's own."""

_SHOWN: Final[Mapping[str, tuple[Modality, ...]]] = {
    # The words are the same for every emotion: shown to a model they only mislead.
    "ravdess": ("audio", "video"),
    "emodb-original": ("audio",),
    "emodb-cut": ("audio",),
    "fer2013": ("video",),
    "goemotions": ("text",),
    "meld": ("text",),
}


@dataclass(frozen=True)
class Seen:
    """What a model was trained or calibrated on, as far as it says so."""

    speakers: frozenset[str]
    contents: frozenset[str]
    """First 16 digits of SHA-256."""


@dataclass(frozen=True)
class Trial:
    """Items to test a model on."""

    data: DataSet
    items: tuple[Item, ...]
    sentence: str
    """Stands beside every score."""
    warning: str
    notes: tuple[str, ...]
    modalities: tuple[Modality, ...]


def read_protocol(name: str, data: Path) -> tuple[DataSet, tuple[Modality, ...]]:
    """Read what a protocol tests on, and which modalities of it are shown.

    Raises:
        ConfigError: if the protocol is unknown, or its data are not there.
    """
    if name.startswith(MANIFEST):
        read = read_items(ManifestData(manifest=name.removeprefix(MANIFEST)), data)
        tested = read.part("test")
        return replace(read, items=tested or read.items), MODALITIES
    sections: dict[str, RunDataConfig] = {
        "ravdess": RavdessData(),
        "emodb-original": EmoDbData(labels=tuple(LETTERS.values())),
        "emodb-cut": EmoDbData(recordings="cut_2s", labels=tuple(LETTERS.values())),
        "fer2013": PictureData(name="pictures"),
        "goemotions": SentenceData(name="goemotions"),
        "meld": SentenceData(name="meld"),
    }
    if name not in sections:
        raise ConfigError(
            f"there is no protocol {name}; known are {', '.join(PROTOCOLS)} and {MANIFEST}FILE"
        )
    read = read_items(sections[name], data)
    if isinstance(sections[name], (PictureData, SentenceData)):
        read = replace(read, items=read.part("test"))
    return read, _SHOWN[name]


def make_trial(
    name: str,
    data: Path,
    labels: Sequence[str],
    seen: Mapping[str, Seen],
    *,
    people: People = "unseen",
    accept_leaks: bool = False,
    modalities: Sequence[Modality] | None = None,
    maximum_seconds: float | None = None,
) -> Trial:
    """Choose the items of a protocol that a model is tested on.

    Args:
        name: of the protocol.
        data: folder with the data sets.
        labels: that the model knows. Calm counts as neutral where it does not know calm; items
            of other labels are left out, and a note says how many.
        seen: by name of a data set, what the model saw of it; see `seen_of`.
        people: `unseen` leaves out whom and what the model saw; `all` keeps them, which is leaky.
        accept_leaks: test on what the model saw; the warning stands beside every score.
        modalities: that are shown; None takes the protocol's.
        maximum_seconds: longer recordings are cut into equal pieces, as for training.

    Raises:
        ConfigError: if nothing is left, or the trial is leaky and not accepted.
    """
    read, shown = read_protocol(name, data)
    notes: list[str] = []
    items = [_known_label(item, labels) for item in read.items]
    strange = [item for item in items if item.label not in labels]
    items = [item for item in items if item.label in labels]
    if strange:
        names = ", ".join(sorted({item.label for item in strange}))
        notes.append(f"{len(strange)} items with labels that the model lacks ({names}) left out")
    if maximum_seconds is not None:
        cut, problems = cut_to_windows(items, maximum_seconds)
        items, read = list(cut), replace(read, problems=(*read.problems, *problems))
    if read.problems:
        some = "; ".join(f"{p.name}: {p.reason}" for p in read.problems[:3])
        more = len(read.problems) - 3
        notes.append(
            f"{len(read.problems)} items cannot be used ({some}"
            + (f"; and {more} more)" if more > 0 else ")")
        )
    known = _of(read.name, seen)
    warning = ""
    if people == "unseen":
        items, who = _unseen(items, known)
        sentence = f"{read.name}: {who}"
    else:
        leaks = _leaks(items, known)
        if leaks.fatal and not accept_leaks:
            raise ConfigError(
                f"{leaks.warning}. The score would not hold for new people; test on people that "
                "the model never saw, or accept the leak explicitly (every table will say so)"
            )
        warning = leaks.warning
        sentence = f"{read.name}: every item, whether its speaker was trained on or not"
    if not items:
        raise ConfigError(f"nothing of {read.name} is left to test this model on")
    return Trial(read, tuple(items), sentence, warning, tuple(notes), tuple(modalities or shown))


def seen_of(splits: Mapping[str, Sequence[str]]) -> dict[str, Seen]:
    """What a bundle's manifest says of its training and validation parts, by data set.

    Its keys end with the part; before it stand the data set and what is listed: ``speakers`` (also
    ``actors``) or ``contents``.
    """
    speakers: dict[str, set[str]] = {}
    contents: dict[str, set[str]] = {}
    for key, names in splits.items():
        what, _, part = key.rpartition(", ")
        data, _, kind = what.rpartition(" ")
        if part not in ("train", "validation"):
            continue
        if kind in ("speakers", "actors"):
            speakers.setdefault(data, set()).update(names)
        elif kind == "contents":
            contents.setdefault(data, set()).update(names)
    return {
        data: Seen(frozenset(speakers.get(data, ())), frozenset(contents.get(data, ())))
        for data in {*speakers, *contents}
    }


def _of(name: str, seen: Mapping[str, Seen]) -> Seen | None:
    """What was seen of a data set; bundles call RAVDESS speech RAVDESS, too."""
    joint = next((own for data, own in seen.items() if name in data.split(JOINT)), None)
    return joint or seen.get(name.split()[0])


def _known_label(item: Item, labels: Sequence[str]) -> Item:
    calm = item.label == "calm" and "calm" not in labels and "neutral" in labels
    return replace(item, labels=("neutral",)) if calm else item


def _unseen(items: Sequence[Item], known: Seen | None) -> tuple[list[Item], str]:
    if known is None:
        return list(items), "the model names nobody of it among whom it was trained on"
    kept = [
        item
        for item in items
        if item.speaker not in known.speakers
        and (not known.contents or content_hash(item)[:16] not in known.contents)
    ]
    people = len({item.speaker for item in kept} - {None})
    if people:
        return kept, f"{people} people that the model never saw"
    return kept, "items that the model never saw"


def _leaks(items: Sequence[Item], known: Seen | None) -> Leaks:
    if known is None:
        return Leaks((), (), ())
    speakers = sorted({item.speaker or "" for item in items} & known.speakers)
    equal = [
        (item.name,)
        for item in items
        if known.contents and content_hash(item)[:16] in known.contents
    ]
    return Leaks(tuple(speakers), (), tuple(equal))
