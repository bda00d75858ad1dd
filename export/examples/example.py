"""One example of a fusion: tokens of its modalities and their labels. Nothing here needs torch."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from edge_ser.constants import Modality

if TYPE_CHECKING:
    from edge_ser.export.examples.token_augmentation import TokenAugmentation

Tokens = npt.NDArray[np.floating]


@dataclass(frozen=True)
class Example:
    """Tokens of the modalities, the label, and the label that each modality itself shows."""

    tokens: Mapping[Modality, Tokens]
    """float [tokens, width] of each modality."""
    target: int
    own: Mapping[Modality, int]
    """Equal to `target` except where a modality shows something else, for instance neutral words
    beside an angry voice."""
    allowed: npt.NDArray[np.bool_] | None = None
    """bool [labels]: those that count in its loss; None for all."""


def augment_tokens(
    tokens: Tokens, modality: Modality, options: TokenAugmentation, generator: np.random.Generator
) -> Tokens:
    """Crop and hide spans of sound, hide words; faces are augmented before they are encoded.

    Args:
        tokens: float [tokens, width].
        modality: decides which options apply.
        options: what may happen.
        generator: decides what does.
    """
    count = len(tokens)
    if modality == "audio":
        if generator.random() < options.crop_share:
            length = max(int(count * generator.uniform(*options.crop)), min(count, 10))
            start = int(generator.integers(0, count - length + 1))
            tokens, count = tokens[start : start + length], length
        keep = np.ones(count, bool)
        for _ in range(options.time_masks):
            span = int(generator.integers(0, int(count * options.time_mask_share) + 1))
            start = int(generator.integers(0, count - span + 1))
            keep[start : start + span] = False
        if keep.sum() >= 5:
            tokens = tokens[keep]
    elif modality == "text" and options.word_dropout and count > 2:
        keep = generator.random(count) >= options.word_dropout
        keep[0] = True
        tokens = tokens[keep]
    return tokens
