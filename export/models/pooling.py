"""From a sequence of tokens to one vector."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from edge_ser.export.models.masking import NEVER


class AttentiveStatistics(nn.Module):
    """Attentive statistics pooling (Okabe, Koshinaka and Shinoda, 2018).

    A small network weighs every token; the weighted mean and the weighted deviation are the answer.
    """

    def __init__(self, width: int, hidden: int = 64) -> None:
        super().__init__()
        self.score = nn.Sequential(nn.Linear(width, hidden), nn.Tanh(), nn.Linear(hidden, 1))

    @property
    def factor(self) -> int:
        """The answer is this many times as wide as a token."""
        return 2

    def forward(self, tokens: Tensor, mask: Tensor) -> Tensor:
        """Pool float [batch, tokens, width] with mask [batch, tokens] to [batch, 2 * width].

        A row without any present token gives zeros for the mean.
        """
        scores = self.score(tokens).squeeze(-1) + (1.0 - mask) * NEVER
        weights = (torch.softmax(scores, dim=1) * mask).unsqueeze(-1)
        mean = (tokens * weights).sum(1)
        centred = (tokens - mean.unsqueeze(1)) * mask.unsqueeze(-1)
        deviation = torch.sqrt((centred * centred * weights).sum(1) + 1e-4)
        return torch.cat([mean, deviation], dim=1)
