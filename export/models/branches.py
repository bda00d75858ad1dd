"""Branches: the tokens of one modality, as an encoder gives them, to tokens of the fusion."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor, nn

from edge_ser.constants import Modality
from edge_ser.export.models.config import FusionConfig
from edge_ser.export.models.masking import Standardise, clip_statistics, present
from edge_ser.export.models.pooling import AttentiveStatistics
from edge_ser.export.models.prosody import ConvolutionBlock, ProsodyEncoder


class Branched(NamedTuple):
    """What a branch gives."""

    tokens: Tensor
    """float [batch, tokens, width]."""
    mask: Tensor
    """float [batch, tokens], 1 = present."""
    summary: Tensor
    """float [batch, width], zero where the modality is absent."""


class Branch(nn.Module):
    """Standardise, project (audio: shorten in time, prosody by its own CNN-RNN), summarise."""

    def __init__(self, modality: Modality, config: FusionConfig) -> None:
        super().__init__()
        columns, width = config.inputs[modality], config.width
        self.prosody_columns = config.prosody if modality == "audio" else 0
        self.standardise = Standardise(columns)
        self.drop_columns = nn.Dropout(config.input_dropout)
        self.prosody: ProsodyEncoder | None = None
        speech = columns - self.prosody_columns
        if self.prosody_columns:
            self.prosody = ProsodyEncoder(
                self.prosody_columns, width, config.stride, config.dropout
            )
        self.project: nn.Module | None = None
        self.shorten = nn.ModuleList()
        if modality == "audio" and speech:
            self.project = nn.Linear(speech, width)
            blocks = max(config.stride.bit_length() - 1, 1)
            self.shorten.extend(
                ConvolutionBlock(width, width, 2 if config.stride > 1 else 1, config.dropout)
                for _ in range(blocks)
            )
        elif speech:
            self.project = nn.Sequential(
                nn.Linear(speech, width), nn.GELU(), nn.LayerNorm(width), nn.Dropout(config.dropout)
            )
        self.pool = AttentiveStatistics(width)
        pooled = self.pool.factor * width
        # A lone vector has no deviation worth learning from: only sound and words get statistics.
        self.statistics = config.statistics and modality != "video"
        self.loudness = config.loudness_column(modality)
        rows = 0 if not self.statistics else 2 if self.loudness is None else 4
        self.standardise_statistics = Standardise(rows * columns)
        self.summarise = nn.Sequential(
            nn.Linear(pooled + rows * columns, width),
            nn.LayerNorm(width),
            nn.GELU(),
            nn.Dropout(config.dropout),
        )

    def forward(self, tokens: Tensor, mask: Tensor) -> Branched:
        """Tokens float [batch, tokens, columns] with mask float [batch, tokens]."""
        clean = self.standardise(tokens, mask)
        # Whole columns are dropped, and their mean and deviation with them.
        kept = self.drop_columns(torch.ones_like(clean[:, :1])) if self.training else None
        raw = clean if kept is None else clean * kept
        speech = raw[..., : raw.shape[-1] - self.prosody_columns]
        out, out_mask = raw, mask
        if self.project is not None:
            out = self.project(speech) * mask.unsqueeze(-1)
            for block in self.shorten:
                out, out_mask = block(out, out_mask)
        if self.prosody is not None:
            voice, out_mask = self.prosody(raw[..., speech.shape[-1] :], mask)
            out = out + voice if self.project is not None else voice
        pooled = [self.pool(out, out_mask)]
        if self.statistics:
            # Clips differ in them by a fraction of what tokens differ by: unless they are brought
            # to one scale, the summary learns little of them.
            own = clip_statistics(clean, mask, self.loudness)
            own = self.standardise_statistics(own, present(mask).squeeze(1))
            share = own.shape[1] // clean.shape[2]
            pooled.append(own if kept is None else own * kept.squeeze(1).repeat(1, share))
        summary = self.summarise(torch.cat(pooled, dim=1)) * present(mask)
        return Branched(out * out_mask.unsqueeze(-1), out_mask, summary)
