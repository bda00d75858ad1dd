"""Labelled data that a bundle is measured on: items, people, folds, and how modalities are paired.

Paired data are clips with several modalities. Where sound, words and faces come from sets of
different people, subsets of several modalities are measured on label-paired triples: drawn as the
default bundle's training draws them, always from people of one fold, so that a fit on some folds
never meets the people of the others.
"""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal

import numpy as np

from edge_ser.bundles.loading import Bundle
from edge_ser.bundles.schema import SUBSETS
from edge_ser.constants import MODALITIES, Modality
from edge_ser.errors import ConfigError
from edge_ser.export.data.items import Item, Sex
from edge_ser.export.examples.label_paired import Bank, LabelPaired, visible_target
from edge_ser.export.examples.label_paired import Pairing as PairingOptions
from edge_ser.export.scoring.result import DataDescription, Pairing
from edge_ser.export.trials.held_out import require_held_out
from edge_ser.export.trials.sources import find_sources

FOLDS: Final = 5
DEFAULT_LIMIT: Final = 500

TRIPLES_PROTOCOL: Final = (
    "label-paired examples: sound, words and face of different people who share only the label; "
    "one modality may show neutral instead; not comparable with scores on clips of one person"
)


@dataclass(frozen=True)
class Example:
    """One decision to be made.

    Attributes:
        parts: per modality the items whose tokens are put one after the other; indices.
        label: index of the true label.
        person: who is drawn for intervals; an unnamed item is a person of its own.
        sex: where it is known.
        fold: of the person, 0 to FOLDS - 1.
        named: whether the person is known by name.
    """

    parts: Mapping[Modality, tuple[int, ...]]
    label: int
    person: str
    sex: Sex | None
    fold: int
    named: bool


