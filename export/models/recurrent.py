"""A bidirectional GRU that does not read absent tokens."""

from __future__ import annotations

import torch
from torch import Tensor, nn


class MaskedGru(nn.Module):
    """Bidirectional GRU over the present tokens of a sequence, wherever the absent ones are.

    Present tokens are moved to the front (for the second direction: in reversed order), so both
    directions see nothing but present tokens before the last of them; the answers move back. It is
    written with cumulative sums, scatter and gather, so that an exported graph computes the same as
    training, whatever modality is absent.
    """

    def __init__(self, width: int) -> None:
        super().__init__()
        self.forwards = nn.GRU(width, width // 2, batch_first=True)
        self.backwards = nn.GRU(width, width - width // 2, batch_first=True)

    def forward(self, tokens: Tensor, mask: Tensor) -> Tensor:
        """Tokens float [batch, tokens, width] to the same shape; absent tokens come out zero."""
        first = _run(self.forwards, tokens, mask)
        second = _run(self.backwards, tokens.flip(1), mask.flip(1)).flip(1)
        return torch.cat([first, second], dim=2) * mask.unsqueeze(-1)


def _run(gru: nn.GRU, tokens: Tensor, mask: Tensor) -> Tensor:
    there = mask > 0.5
    ahead = there.long().cumsum(1) - 1
    behind = there.long().sum(1, keepdim=True) + (~there).long().cumsum(1) - 1
    place = torch.where(there, ahead, behind).unsqueeze(-1)
    spread = place.expand(-1, -1, tokens.shape[2])
    compact = torch.zeros_like(tokens).scatter(1, spread, tokens)
    out = gru(compact)[0]
    return torch.gather(out, 1, place.expand(-1, -1, out.shape[2]))
