"""Face tokens: an expression network's features beside its own logits."""

from __future__ import annotations

import torch
from torch import Tensor, nn


class FaceTokenEncoder(nn.Module):
    """One token a face: features, then the logits of the network's own head.

    The head was trained on far more faces than a fusion sees; handing its opinion on costs seven
    columns.

    Args:
        face: from faces [N, 3, 112, 112] to features [N, width] and logits [N, labels].
    """

    def __init__(self, face: nn.Module) -> None:
        super().__init__()
        self.face = face

    def forward(self, faces: Tensor) -> Tensor:
        """Float32 [N, 3, 112, 112], RGB in 0..255, to float32 [N, width + labels]."""
        return torch.cat(self.face(faces), dim=1)