@dataclass(frozen=True)
class EvaluationData:
    """Items to be encoded once, and the examples that are made of them.

    Attributes:
        description: for reports.
        labels: of the bundle.
        items: all of them; `Example.parts` counts in it.
        kinds: the modalities that each item may have.
        protocols: what the items of each modality are, a sentence each.
        triples: label-paired examples to draw; 0 for paired data.
        with_words: whether transcripts may be used.
        speech_gate: whether sound in which nobody speaks counts as absent, as it does live.
    """

    description: DataDescription
    labels: tuple[str, ...]
    items: tuple[Item, ...]
    kinds: tuple[tuple[Modality, ...], ...]
    protocols: Mapping[Modality, str]
    triples: int
    with_words: bool
    speech_gate: bool = True

    @property
    def paired(self) -> bool:
        """Whether all modalities of an example come from one clip."""
        return self.description.pairing == "paired"

    def person(self, index: int) -> str:
        """Who an item is of: a name, or the item's own name."""
        return self.items[index].speaker or f"item {self.items[index].name}"

    def label(self, index: int) -> int:
        """Index of an item's label among the bundle's."""
        return self.labels.index(self.items[index].label)

    def folds(self, count: int = FOLDS) -> tuple[int, ...]:
        """The fold of each item's person, 0 to `count` - 1.

        Named people are dealt in turn, sexes in balance; unnamed items label by label.
        """
        named = sorted({(x.sex or "", x.speaker) for x in self.items if x.speaker is not None})
        fold_of = {name: place % count for place, (_, name) in enumerate(named)}
        dealt: dict[tuple[str, str], int] = defaultdict(int)
        unnamed = [i for i, item in enumerate(self.items) if item.speaker is None]
        for index in sorted(unnamed, key=lambda i: _place(self.items[i], 0)):
            group = (self.items[index].label, self.items[index].kind)
            fold_of[self.person(index)] = dealt[group] % count
            dealt[group] += 1
        return tuple(fold_of[self.person(index)] for index in range(len(self.items)))

    def pairing_of(self, subset: str) -> Pairing:
        """How the modalities of a subset were brought together."""
        if "+" not in subset:
            return "single"
        return self.description.pairing

    def protocol_of(self, subset: str) -> str:
        """The sentence that stands beside the scores of a subset."""
        modalities = modalities_of(subset)
        if self.paired or len(modalities) == 1:
            return self.protocols[modalities[0]]
        return f"{TRIPLES_PROTOCOL} ({'; '.join(self.protocols[m] for m in modalities)})"

    def subsets(self) -> tuple[str, ...]:
        """The subsets of modalities that the data may have, smallest first."""
        there = {m for kinds in self.kinds for m in kinds}
        return tuple(s for s in SUBSETS if set(modalities_of(s)) <= there)

    def examples(
        self, usable: Mapping[Modality, Collection[int]]
    ) -> tuple[dict[str, list[Example]], tuple[str, ...]]:
        """The examples of every subset.

        Args:
            usable: per modality the items that could be encoded.

        Returns:
            examples by subset, and why subsets are missing.
        """
        there = [m for m in MODALITIES if usable.get(m)]
        folds, complete = self.folds(), self.paired
        triple_folds: tuple[int, ...] = ()
        for count in range(FOLDS, 0, -1) if not self.paired and len(there) > 1 else ():
            dealt = self.folds(count)
            if not self._lacks(dealt, count, usable):
                # One fold cannot be held out from itself: it serves the triples alone.
                triple_folds, complete = dealt, True
                break
        found: dict[str, list[Example]] = {}
        for subset in self.subsets():
            modalities = modalities_of(subset)
            if self.paired or len(modalities) == 1:
                both = set.intersection(*(set(usable.get(m, ())) for m in modalities))
                found[subset] = [self._example(i, modalities, folds) for i in sorted(both)]
        told: tuple[str, ...] = ()
        several = [s for s in self.subsets() if "+" in s and set(modalities_of(s)) <= set(there)]
        if not self.paired and several:
            if "neutral" not in self.labels:
                told = (
                    "subsets of several modalities: label-paired examples need a label neutral, "
                    "and the bundle has none",
                )
            elif not complete:
                told = (
                    "subsets of several modalities: not every label "
                    f"({', '.join(self.labels)}) occurs in every modality",
                )
            else:
                found |= self._triples(there, several, usable, triple_folds)
        return {s: found[s] for s in SUBSETS if found.get(s)}, told

    def _example(self, index: int, modalities: Sequence[Modality], folds: Sequence[int]) -> Example:
        item, person = self.items[index], self.person(index)
        return Example(
            dict.fromkeys(modalities, (index,)),
            self.label(index),
            person,
            item.sex,
            folds[index],
            item.speaker is not None,
        )

    def _lacks(
        self, folds: Sequence[int], count: int, usable: Mapping[Modality, Collection[int]]
    ) -> bool:
        """Whether some fold lacks a label in some modality."""
        there = {(folds[i], m, self.label(i)) for m, indices in usable.items() for i in indices}
        modalities = sum(bool(indices) for indices in usable.values())
        return len(there) < count * modalities * len(self.labels)

    def _triples(
        self,
        there: Sequence[Modality],
        subsets: Sequence[str],
        usable: Mapping[Modality, Collection[int]],
        folds: Sequence[int],
    ) -> dict[str, list[Example]]:
        """Label-paired examples of every subset of several modalities."""
        found: dict[str, list[Example]] = {s: [] for s in subsets}
        count = max(folds) + 1
        for fold in range(count):
            inside = {m: [i for i in sorted(usable[m]) if folds[i] == fold] for m in there}
            share = self.triples // count + (fold < self.triples % count)
            self._draw(inside, fold, share, found)
        return found

    def _draw(
        self,
        inside: Mapping[Modality, Sequence[int]],
        fold: int,
        count: int,
        found: dict[str, list[Example]],
    ) -> None:
        # An item stands for its tokens: what is drawn are the indices themselves.
        banks = {
            m: Bank([[np.array([[i]], np.float64)] for i in own], [self.label(i) for i in own])
            for m, own in inside.items()
        }
        seed = self.description.seed * FOLDS + fold
        source = LabelPaired(banks, self.labels, PairingOptions(examples=max(count, 1)), None, seed)
        neutral = self.labels.index("neutral")
        for number in range(count):
            drawn = source.example(0, number)
            for subset, examples in found.items():
                visible = modalities_of(subset)
                parts = {m: tuple(int(i) for i in drawn.tokens[m][:, 0]) for m in visible}
                first = parts[visible[0]][0]
                examples.append(
                    Example(
                        parts,
                        visible_target(drawn, visible, neutral),
                        self.person(first),
                        self.items[first].sex,
                        fold,
                        self.items[first].speaker is not None,
                    )
                )


