"""A loss in which the labels that a corpus lacks do not count."""

from __future__ import annotations

import torch
from torch import Tensor


def masked_cross_entropy(
    logits: Tensor, target: Tensor, allowed: Tensor, smoothing: float
) -> Tensor:
    """Mean cross-entropy over the labels that each example may have.

    Args:
        logits: float [B, labels].
        target: int64 [B].
        allowed: bool [B, labels]; the target is among them.
        smoothing: share of the target that the other allowed labels have together.
    """
    log_likely = torch.log_softmax(logits.masked_fill(~allowed, -1e4), dim=1)
    right = log_likely.gather(1, target.unsqueeze(1)).squeeze(1)
    every = (log_likely * allowed).sum(1) / allowed.sum(1)
    return -((1.0 - smoothing) * right + smoothing * every).mean()
