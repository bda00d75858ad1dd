"""From the speech encoder's tokens to logits: what a speech encoder is trained with."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from edge_ser.export.models.pooling import AttentiveStatistics


class SpeechHead(nn.Module):
    """Layer norm, attentive statistics, one linear layer.

    Args:
        width: of a token.
        labels: how many there are.
        dropout: on the statistics, while training.
    """

    def __init__(self, width: int, labels: int, dropout: float = 0.0) -> None:
        super().__init__()
        self.normalise = nn.LayerNorm(width)
        self.pool = AttentiveStatistics(width)
        self.dropout = nn.Dropout(dropout)
        self.classify = nn.Linear(self.pool.factor * width, labels)

    def forward(self, tokens: Tensor, mask: Tensor) -> Tensor:
        """Tokens float [batch, tokens, width] with mask [batch, tokens] to [batch, labels]."""
        pooled = self.pool(self.normalise(tokens), mask)
        logits: Tensor = self.classify(self.dropout(pooled))
        return logits

    def calibrate(self, temperature: float, label: int, bias: float) -> None:
        """Divide all logits by a temperature, then add a bias to one label's."""
        with torch.no_grad():
            self.classify.weight.div_(temperature)
            self.classify.bias.div_(temperature)
            self.classify.bias[label] += bias