def modalities_of(subset: str) -> tuple[Modality, ...]:
    """The modalities that a subset's name lists."""
    return tuple(m for m in MODALITIES if m in subset.split("+"))


def open_evaluation_data(
    bundle: Bundle,
    path: Path,
    *,
    limit: int | None = DEFAULT_LIMIT,
    seed: int = 0,
    accept_leak: bool = False,
    purpose: Literal["test", "calibration"] = "test",
    speech_gate: bool = True,
) -> EvaluationData:
    """Read labelled data of people that the bundle was not trained on.

    Args:
        bundle: whose labels, and whose lists of people, count.
        path: see `find_sources`.
        limit: at most so many items of each modality, each label in its natural share; and so many
            label-paired examples. None takes all items, and 1500 examples.
        seed: of the choice and of the label-paired draw.
        accept_leak: take people of the training too; every table then says so.
        purpose: ``test`` or ``calibration``, see `find_sources`.
        speech_gate: whether sound in which nobody speaks counts as absent.

    Raises:
        ConfigError: if nothing usable is there, a split is leaky, or the limit is not positive.
    """
    if limit is not None and limit < 1:
        raise ConfigError(f"the limit must be at least 1 clip, not {limit}")
    sources = find_sources(path, bundle.manifest, purpose=purpose)
    labels = bundle.manifest.labels
    left_out = list(sources.left_out)
    pools = {} if sources.clips is None else {None: sources.clips}
    items: list[Item] = []
    kinds: list[tuple[Modality, ...]] = []
    protocols: dict[Modality, str] = {}
    for modality, pool in [*pools.items(), *sources.pools.items()]:
        known = [item for item in pool.items if item.label in labels]
        if len(known) < len(pool.items):
            strange = sorted({item.label for item in pool.items} - set(labels))
            left_out.append(
                f"{len(pool.items) - len(known)} items with labels that the bundle does not know "
                f"({', '.join(strange)})"
            )
        if not known:
            raise ConfigError(
                f"{path}: no item has one of the bundle's labels ({', '.join(labels)}); "
                f"its labels are {', '.join(sorted({i.label for i in pool.items}))}"
            )
        chosen = _some_of(known, limit, seed)
        own: tuple[Modality, ...] = (modality,) if modality is not None else MODALITIES
        items += chosen
        kinds += [own] * len(chosen)
        protocols |= dict.fromkeys(own, pool.protocol)
    people = {item.speaker for item in items if item.speaker is not None}
    known_people = require_held_out(
        bundle.manifest.splits if sources.check_people else {}, people, accept=accept_leak
    )
    paired = sources.clips is not None
    description = DataDescription(
        name=sources.name,
        pairing="paired" if paired else "label-paired",
        protocol="; ".join(dict.fromkeys(protocols.values())),
        clips={m: sum(m in k for k in kinds) for m in protocols},
        people={
            m: len({i.speaker for i, k in zip(items, kinds, strict=True) if m in k} - {None})
            for m in protocols
        },
        left_out=tuple(left_out),
        leak_warning=known_people.warning,
        seed=seed,
    )
    triples = 0 if paired else (1500 if limit is None else limit)
    return EvaluationData(
        description,
        labels,
        tuple(items),
        tuple(kinds),
        protocols,
        triples,
        sources.with_words,
        speech_gate,
    )


def _some_of(items: Sequence[Item], limit: int | None, seed: int) -> list[Item]:
    """At most `limit` items, each label in its natural share, whatever the order of the files."""
    if limit is None or len(items) <= limit:
        return list(items)

    groups: dict[str, list[Item]] = defaultdict(list)
    for item in sorted(items, key=lambda item: _place(item, seed)):
        groups[item.label].append(item)
    shares = {label: limit * len(group) / len(items) for label, group in groups.items()}
    counts = {label: int(share) for label, share in shares.items()}
    by_rest = sorted(shares, key=lambda label: (counts[label] - shares[label], label))
    for label in by_rest[: limit - sum(counts.values())]:
        counts[label] += 1
    chosen = {id(i) for label, group in groups.items() for i in group[: counts[label]]}
    return [item for item in items if id(item) in chosen]


def _place(item: Item, seed: int) -> bytes:
    return hashlib.sha256(f"{seed}|{item.name}".encode()).digest()
