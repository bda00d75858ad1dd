"""Heads: a sequence of fused tokens to one vector, by a CNN-RNN or by a transformer."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from edge_ser.export.models.config import HeadKind
from edge_ser.export.models.masking import NEVER
from edge_ser.export.models.pooling import AttentiveStatistics
from edge_ser.export.models.recurrent import MaskedGru


class CnnRnnHead(nn.Module):
    """Convolution over neighbouring tokens, bidirectional GRU, attentive statistics."""

    def __init__(self, width: int, dropout: float) -> None:
        super().__init__()
        self.convolution = nn.Conv1d(width, width, 3, padding=1)
        self.normalise = nn.LayerNorm(width)
        self.recurrence = MaskedGru(width)
        self.pool = AttentiveStatistics(width)
        self.project = nn.Linear(self.pool.factor * width, width)
        self.dropout = nn.Dropout(dropout)

    def forward(self, tokens: Tensor, mask: Tensor) -> Tensor:
        """Tokens [batch, tokens, width] with mask [batch, tokens] to [batch, width]."""
        visible = tokens * mask.unsqueeze(-1)
        local = self.convolution(visible.transpose(1, 2)).transpose(1, 2)
        local = self.dropout(nn.functional.gelu(self.normalise(visible + local)))
        out = self.recurrence(local * mask.unsqueeze(-1), mask)
        return torch.nn.functional.gelu(self.project(self.pool(out, mask)))


class Attention(nn.Module):
    """Multi-head attention with a mask of the keys, of plain matrix products.

    It is written out instead of taken from torch so that the exported graph holds nothing but
    matrix products and one softmax, which every backend runs and every quantiser understands.
    """

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.scale = (width // heads) ** -0.5
        self.query = nn.Linear(width, width)
        self.key = nn.Linear(width, width)
        self.value = nn.Linear(width, width)
        self.out = nn.Linear(width, width)

    def forward(self, queries: Tensor, keys: Tensor, mask: Tensor) -> Tensor:
        """Queries [batch, q, width] look at keys [batch, k, width] where mask [batch, k] is 1.

        Rows without any present key come out zero (but for the last bias).
        """
        q, k, v = self.query(queries), self.key(keys), self.value(keys)
        split = [x.unflatten(-1, (self.heads, -1)).transpose(1, 2) for x in (q, k, v)]
        scores = torch.matmul(split[0], split[1].transpose(-1, -2)) * self.scale
        visible = mask[:, None, None, :]
        weights = torch.softmax(scores + (1.0 - visible) * NEVER, dim=-1) * visible
        mixed = torch.matmul(weights, split[2]).transpose(1, 2).flatten(2)
        return torch.as_tensor(self.out(mixed))


class AttentionLayer(nn.Module):
    """Pre-normalised attention and a feed-forward network, each with a residual."""

    def __init__(self, width: int, heads: int, dropout: float) -> None:
        super().__init__()
        self.normalise_queries = nn.LayerNorm(width)
        self.normalise_keys = nn.LayerNorm(width)
        self.attention = Attention(width, heads)
        self.feed = nn.Sequential(
            nn.LayerNorm(width),
            nn.Linear(width, 2 * width),
            nn.GELU(),
            nn.Dropout(dropout),
            nn.Linear(2 * width, width),
        )
        self.dropout = nn.Dropout(dropout)

    def forward(self, queries: Tensor, keys: Tensor, mask: Tensor) -> Tensor:
        """Queries [batch, q, width] updated by the keys that the mask [batch, k] shows."""
        seen = self.attention(self.normalise_queries(queries), self.normalise_keys(keys), mask)
        mixed = queries + self.dropout(seen)
        return torch.add(mixed, self.dropout(self.feed(mixed)))


class TransformerHead(nn.Module):
    """Self-attention over the tokens, read out by one learned query."""

    def __init__(self, width: int, heads: int, layers: int, dropout: float) -> None:
        super().__init__()
        self.query = nn.Parameter(torch.randn(1, 1, width) * 0.02)
        self.layers = nn.ModuleList(AttentionLayer(width, heads, dropout) for _ in range(layers))
        self.read = AttentionLayer(width, heads, dropout)
        self.normalise = nn.LayerNorm(width)

    def forward(self, tokens: Tensor, mask: Tensor) -> Tensor:
        """Tokens [batch, tokens, width] with mask [batch, tokens] to [batch, width]."""
        for layer in self.layers:
            tokens = layer(tokens, tokens, mask)
        query = self.query.expand(tokens.shape[0], 1, -1)
        return torch.as_tensor(self.normalise(self.read(query, tokens, mask)).squeeze(1))


def make_head(kind: HeadKind, width: int, heads: int, layers: int, dropout: float) -> nn.Module:
    """The head that a configuration names."""
    if kind == "cnn-rnn":
        return CnnRnnHead(width, dropout)
    return TransformerHead(width, heads, layers, dropout)
