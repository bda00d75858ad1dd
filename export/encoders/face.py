"""Face encoders that can be loaded: the expression network of face-api, our own, and ensembles.

face-api's: four dense blocks of four depthwise-separable convolutions, each adding up what came
before it inside the block, then the mean over the 7 x 7 places: 256 features, 7 logits, 0.3 M
parameters (@vladmandic/face-api 1.7.15, MIT). Our own: see `FaceCnn` and `FaceEnsemble`.
"""

from __future__ import annotations

import itertools
from pathlib import Path
from typing import Final, TypeAlias

import numpy as np
import numpy.typing as npt
import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import load_file, save_file
from torch import Tensor, nn
from torch.nn import functional

from edge_ser.constants import EMOTIONS
from edge_ser.errors import ConfigError
from edge_ser.export.encoders.face_cnn import CNN_LICENCE, CNN_ORIGIN, FaceCnn
from edge_ser.export.encoders.face_ensemble import (
    ENSEMBLE_LICENCE,
    ENSEMBLE_ORIGIN,
    FaceEnsemble,
)
from edge_ser.export.encoders.tfjs import read_tfjs_weights

FACE_LICENCE: Final = "MIT"
FACE_ORIGIN: Final = "@vladmandic/face-api 1.7.15, face expression net (MIT)"
FACE_SIZE: Final = 112
FACE_WIDTH: Final = 256
FACE_LABELS: Final = EMOTIONS
"""The network's seven classes are the project's, in the same order."""

_MANIFEST: Final = "face_expression_model-weights_manifest.json"
_MEAN: Final = (122.782, 117.001, 104.298)
_CHANNELS: Final = (3, 32, 64, 128, 256)


class FaceEncoder(nn.Module):
    """Aligned faces to features.

    Args:
        with_logits: whether `forward` also gives the network's own logits.
    """

    def __init__(self, with_logits: bool = False) -> None:
        super().__init__()
        self.width = FACE_WIDTH
        self.with_logits = with_logits
        self.register_buffer("mean", torch.tensor(_MEAN).reshape(1, 3, 1, 1))
        self.blocks = nn.ModuleList(
            _DenseBlock(inside, outside, first=number == 0)
            for number, (inside, outside) in enumerate(itertools.pairwise(_CHANNELS))
        )
        self.classifier = nn.Linear(FACE_WIDTH, len(FACE_LABELS))

    def features(self, faces: Tensor) -> Tensor:
        """float32 [N, 3, 112, 112], RGB in 0..255, to float32 [N, 256]."""
        x = (faces - self.get_buffer("mean")) / 255.0
        for block in self.blocks:
            x = block(x)
        return x.mean(dim=(2, 3))

    def forward(self, faces: Tensor) -> Tensor | tuple[Tensor, Tensor]:
        """Encode faces.

        Args:
            faces: float32 [N, 3, 112, 112], RGB in 0..255; the normalisation happens inside.

        Returns:
            Features float32 [N, 256]; with ``with_logits`` also logits [N, 7] in the order of
            EMOTIONS.
        """
        features = self.features(faces)
        if self.with_logits:
            return features, self.classifier(features)
        return features


AnyFaceEncoder: TypeAlias = FaceEncoder | FaceCnn | FaceEnsemble
"""Each has `features`, a `classifier` of them and its `width`."""


class _SeparableConvolution(nn.Module):
    """Depthwise 3 x 3, then pointwise; padded as TensorFlow's ``same``."""

    def __init__(self, inside: int, outside: int, stride: int = 1) -> None:
        super().__init__()
        self.stride = stride
        padding = 0 if stride == 2 else 1
        self.depthwise = nn.Conv2d(inside, inside, 3, stride, padding, groups=inside, bias=False)
        self.pointwise = nn.Conv2d(inside, outside, 1)

    def forward(self, x: Tensor) -> Tensor:
        if self.stride == 2:  # an even side, halved: one row below and right, none above and left
            x = functional.pad(x, (0, 1, 0, 1))
        result: Tensor = self.pointwise(self.depthwise(x))
        return result


