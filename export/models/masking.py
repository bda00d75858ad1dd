"""Arithmetic on token sequences of which some tokens are absent."""

from __future__ import annotations

import torch
from torch import Tensor, nn

NEVER = -1e4
"""Added to attention scores of absent tokens: vanishes in the softmax, in half precision too."""


LOUDNESS = 1.5
"""Amplitude's exponent for standardised log energy: speech and its pauses differ by some e ** 3 in
energy a deviation, and amplitude is energy's root."""


def masked_mean(tokens: Tensor, mask: Tensor) -> Tensor:
    """Mean over present tokens; zero where none is present.

    Args:
        tokens: float [batch, tokens, width].
        mask: float [batch, tokens], 1 where a token is present.

    Returns:
        float [batch, width].
    """
    # A product of matrices makes no masked copy of what may be the largest tensor of a step.
    total = torch.matmul(mask.unsqueeze(1), tokens).squeeze(1)
    return total / mask.sum(1, keepdim=True).clamp_min(1.0)


def masked_deviation(tokens: Tensor, mask: Tensor) -> Tensor:
    """Standard deviation over present tokens, float [batch, width]; a single token gives 0.01."""
    centred = tokens - masked_mean(tokens, mask).unsqueeze(1)
    return torch.sqrt(masked_mean(centred * centred, mask) + 1e-4)


def clip_statistics(tokens: Tensor, mask: Tensor, loudness: int | None = None) -> Tensor:
    """Mean and deviation of every column over a clip's present tokens.

    Args:
        tokens: float [batch, tokens, width], standardised.
        mask: float [batch, tokens].
        loudness: number of the column of log energy, for the same once more with tokens weighted
            by amplitude; None for once.

    Returns:
        float [batch, 2 * width], or [batch, 4 * width].
    """
    made = [masked_mean(tokens, mask), masked_deviation(tokens, mask)]
    if loudness is not None:
        scores = LOUDNESS * tokens[..., loudness] + (1.0 - mask) * NEVER
        # Weights that sum to 1 or, where nothing is present, to 0.
        weights = torch.softmax(scores, dim=1) * mask
        made += [masked_mean(tokens, weights), masked_deviation(tokens, weights)]
    return torch.cat(made, dim=1)


def present(mask: Tensor) -> Tensor:
    """1 for each row of the batch in which any token is present, else 0: float [batch, 1]."""
    return mask.amax(1, keepdim=True)


def shorten(mask: Tensor, stride: int) -> Tensor:
    """Mask of a sequence that keeps one in `stride` tokens: [batch, ceil(tokens / stride)]."""
    return mask[:, ::stride]


class Standardise(nn.Module):
    """Subtract the training data's mean and divide by its deviation, a column at a time.

    Takes tokens [batch, tokens, width] with mask [batch, tokens], or rows [batch, width] with mask
    [batch].
    """

    mean: Tensor
    scale: Tensor

    def __init__(self, width: int) -> None:
        super().__init__()
        self.register_buffer("mean", torch.zeros(width))
        self.register_buffer("scale", torch.ones(width))

    def fit(self, mean: Tensor, deviation: Tensor) -> None:
        """Take the statistics of the training tokens; columns that never vary are left out."""
        self.mean.copy_(mean)
        self.scale.copy_(
            torch.where(deviation > 1e-4, 1.0 / deviation.clamp_min(1e-4), torch.zeros_like(mean))
        )

    def forward(self, tokens: Tensor, mask: Tensor) -> Tensor:
        """Standardised tokens, clipped at 8 deviations; absent tokens stay zero."""
        standard = (tokens - self.mean).mul_(self.scale).clamp_(-8.0, 8.0)
        return standard.mul_(mask.unsqueeze(-1))
