"""What a trained fusion answers on items, with all modalities and with fewer."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from itertools import combinations

import torch
from torch import Tensor

from edge_ser.bundle_schema import subset_name
from edge_ser.constants import MODALITIES, Modality
from edge_ser.export.models.fusion import Fusion
from edge_ser.export.training.example import Tokens
from edge_ser.export.training.examples import Clips, collate
from edge_ser.export.training.fusion_task import logits_of


def predict(
    fusion: Fusion, variants: Mapping[Modality, Sequence[Sequence[Tokens]]], items: Sequence[int]
) -> Tensor:
    """Logits [items, labels] of the unchanged variants of some items."""
    chosen = {m: [own[i] for i in items] for m, own in variants.items()}
    clips = Clips(chosen, [0] * len(items))
    logits = [
        logits_of(
            fusion,
            collate(
                [clips.example(0, i) for i in range(start, min(start + 64, len(items)))]
            ).tokens,
        )
        for start in range(0, len(items), 64)
    ]
    return torch.cat(logits)


def smaller_subsets(modalities: Iterable[Modality]) -> tuple[str, ...]:
    """Names of the non-empty proper subsets of some modalities, the largest first."""
    known = [m for m in MODALITIES if m in set(modalities)]
    return tuple(
        subset_name(list(chosen))
        for size in range(len(known) - 1, 0, -1)
        for chosen in combinations(known, size)
    )
