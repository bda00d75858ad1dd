"""Face backbones of the ResNet and VGG families from a user's weights file.

The network is built from the names and shapes in the file, as torchvision and most that build on
it write them: ResNets (He et al., 2016) of any depth and width, basic or bottleneck, with groups;
VGGs (Simonyan and Zisserman, 2015) with or without batch normalisation. A classifier in the file is
left out: the features before it are the token.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor, nn

from edge_ser.errors import ConfigError

IMAGENET_MEAN: Final = (0.485, 0.456, 0.406)
IMAGENET_DEVIATION: Final = (0.229, 0.224, 0.225)
_PREFIXES: Final = ("module.", "model.", "backbone.", "encoder.", "net.")

Weights = Mapping[str, Tensor]


class FaceBackbone(nn.Module):
    """Aligned faces to one token each.

    Args:
        network: from normalised pictures [N, 3, 112, 112] to maps [N, width, H, W].
        width: of a token.
        mean: of the pictures that the network was trained on, RGB in 0..1.
        deviation: likewise.
    """

    def __init__(
        self,
        network: nn.Module,
        width: int,
        mean: tuple[float, float, float],
        deviation: tuple[float, float, float],
    ) -> None:
        super().__init__()
        self.network = network
        self.width = width
        self.register_buffer("mean", 255.0 * torch.tensor(mean).reshape(1, 3, 1, 1))
        self.register_buffer("deviation", 255.0 * torch.tensor(deviation).reshape(1, 3, 1, 1))

    def forward(self, faces: Tensor) -> Tensor:
        """float32 [N, 3, 112, 112], RGB in 0..255, to float32 [N, width]."""
        normal = (faces - self.get_buffer("mean")) / self.get_buffer("deviation")
        maps: Tensor = self.network(normal)
        return maps.mean(dim=(2, 3))


def load_face_backbone(
    path: Path,
    *,
    mean: tuple[float, float, float] = IMAGENET_MEAN,
    deviation: tuple[float, float, float] = IMAGENET_DEVIATION,
) -> FaceBackbone:
    """Build and load a backbone, in evaluation mode, float32, on the CPU.

    Args:
        path: ``.safetensors``, or a file of torch that holds nothing but tensors (a state
            dictionary, also inside ``state_dict`` or ``model``); code in it is never run.
        mean: of the pictures that it was trained on, RGB in 0..1.
        deviation: likewise.

    Raises:
        ConfigError: if the file cannot be read, or holds neither a ResNet nor a VGG.
    """
    weights = _read(path)
    try:
        if "layer1.0.conv1.weight" in weights:
            network, width = _resnet(weights)
        elif "features.0.weight" in weights:
            network, width = _vgg(weights)
        else:
            some = ", ".join(sorted(weights)[:3])
            raise ConfigError(
                f"{path} holds neither a ResNet (layer1.0.conv1.weight) nor a VGG "
                f"(features.0.weight) as torchvision names them; it begins with {some}"
            )
        wanted = network.state_dict()
        # Old files lack the counter, which evaluation does not read.
        counters = {k: v for k, v in wanted.items() if k.endswith("num_batches_tracked")}
        own = {k: weights[k].float() for k in wanted if k not in counters}
        network.load_state_dict({**counters, **own})
    except (KeyError, RuntimeError, ValueError) as error:
        raise ConfigError(f"{path} holds no whole ResNet or VGG: {error}") from error
    return FaceBackbone(network, width, mean, deviation).eval()


def _read(path: Path) -> dict[str, Tensor]:
    try:
        if path.suffix == ".safetensors":
            found: Any = load_file(str(path))
        else:
            found = torch.load(path, map_location="cpu", weights_only=True)
        for name in ("state_dict", "model"):
            if isinstance(found, Mapping) and isinstance(found.get(name), Mapping):
                found = found[name]
        weights = {str(k): v for k, v in found.items() if isinstance(v, Tensor)}
    except (AttributeError, OSError, SafetensorError) as error:
        raise ConfigError(f"the face weights {path} cannot be read: {error}") from error
    except Exception as error:  # torch raises its unpickler's own kinds for files with code
        raise ConfigError(
            f"the face weights {path} hold more than tensors, or are damaged; save the state "
            "dictionary alone, best as .safetensors"
        ) from error
    if not weights:
        raise ConfigError(f"the face weights {path} hold no tensor")
    while prefix := next((p for p in _PREFIXES if all(k.startswith(p) for k in weights)), None):
        weights = {k.removeprefix(prefix): v for k, v in weights.items()}
    return weights


def _convolution(weight: Tensor, inside: int, stride: int = 1, *, bias: bool = False) -> nn.Conv2d:
    """A convolution of the weight's shape; the inputs tell the number of groups."""
    outside, part, side, _ = weight.shape
    if inside % part:
        raise ValueError(f"a convolution takes {part} channels where there are {inside}")
    return nn.Conv2d(inside, outside, side, stride, side // 2, groups=inside // part, bias=bias)


class _ResidualBlock(nn.Module):
    """Two or three convolutions beside a shortcut; the stride is on the first of size 3."""

    def __init__(self, weights: Weights, name: str, inside: int, stride: int) -> None:
        super().__init__()
        channels, left = inside, stride
        self.count = 3 if f"{name}.conv3.weight" in weights else 2
        for number in range(1, self.count + 1):
            weight = weights[f"{name}.conv{number}.weight"]
            step = left if weight.shape[2] > 1 else 1
            left = left if step == 1 else 1
            self.add_module(f"conv{number}", _convolution(weight, channels, step))
            channels = weight.shape[0]
            self.add_module(f"bn{number}", nn.BatchNorm2d(channels))
        self.width = channels
        self.downsample: nn.Module | None = None
        if f"{name}.downsample.0.weight" in weights:
            weight = weights[f"{name}.downsample.0.weight"]
            self.downsample = nn.Sequential(
                _convolution(weight, inside, stride), nn.BatchNorm2d(channels)
            )

    def forward(self, x: Tensor) -> Tensor:
        inner = x
        for number in range(1, self.count + 1):
            inner = self.get_submodule(f"conv{number}")(inner)
            inner = self.get_submodule(f"bn{number}")(inner)
            if number < self.count:
                inner = torch.relu(inner)
        return torch.relu(inner + (x if self.downsample is None else self.downsample(x)))


class _Resnet(nn.Module):
    def __init__(self, weights: Weights) -> None:
        super().__init__()
        self.conv1 = _convolution(weights["conv1.weight"], 3, 2)
        channels = self.conv1.out_channels
        self.bn1 = nn.BatchNorm2d(channels)
        self.pool = nn.MaxPool2d(3, 2, 1)
        self.stages: list[str] = []
        stage = 1
        while f"layer{stage}.0.conv1.weight" in weights:
            blocks: list[nn.Module] = []
            while f"layer{stage}.{len(blocks)}.conv1.weight" in weights:
                stride = 2 if stage > 1 and not blocks else 1
                block = _ResidualBlock(weights, f"layer{stage}.{len(blocks)}", channels, stride)
                channels = block.width
                blocks.append(block)
            self.add_module(f"layer{stage}", nn.Sequential(*blocks))
            self.stages.append(f"layer{stage}")
            stage += 1
        self.width = channels

    def forward(self, x: Tensor) -> Tensor:
        x = self.pool(torch.relu(self.bn1(self.conv1(x))))
        for name in self.stages:
            x = self.get_submodule(name)(x)
        return x


def _resnet(weights: Weights) -> tuple[nn.Module, int]:
    network = _Resnet(weights)
    return network, network.width


class _Vgg(nn.Module):
    def __init__(self, features: nn.Module) -> None:
        super().__init__()
        self.features = features

    def forward(self, x: Tensor) -> Tensor:
        maps: Tensor = self.features(x)
        return maps


def _vgg(weights: Weights) -> tuple[nn.Module, int]:
    """Where a place is missing between two convolutions, a pooling stands there."""
    places = sorted(
        int(found[1])
        for name, weight in weights.items()
        if (found := re.fullmatch(r"features\.(\d+)\.weight", name)) and weight.ndim == 4
    )
    normalised = "features.1.running_mean" in weights
    unit = 3 if normalised else 2
    layers: list[nn.Module] = []
    channels = 3
    for place in places:
        while len(layers) < place:
            layers.append(nn.MaxPool2d(2, 2))
        weight = weights[f"features.{place}.weight"]
        bias = f"features.{place}.bias" in weights
        layers.append(_convolution(weight, channels, bias=bias))
        channels = weight.shape[0]
        layers += [nn.BatchNorm2d(channels), nn.ReLU()] if normalised else [nn.ReLU()]
        if len(layers) != place + unit:
            raise ValueError(f"features.{place} is not where a VGG has a convolution")
    return _Vgg(nn.Sequential(*layers)), channels
