"""Label-paired examples: sound, words and a face of different people who share only a label.

No set of clips with all three modalities can be used freely, so the fusion learns from triples that
are put together by label. Two things keep it from trusting such triples more than life deserves:
in a share of the emotional examples one modality is drawn from the neutral ones (people speak
neutral words with an angry voice), and a picture's tokens are copies of one augmented face, as the
pictures of one window are.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from pydantic import BaseModel, ConfigDict, Field

from edge_ser.constants import Modality
from edge_ser.errors import ConfigError
from edge_ser.export.examples.example import Example, Tokens, augment_tokens

if TYPE_CHECKING:
    from edge_ser.export.examples.token_augmentation import TokenAugmentation


@dataclass(frozen=True)
class Bank:
    """Labelled tokens of one modality."""

    variants: Sequence[Sequence[Tokens]]
    """For each item its variants, the unchanged one first. Of faces: [1, width] each."""
    labels: Sequence[int]
    people: Sequence[str] = ()
    """Who each item is of; empty where nobody asks."""

    def by_label(self, count: int) -> list[list[int]]:
        """Indices of the items of each label.

        Raises:
            ConfigError: if a label has no item.
        """
        groups: list[list[int]] = [[] for _ in range(count)]
        for index, label in enumerate(self.labels):
            groups[label].append(index)
        empty = [str(label) for label, group in enumerate(groups) if not group]
        if empty:
            raise ConfigError(f"no item has the label {', '.join(empty)}")
        return groups


class Pairing(BaseModel):
    """How triples are put together."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    examples: int = Field(default=6000, ge=1)
    neutral_share: float = Field(default=0.25, ge=0, lt=1)
    """Share of the examples whose label is neutral; the other labels share the rest equally."""
    neutral_instead: dict[Modality, float] = {"audio": 0.2, "text": 0.5, "video": 0.2}
    """In an emotional example, the probability that a modality shows neutral instead. At least one
    modality always shows the emotion."""
    faces: tuple[int, int] = (1, 15)
    """Fewest and most pictures of one example."""
    neutral_pictures: float = Field(default=0.2, ge=0, lt=1)
    """Largest share of an example's pictures that show a neutral face: expressions come and go."""


class LabelPaired:
    """A source of label-paired examples; equal (seed, epoch, index) give equal examples."""

    def __init__(
        self,
        banks: Mapping[Modality, Bank],
        labels: Sequence[str],
        pairing: Pairing,
        augmentation: TokenAugmentation | None,
        seed: int,
    ) -> None:
        """Take one bank a modality; `augmentation` None draws only unchanged sound and words.

        Raises:
            ConfigError: if there is no label ``neutral`` or a bank lacks a label.
        """
        if "neutral" not in labels:
            raise ConfigError("label-paired examples need a label neutral")
        self._neutral = list(labels).index("neutral")
        self._labels = len(labels)
        self._banks = banks
        self._groups = {m: bank.by_label(len(labels)) for m, bank in banks.items()}
        self._pairing = pairing
        self._augmentation = augmentation
        self._seed = seed

    def __len__(self) -> int:
        """Examples an epoch."""
        return self._pairing.examples

    def example(self, epoch: int, index: int) -> Example:
        """One triple."""
        generator = np.random.default_rng([self._seed, epoch, index])
        target = self._draw_label(generator)
        own = self._own_labels(target, generator)
        tokens: dict[Modality, Tokens] = {}
        for modality in self._banks:
            if modality == "video":
                tokens[modality] = self._faces(own[modality], generator)
                continue
            drawn = self._draw(modality, own[modality], generator)
            if self._augmentation is not None:
                drawn = augment_tokens(drawn, modality, self._augmentation, generator)
            tokens[modality] = drawn
        return Example(tokens, target, own)

    def _draw_label(self, generator: np.random.Generator) -> int:
        if generator.random() < self._pairing.neutral_share:
            return self._neutral
        other = int(generator.integers(self._labels - 1))
        return other + (other >= self._neutral)

    def _own_labels(self, target: int, generator: np.random.Generator) -> dict[Modality, int]:
        own = dict.fromkeys(self._banks, target)
        if target != self._neutral:
            shares = self._pairing.neutral_instead
            flat: list[Modality] = [m for m in own if generator.random() < shares.get(m, 0.0)]
            if len(flat) == len(own):
                flat.pop(int(generator.integers(len(flat))))
            own.update(dict.fromkeys(flat, self._neutral))
        return own

    def _draw(self, modality: Modality, label: int, generator: np.random.Generator) -> Tokens:
        group = self._groups[modality][label]
        variants = self._banks[modality].variants[group[int(generator.integers(len(group)))]]
        chosen = 0 if self._augmentation is None else int(generator.integers(len(variants)))
        return variants[chosen]

    def _faces(self, label: int, generator: np.random.Generator) -> Tokens:
        group = self._groups["video"][label]
        variants = self._banks["video"].variants[group[int(generator.integers(len(group)))]]
        count = int(generator.integers(self._pairing.faces[0], self._pairing.faces[1] + 1))
        picked = [variants[i] for i in generator.integers(len(variants), size=count)]
        flat = int(count * generator.uniform(0.0, self._pairing.neutral_pictures))
        if flat and label != self._neutral:
            calm = self._groups["video"][self._neutral]
            other = self._banks["video"].variants[calm[int(generator.integers(len(calm)))]]
            picked[:flat] = [other[i] for i in generator.integers(len(other), size=flat)]
        return np.concatenate(picked)


def visible_target(example: Example, visible: Sequence[Modality], neutral: int) -> int:
    """The label that the visible modalities of an example can tell: its own, or neutral."""
    shown = {example.own[m] for m in visible if m in example.own}
    return example.target if example.target in shown else neutral
