"""Two face networks whose answers are averaged: our own and mini-Xception beside it.

They err on different faces: on FER2013 their mean answer is right more often than either. Neither
looks at a face's mirror image here: both together take less time than a face and its mirror image
take our own.
"""

from __future__ import annotations

from typing import Final

import torch
from torch import Tensor, nn

from edge_ser.constants import EMOTIONS
from edge_ser.export.encoders.face_cnn import CNN_LICENCE, CNN_ORIGIN, FaceCnn
from edge_ser.export.encoders.mini_xception import MINI_XCEPTION_ORIGIN, MiniXception

ENSEMBLE_ORIGIN: Final = f"{CNN_ORIGIN}; beside it {MINI_XCEPTION_ORIGIN}"
ENSEMBLE_LICENCE: Final = CNN_LICENCE


class FaceEnsemble(nn.Module):
    """Aligned faces to features and logits.

    Features are those of the `FaceCnn` and the logits of `MiniXception`: the mean of both networks'
    logits, whose softmax is the geometric mean of their probabilities, is linear in them.

    Args:
        with_logits: whether `forward` also gives the mean logits.
    """

    def __init__(self, with_logits: bool = False) -> None:
        super().__init__()
        self.with_logits = with_logits
        self.cnn = FaceCnn(mirrored=False)
        self.mini_xception = MiniXception(mirrored=False)
        self.width = self.cnn.width + len(EMOTIONS)
        self.classifier = nn.Linear(self.width, len(EMOTIONS))
        del self.cnn.classifier  # its share is in the ensemble's

    @classmethod
    def of(cls, cnn: FaceCnn, mini_xception: MiniXception) -> FaceEnsemble:
        """The ensemble of two trained networks, in evaluation mode."""
        made = cls()
        own = {k: x for k, x in cnn.state_dict().items() if not k.startswith("classifier.")}
        made.cnn.load_state_dict(own)
        made.mini_xception.load_state_dict(mini_xception.state_dict())
        with torch.no_grad():
            weight, bias = (x / 2 for x in (cnn.classifier.weight, cnn.classifier.bias))
            made.classifier.weight.copy_(torch.cat([weight, torch.eye(len(EMOTIONS)) / 2], dim=1))
            made.classifier.bias.copy_(bias)
        return made.eval()

    def features(self, faces: Tensor) -> Tensor:
        """float32 [N, 3, 112, 112], RGB or grey in 0..255, to float32 [N, width]."""
        return torch.cat([self.cnn.features(faces), self.mini_xception(faces)], dim=1)

    def forward(self, faces: Tensor) -> Tensor | tuple[Tensor, Tensor]:
        """Encode faces.

        Args:
            faces: float32 [N, 3, 112, 112], RGB or grey in 0..255.

        Returns:
            Features float32 [N, width]; with ``with_logits`` also logits [N, 7] in the order of
            EMOTIONS.
        """
        features = self.features(faces)
        return (features, self.classifier(features)) if self.with_logits else features
