"""Which items train, select and test: folds that keep people apart, and one that does not."""

from __future__ import annotations

import random
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Literal

from edge_ser.errors import ConfigError
from edge_ser.export.data.items import Item

Part = Literal["train", "validation", "test"]
PARTS: Final[tuple[Part, ...]] = ("train", "validation", "test")

RAVDESS_TEST_ACTORS: Final = (
    ("02", "05", "14", "15", "16"),
    ("03", "06", "07", "13", "18"),
    ("10", "11", "12", "19", "20"),
    ("08", "17", "21", "23", "24"),
    ("01", "04", "09", "22"),
)
"""The five folds of test actors on which published work on RAVDESS reports."""


@dataclass(frozen=True)
class Split:
    """Indices into one list of items. The three parts never share an index."""

    name: str
    train: tuple[int, ...]
    validation: tuple[int, ...]
    test: tuple[int, ...]
    protocol: str
    """A sentence that stands beside every score."""

    def __post_init__(self) -> None:
        every = [*self.train, *self.validation, *self.test]
        if len(set(every)) != len(every):
            raise ConfigError(f"the split {self.name} puts an item into two parts")

    def part(self, part: Part) -> tuple[int, ...]:
        """The indices of one part."""
        return {"train": self.train, "validation": self.validation, "test": self.test}[part]


def by_speakers(
    items: Sequence[Item],
    test: Sequence[str],
    validation: Sequence[str],
    *,
    name: str,
    protocol: str,
) -> Split:
    """Put named speakers into test and validation, and everybody else into training.

    Raises:
        ConfigError: if an item has no speaker, a part would be empty, or a name is unknown.
    """
    known = set(_speakers(items))
    unknown = (set(test) | set(validation)) - known
    if unknown:
        raise ConfigError(f"no item is spoken by {', '.join(sorted(unknown))}")
    parts: dict[Part, list[int]] = {part: [] for part in PARTS}
    for index, item in enumerate(items):
        if item.speaker in test:
            parts["test"].append(index)
        elif item.speaker in validation:
            parts["validation"].append(index)
        else:
            parts["train"].append(index)
    for part in ("train", "test"):
        if not parts[part]:
            raise ConfigError(f"the split {name} leaves nothing for its {part} part")
    return Split(
        name, tuple(parts["train"]), tuple(parts["validation"]), tuple(parts["test"]), protocol
    )


def published_ravdess_folds(items: Sequence[Item], *, validation_speakers: int = 4) -> list[Split]:
    """The five published folds; validation actors come from the training actors, sexes in balance.

    Validation takes the actors that follow the fold's test actors in a fixed round, so that over
    the folds different people select the model.
    """
    folds = []
    for number, test in enumerate(RAVDESS_TEST_ACTORS):
        later = [
            speaker
            for step in range(1, len(RAVDESS_TEST_ACTORS))
            for speaker in RAVDESS_TEST_ACTORS[(number + step) % len(RAVDESS_TEST_ACTORS)]
        ]
        odd = [x for x in later if int(x) % 2]
        even = [x for x in later if not int(x) % 2]
        half = validation_speakers // 2
        chosen = sorted([*odd[: validation_speakers - half], *even[:half]])
        folds.append(
            by_speakers(
                items,
                test,
                chosen,
                name=f"fold-{number + 1}",
                protocol="five published RAVDESS folds, test actors never seen, "
                "selection on held-out training actors",
            )
        )
    return folds


def speaker_folds(
    items: Sequence[Item], folds: int, *, validation_speakers: int = 1, seed: int = 0
) -> list[Split]:
    """Deal the speakers into `folds` groups; each group is the test part once.

    Raises:
        ConfigError: if there are too few speakers.
    """
    speakers = _speakers(items)
    if not 2 <= folds <= len(speakers):
        raise ConfigError(f"{len(speakers)} speakers cannot make {folds} folds")
    order = list(speakers)
    random.Random(seed).shuffle(order)  # noqa: S311
    return _folds(
        items,
        [tuple(order[number::folds]) for number in range(folds)],
        validation_speakers,
        f"{folds} folds over {len(speakers)} speakers, test speakers never seen",
    )


