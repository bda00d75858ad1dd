"""A small residual network for grey faces, trained from nothing: the default bundle's face encoder.

Residual blocks with squeeze and excitation (He et al., 2016; Hu, Shen and Sun, 2018) over a grey
picture of 56 x 56 whose own mean and deviation are taken out first, so that light and contrast of
the room do not matter.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save
from torch import Tensor, nn

from edge_ser.constants import EMOTIONS
from edge_ser.errors import ConfigError
from edge_ser.files import write_atomically

CNN_ORIGIN: Final = "this project, trained from nothing on FER2013"
CNN_LICENCE: Final = "research use, as FER2013"
_CHANNELS: Final = (32, 64, 128)


class FaceCnn(nn.Module):
    """Aligned faces to features and logits.

    Args:
        with_logits: whether `forward` also gives the network's own logits.
        channels: of the stem (28 x 28 places) and of the two stages (14 x 14 and 7 x 7).
        mirrored: whether features are, outside of training, the mean of a face's and its mirror
            image's.
    """

    def __init__(
        self,
        with_logits: bool = False,
        channels: tuple[int, int, int] = _CHANNELS,
        mirrored: bool = True,
    ) -> None:
        super().__init__()
        stem, middle, self.width = channels
        self.with_logits = with_logits
        self.mirrored = mirrored
        self.halve = nn.AvgPool2d(2)
        self.stem = nn.Sequential(
            nn.Conv2d(1, stem, 5, 2, 2, bias=False), nn.BatchNorm2d(stem), nn.ReLU()
        )
        self.stages = nn.Sequential(
            _Block(stem, middle, stride=2),
            _Block(middle, middle, stride=1),
            _Block(middle, self.width, stride=2),
            _Block(self.width, self.width, stride=1),
        )
        self.classifier = nn.Linear(self.width, len(EMOTIONS))

    def features(self, faces: Tensor) -> Tensor:
        """float32 [N, 3, 112, 112], RGB in 0..255, to float32 [N, width]."""
        grey = self.halve(faces.mean(dim=1, keepdim=True))
        centred = grey - grey.mean(dim=(2, 3), keepdim=True)
        spread = (centred * centred).mean(dim=(2, 3), keepdim=True)
        normal = centred / torch.sqrt(spread + 25.0)
        if not self.mirrored or self.training:
            return self._pooled(normal)
        count = normal.shape[0]
        both = self._pooled(torch.cat([normal, normal.flip(3)]))
        return 0.5 * (both[:count] + both[count:])

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

    def _pooled(self, normal: Tensor) -> Tensor:
        pooled: Tensor = self.stages(self.stem(normal)).mean(dim=(2, 3))
        return pooled


class _Block(nn.Module):
    """Two convolutions, squeeze and excitation, a residual."""

    def __init__(self, inside: int, outside: int, *, stride: int) -> None:
        super().__init__()
        self.convolutions = nn.Sequential(
            nn.Conv2d(inside, outside, 3, stride, 1, bias=False),
            nn.BatchNorm2d(outside),
            nn.ReLU(),
            nn.Conv2d(outside, outside, 3, 1, 1, bias=False),
            nn.BatchNorm2d(outside),
        )
        self.excite = nn.Sequential(
            nn.Linear(outside, outside // 4),
            nn.ReLU(),
            nn.Linear(outside // 4, outside),
            nn.Sigmoid(),
        )
        self.skip: nn.Module = nn.Identity()
        if stride > 1 or inside != outside:
            self.skip = nn.Sequential(
                nn.AvgPool2d(stride) if stride > 1 else nn.Identity(),
                nn.Conv2d(inside, outside, 1, bias=False),
                nn.BatchNorm2d(outside),
            )

    def forward(self, x: Tensor) -> Tensor:
        out = self.convolutions(x)
        gate = self.excite(out.mean(dim=(2, 3)))
        return torch.relu(self.skip(x) + out * gate[:, :, None, None])


def load_face_encoder(source: Path, *, with_logits: bool = False) -> FaceCnn:
    """Load what `save_face_encoder` wrote, in evaluation mode, float32, on the CPU.

    Raises:
        ConfigError: if the weights are missing, damaged or of another network.
    """
    encoder = FaceCnn(with_logits)
    try:
        encoder.load_state_dict(load_file(source))
    except (OSError, RuntimeError, SafetensorError, ValueError) as error:
        raise ConfigError(f"{source} holds other weights than a face encoder's: {error}") from error
    return encoder.eval()


def save_face_encoder(encoder: FaceCnn, path: Path) -> None:
    """Write the weights as safetensors, so that `load_face_encoder` reads them."""
    write_atomically(path, save({n: x.contiguous() for n, x in encoder.state_dict().items()}))
