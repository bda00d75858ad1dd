"""What a trained fusion answers on items, with all modalities and with fewer."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

from edge_ser.constants import Modality
from edge_ser.export.examples.example import Tokens
from edge_ser.export.models.fusion import Fusion
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