def leave_one_speaker_out(items: Sequence[Item], *, validation_speakers: int = 1) -> list[Split]:
    """As many folds as speakers; the next speakers in sorted order are the validation part."""
    speakers = _speakers(items)
    return _folds(
        items,
        [(speaker,) for speaker in speakers],
        validation_speakers,
        f"leave one speaker out, {len(speakers)} folds",
    )


def leave_one_corpus_out(items: Sequence[Item], tested: Sequence[str]) -> list[Split]:
    """As many folds as corpora that test; one person of each other of them is the validation part.

    Args:
        items: of several corpora.
        tested: names of the corpora that are left out in turn.

    Raises:
        ConfigError: if an item names no speaker, or the other corpora have one person each.
    """
    _speakers(items)
    people = {
        name: sorted({item.speaker or "" for item in items if item.corpus == name})
        for name in tested
    }
    return [
        by_speakers(
            items,
            own,
            [spoken[-1] for other, spoken in people.items() if other != name and len(spoken) > 1],
            name=f"without-{name}",
            protocol="leave one corpus out: corpora never seen, "
            "selection on held-out people of the others",
        )
        for name, own in people.items()
    ]


def random_80_10_10(items: Sequence[Item], *, seed: int = 0) -> Split:
    """Draw 80, 10 and 10 % of every label, whoever speaks: people repeat over the parts.

    The leakage checker finds this split leaky whenever speakers are known; it is there to show
    how much such a split flatters.
    """
    generator = random.Random(seed)  # noqa: S311
    groups: dict[str, list[int]] = defaultdict(list)
    for index, item in enumerate(items):
        groups[item.labels[0]].append(index)
    parts: dict[Part, list[int]] = {part: [] for part in PARTS}
    for label in sorted(groups):
        drawn = groups[label]
        generator.shuffle(drawn)
        tenth = max(1, round(len(drawn) / 10))
        parts["test"] += drawn[:tenth]
        parts["validation"] += drawn[tenth : 2 * tenth]
        parts["train"] += drawn[2 * tenth :]
    return Split(
        "random-80-10-10",
        train=tuple(sorted(parts["train"])),
        validation=tuple(sorted(parts["validation"])),
        test=tuple(sorted(parts["test"])),
        protocol=f"random 80-10-10 of the clips, seed {seed}, speakers not held apart",
    )


def by_publisher(items: Sequence[Item]) -> Split:
    """The parts that the items themselves name (train, validation or dev, test).

    Raises:
        ConfigError: if an item names another part or none.
    """
    names: Mapping[str, Part] = {
        "train": "train",
        "validation": "validation",
        "dev": "validation",
        "test": "test",
    }
    parts: dict[Part, list[int]] = {part: [] for part in PARTS}
    for index, item in enumerate(items):
        if item.split is None or item.split not in names:
            raise ConfigError(f"{item.name} is in the part {item.split!r}, not one of {set(names)}")
        parts[names[item.split]].append(index)
    return Split(
        "publisher",
        train=tuple(parts["train"]),
        validation=tuple(parts["validation"]),
        test=tuple(parts["test"]),
        protocol="the parts that the data set's publisher made",
    )


def _folds(
    items: Sequence[Item], groups: Sequence[tuple[str, ...]], validation: int, protocol: str
) -> list[Split]:
    folds = []
    for number, test in enumerate(groups):
        later = [x for step in range(1, len(groups)) for x in groups[(number + step) % len(groups)]]
        if validation >= len(later):
            raise ConfigError(f"{validation} validation speakers leave nobody to train on")
        folds.append(
            by_speakers(
                items, test, later[:validation], name=f"fold-{number + 1}", protocol=protocol
            )
        )
    return folds


def _speakers(items: Sequence[Item]) -> list[str]:
    nameless = [item.name for item in items if item.speaker is None]
    if nameless:
        raise ConfigError(
            f"{len(nameless)} items name no speaker (the first is {nameless[0]}); "
            "speakers cannot be held apart without it"
        )
    return sorted({item.speaker for item in items if item.speaker is not None})
