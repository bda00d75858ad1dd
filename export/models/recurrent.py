"""A bidirectional GRU that does not read absent tokens."""

from __future__ import annotations

import torch
from torch import Tensor, nn


class MaskedGru(nn.Module):
    """Bidirectional GRU over the present tokens of a sequence, wherever the absent ones are.

    Present tokens are moved to the front (for the second direction: in reversed order), so both
    directions see nothing but present tokens before the last of them; the answers move back.

    Args:
        width: of tokens and answers, even.
        whole: promises that in an exported graph all tokens of a row are present, or none: the
            graph is then free of the moving. Padding while training is moved all the same.
    """

    def __init__(self, width: int, *, whole: bool = False) -> None:
        super().__init__()
        self.whole = whole
        self.forwards = nn.GRU(width, width // 2, batch_first=True)
        self.backwards = nn.GRU(width, width // 2, batch_first=True)

    def forward(self, tokens: Tensor, mask: Tensor) -> Tensor:
        """Tokens float [batch, tokens, width] to the same shape; absent tokens come out zero."""
        if self.whole and torch.compiler.is_exporting():
            first, second = _gru(self.forwards, tokens), _gru(self.backwards, tokens.flip(1))
        else:
            first = _compacted(self.forwards, tokens, mask)
            second = _compacted(self.backwards, tokens.flip(1), mask.flip(1))
        return torch.cat([first, second.flip(1)], dim=2) * mask.unsqueeze(-1)


def _compacted(gru: nn.GRU, tokens: Tensor, mask: Tensor) -> Tensor:
    there = mask > 0.5
    ahead = there.long().cumsum(1) - 1
    behind = there.long().sum(1, keepdim=True) + (~there).long().cumsum(1) - 1
    place = torch.where(there, ahead, behind).unsqueeze(-1)
    spread = place.expand(-1, -1, tokens.shape[2])
    out = _gru(gru, torch.zeros_like(tokens).scatter(1, spread, tokens))
    return torch.gather(out, 1, place.expand(-1, -1, out.shape[2]))


def _gru(gru: nn.GRU, tokens: Tensor) -> Tensor:
    """One direction: [batch, tokens, width] to [batch, tokens, hidden].

    The exporter unrolls torch's GRU over a fixed length; in an exported graph it is written as the
    one ONNX operator (gates in the order update, reset, candidate; torch has reset first).
    """
    if not torch.compiler.is_exporting():
        return torch.as_tensor(gru(tokens)[0])
    size = gru.hidden_size
    order = torch.cat(
        [torch.arange(size, 2 * size), torch.arange(0, size), torch.arange(2 * size, 3 * size)]
    )
    weights = dict(gru.named_parameters())
    bias = torch.cat([weights["bias_ih_l0"][order], weights["bias_hh_l0"][order]])
    answer = torch.onnx.ops.symbolic(
        "GRU",
        [
            tokens.transpose(0, 1),
            weights["weight_ih_l0"][order].unsqueeze(0),
            weights["weight_hh_l0"][order].unsqueeze(0),
            bias.unsqueeze(0),
        ],
        {"hidden_size": size, "linear_before_reset": 1},
        dtype=tokens.dtype,
        shape=[tokens.shape[1], 1, tokens.shape[0], size],
        version=14,
    )
    return answer.squeeze(1).transpose(0, 1)
