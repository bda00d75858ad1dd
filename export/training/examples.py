"""Where a fusion's examples come from, and their batches."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple, Protocol

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import Dataset

from edge_ser.constants import Modality
from edge_ser.export.examples.example import Example, Tokens, augment_tokens
from edge_ser.export.examples.token_augmentation import TokenAugmentation
from edge_ser.export.models.masking import Standardise, clip_statistics
from edge_ser.speaker.adaptation import RunningStatistics


class Batch(NamedTuple):
    """Padded tokens with masks, and labels."""

    tokens: dict[Modality, tuple[Tensor, Tensor]]
    """float32 [batch, tokens, width] and mask [batch, tokens]."""
    target: Tensor
    """int64 [batch]."""
    own: dict[Modality, Tensor]
    """int64 [batch] of each modality."""
    allowed: Tensor | None = None
    """bool [batch, labels]: labels that count in an example's loss; None for all."""


class ExampleSource(Protocol):
    """Gives examples; the same (epoch, index) always gives the same one."""

    def __len__(self) -> int:
        """Examples an epoch."""

    def example(self, epoch: int, index: int) -> Example:
        """One example of one epoch."""


class Clips:
    """Items with tokens of every modality, each with one or more variants (augmented copies)."""

    def __init__(
        self,
        variants: Mapping[Modality, Sequence[Sequence[Tokens]]],
        targets: Sequence[int],
        augmentation: TokenAugmentation | None = None,
        seed: int = 0,
    ) -> None:
        """Take, for each modality and item, its variants; the first is the unchanged one.

        Without augmentation every example is the unchanged one.
        """
        self._variants = variants
        self._targets = targets
        self._augmentation = augmentation
        self._seed = seed
        # By label and modality, the items that have the modality: what `pairing` may draw.
        self._alike: dict[tuple[int, Modality], list[int]] = {}
        for modality, items in variants.items():
            for index, target in enumerate(targets):
                if len(items[index][0]):
                    self._alike.setdefault((target, modality), []).append(index)

    def __len__(self) -> int:
        """Number of items."""
        return len(self._targets)

    def example(self, epoch: int, index: int) -> Example:
        """The item, in training a random variant of it."""
        return self.varied(index, np.random.default_rng([self._seed, epoch, index]))

    def varied(self, index: int, generator: np.random.Generator) -> Example:
        """The item, in training in the variant that the generator draws."""
        tokens: dict[Modality, Tokens] = {}
        options = self._augmentation
        paired = options is not None and 0 < options.pairing > generator.random()
        for number, (modality, items) in enumerate(self._variants.items()):
            own = items[index]
            if paired and number and len(own[0]):
                alike = self._alike[self._targets[index], modality]
                own = items[alike[int(generator.integers(len(alike)))]]
            if options is None:
                tokens[modality] = own[0]
            else:
                drawn = own[int(generator.integers(len(own)))]
                tokens[modality] = augment_tokens(drawn, modality, options, generator)
        target = self._targets[index]
        return Example(tokens, target, dict.fromkeys(tokens, target))


class Examples(Dataset[Example]):
    """A source's examples of the current epoch, for a data loader without worker processes."""

    def __init__(self, source: ExampleSource) -> None:
        self.source = source
        self.epoch = 0

    def __len__(self) -> int:
        """Examples an epoch."""
        return len(self.source)

    def __getitem__(self, index: int) -> Example:
        """One example of the current epoch."""
        return self.source.example(self.epoch, index)


def collate(examples: Sequence[Example]) -> Batch:
    """Pad the tokens of a batch with zeros to its longest, a modality at a time."""
    tokens: dict[Modality, tuple[Tensor, Tensor]] = {}
    for modality in examples[0].tokens:
        rows = [x.tokens[modality] for x in examples]
        longest = max(1, *(len(row) for row in rows))
        padded = np.zeros((len(rows), longest, rows[0].shape[1]), np.float32)
        mask = np.zeros((len(rows), longest), np.float32)
        for index, row in enumerate(rows):
            padded[index, : len(row)] = row
            mask[index, : len(row)] = 1.0
        tokens[modality] = (torch.from_numpy(padded), torch.from_numpy(mask))
    allowed: Any = [x.allowed for x in examples]
    return Batch(
        tokens,
        torch.tensor([x.target for x in examples]),
        {m: torch.tensor([x.own[m] for x in examples]) for m in tokens},
        None if allowed[0] is None else torch.from_numpy(np.stack(allowed)),
    )


class ColumnStatistics(NamedTuple):
    """What the columns of a modality's tokens are standardised with."""

    mean: Tensor
    """float32 [width], of all tokens."""
    deviation: Tensor
    """float32 [width]."""
    clip_mean: Tensor
    """float32 [2 * width] or [4 * width], of each clip's `clip_statistics`."""
    clip_deviation: Tensor
    """Of the same shape."""


def column_statistics(
    variants: Sequence[Sequence[Tokens]], loudness: int | None = None
) -> ColumnStatistics:
    """Statistics over all tokens of all variants; variants without a token do not count.

    Args:
        variants: of each item.
        loudness: see `FusionConfig.loudness_column`.
    """
    there = [tokens for item in variants for tokens in item if len(tokens)]
    every = RunningStatistics(variants[0][0].shape[1])
    for tokens in there:
        every.add(tokens)
    mean, deviation = (torch.from_numpy(x).float() for x in (every.mean, every.deviation))
    standardise = Standardise(len(mean))
    standardise.fit(mean, deviation)
    clips = RunningStatistics((2 if loudness is None else 4) * len(mean))
    for tokens in there:
        one = torch.from_numpy(tokens.astype(np.float32))[None]
        mask = torch.ones(one.shape[:2])
        clips.add(clip_statistics(standardise(one, mask), mask, loudness).numpy())
    spread = torch.from_numpy(clips.deviation).float()
    return ColumnStatistics(mean, deviation, torch.from_numpy(clips.mean).float(), spread)