class _DenseBlock(nn.Module):
    """Halves the side, then three convolutions over the sum of what the block made so far."""

    def __init__(self, inside: int, outside: int, *, first: bool) -> None:
        super().__init__()
        self.first = first
        self.convolutions = nn.ModuleList(
            [
                nn.Conv2d(inside, outside, 3, 2)
                if first
                else _SeparableConvolution(inside, outside, 2)
            ]
            + [_SeparableConvolution(outside, outside) for _ in range(3)]
        )

    def forward(self, x: Tensor) -> Tensor:
        if self.first:
            x = functional.pad(x, (0, 1, 0, 1))
        total = torch.relu(self.convolutions[0](x))
        inner = self.convolutions[1](total)
        total = total + inner
        inner = self.convolutions[2](torch.relu(total))
        total = total + inner
        inner = self.convolutions[3](torch.relu(total))
        return torch.relu(total + inner)


def load_face_encoder(source: str | Path, *, with_logits: bool = False) -> AnyFaceEncoder:
    """Load a face encoder, in evaluation mode, float32, on the CPU.

    Args:
        source: what `save_face_encoder` wrote; or face-api's npm package as ``.tgz``, or a folder
            with its ``model`` files. Get the package with ``npm pack @vladmandic/face-api@1.7.15``.
        with_logits: see `FaceEncoder`.

    Raises:
        ConfigError: if the weights are missing, damaged or of another network.
    """
    path = Path(source)
    encoder: AnyFaceEncoder = FaceEncoder(with_logits)
    try:
        if path.suffix == ".safetensors":
            state = load_file(str(path))
            with safe_open(str(path), "pt") as file:
                name = (file.metadata() or {}).get("network")
            for network in (FaceCnn, FaceEnsemble):
                if name == network.__name__:
                    encoder = network(with_logits)
        else:
            weights = read_tfjs_weights(path, _MANIFEST)
            state = {name: torch.from_numpy(array) for name, array in _state(weights).items()}
            state["mean"] = encoder.get_buffer("mean")
        encoder.load_state_dict(state)
    except (KeyError, OSError, RuntimeError, SafetensorError, ValueError) as error:
        raise ConfigError(f"{source} holds other weights than a face encoder's: {error}") from error
    return encoder.eval()


def origin_of(encoder: nn.Module) -> tuple[str, str]:
    """Where a face encoder's weights come from, and their licence, as a model card says it.

    Raises:
        TypeError: if it is no face encoder.
    """
    origins = {
        FaceCnn: (CNN_ORIGIN, CNN_LICENCE),
        FaceEnsemble: (ENSEMBLE_ORIGIN, ENSEMBLE_LICENCE),
        FaceEncoder: (FACE_ORIGIN, FACE_LICENCE),
    }
    for network, origin in origins.items():
        if isinstance(encoder, network):
            return origin
    raise TypeError(f"{type(encoder).__name__} is no face encoder")


def save_face_encoder(encoder: AnyFaceEncoder, path: Path) -> None:
    """Write the weights as safetensors, so that `load_face_encoder` reads them."""
    save_file(
        {name: x.contiguous() for name, x in encoder.state_dict().items()},
        str(path),
        {"network": type(encoder).__name__},
    )


def _state(
    weights: dict[str, npt.NDArray[np.float32]],
) -> dict[str, npt.NDArray[np.float32]]:
    """face-api's names and layout (height, width, in, out) to this module's."""
    state: dict[str, npt.NDArray[np.float32]] = {
        "classifier.weight": weights["fc/weights"].T,
        "classifier.bias": weights["fc/bias"],
    }
    for block in range(4):
        for number in range(4):
            there = f"dense{block}/conv{number}"
            here = f"blocks.{block}.convolutions.{number}"
            if block == 0 and number == 0:
                state[f"{here}.weight"] = weights[f"{there}/filters"].transpose(3, 2, 0, 1)
                state[f"{here}.bias"] = weights[f"{there}/bias"]
                continue
            depthwise = weights[f"{there}/depthwise_filter"].transpose(2, 3, 0, 1)
            state[f"{here}.depthwise.weight"] = depthwise
            pointwise = weights[f"{there}/pointwise_filter"].transpose(3, 2, 0, 1)
            state[f"{here}.pointwise.weight"] = pointwise
            state[f"{here}.pointwise.bias"] = weights[f"{there}/bias"]
    return {name: np.ascontiguousarray(array) for name, array in state.items()}
