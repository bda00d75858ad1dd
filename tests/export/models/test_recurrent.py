from __future__ import annotations

import torch

from edge_ser.export.models.recurrent import MaskedGru


def _plain(gru: MaskedGru, tokens: torch.Tensor) -> torch.Tensor:
    first = gru.forwards(tokens)[0]
    second = gru.backwards(tokens.flip(1))[0].flip(1)
    return torch.cat([first, second], 2)


def test_without_absent_tokens_it_is_a_bidirectional_gru() -> None:
    torch.manual_seed(0)
    gru, tokens = MaskedGru(8), torch.randn(2, 6, 8)
    assert torch.allclose(gru(tokens, torch.ones(2, 6)), _plain(gru, tokens), atol=1e-6)


def test_absent_tokens_in_the_middle_are_as_if_cut_out() -> None:
    torch.manual_seed(0)
    gru, tokens = MaskedGru(8), torch.randn(1, 6, 8)
    mask = torch.tensor([[1.0, 0.0, 1.0, 1.0, 0.0, 1.0]])
    out = gru(tokens, mask)
    there = mask[0] > 0
    assert torch.allclose(out[:, there], _plain(gru, tokens[:, there]), atol=1e-6)
    assert torch.equal(out[:, ~there], torch.zeros(1, 2, 8))
