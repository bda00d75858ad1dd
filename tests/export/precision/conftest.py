"""Small real networks with the layers that the bundle's graphs have, exported by PyTorch.

They are trained on nothing: weights are random but seeded, which is all that passes over graphs
need. Each comes with inputs of the range that its kind sees in the runtime.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import onnx
import pytest
import torch
from torch import nn

from edge_ser.export.precision.onnx_graph import load_model, prepared


@dataclass(frozen=True)
class Network:
    """A graph and something to feed it."""

    name: str
    model: onnx.ModelProto
    samples: list[dict[str, np.ndarray]]


class FaceNetwork(nn.Module):
    """Strided convolutions with batch norm, as face encoders have them; faces are 0..255."""

    def __init__(self) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        for a, b in ((3, 16), (16, 32), (32, 64)):
            layers += [nn.Conv2d(a, b, 3, stride=2, padding=1), nn.BatchNorm2d(b), nn.ReLU()]
        self.body = nn.Sequential(*layers)
        self.last = nn.Linear(64, 24)

    def forward(self, faces: torch.Tensor) -> torch.Tensor:
        x = self.body((faces - 127.5) / 127.5)
        return self.last(x.mean(dim=(2, 3)))


class TextNetwork(nn.Module):
    """Embedding and two transformer layers with an attention mask."""

    def __init__(self) -> None:
        super().__init__()
        self.embedding = nn.Embedding(500, 48)
        self.query = nn.ModuleList(nn.Linear(48, 144) for _ in range(2))
        self.out = nn.ModuleList(nn.Linear(48, 48) for _ in range(2))
        self.up = nn.ModuleList(nn.Linear(48, 96) for _ in range(2))
        self.down = nn.ModuleList(nn.Linear(96, 48) for _ in range(2))
        self.norms = nn.ModuleList(nn.LayerNorm(48) for _ in range(4))

    def forward(self, input_ids: torch.Tensor, attention_mask: torch.Tensor) -> torch.Tensor:
        x = self.embedding(input_ids)
        bias = (1.0 - attention_mask[:, None, None, :].float()) * torch.finfo(torch.float32).min
        for i in range(2):
            q, k, v = (
                t.unflatten(-1, (4, 12)).transpose(1, 2)
                for t in self.query[i](self.norms[2 * i](x)).chunk(3, -1)
            )
            weights = torch.softmax(q @ k.transpose(-1, -2) / 12**0.5 + bias, -1)
            x = x + self.out[i]((weights @ v).transpose(1, 2).flatten(2))
            x = x + self.down[i](nn.functional.gelu(self.up[i](self.norms[2 * i + 1](x))))
        return x


class ProsodyNetwork(nn.Module):
    """Convolution over time, a bidirectional GRU, and mean and deviation over the window."""

    def __init__(self) -> None:
        super().__init__()
        self.convolution = nn.Conv1d(24, 32, 5, padding=2)
        self.gru = nn.GRU(32, 24, batch_first=True, bidirectional=True)
        self.last = nn.Linear(96, 16)

    def forward(self, prosody: torch.Tensor) -> torch.Tensor:
        x = torch.relu(self.convolution(prosody.transpose(1, 2))).transpose(1, 2)
        x, _ = self.gru(x)
        mean = x.mean(dim=1)
        deviation = torch.sqrt(((x - mean[:, None]) ** 2).mean(dim=1) + 1e-6)
        return self.last(torch.cat([mean, deviation], -1))[:, None]


def _face() -> tuple[nn.Module, tuple[torch.Tensor, ...], list[str], dict[str, dict[int, str]]]:
    network = FaceNetwork()
    network.train()
    with torch.no_grad():
        for _ in range(5):
            network(torch.rand(16, 3, 56, 56) * 255)
    return network, (torch.rand(2, 3, 56, 56) * 255,), ["faces"], {"faces": {0: "N"}}


def _text() -> tuple[nn.Module, tuple[torch.Tensor, ...], list[str], dict[str, dict[int, str]]]:
    ids = torch.randint(1, 500, (1, 12))
    return (
        TextNetwork(),
        (ids, torch.ones_like(ids)),
        ["input_ids", "attention_mask"],
        {"input_ids": {1: "L"}, "attention_mask": {1: "L"}},
    )


def _prosody() -> tuple[nn.Module, tuple[torch.Tensor, ...], list[str], dict[str, dict[int, str]]]:
    return ProsodyNetwork(), (torch.randn(1, 60, 24),), ["prosody"], {"prosody": {1: "T"}}


def _samples(name: str, rng: np.random.Generator) -> dict[str, np.ndarray]:
    if name == "face":
        smooth = rng.uniform(0, 255, (2, 3, 7, 7)).repeat(8, axis=2).repeat(8, axis=3)
        return {"faces": smooth.astype(np.float32)}
    if name == "text":
        length = int(rng.integers(4, 20))
        mask = np.ones((1, length), dtype=np.int64)
        mask[0, length - 2 :] = 0
        return {"input_ids": rng.integers(1, 500, (1, length)), "attention_mask": mask}
    return {"prosody": rng.normal(0, 2, (1, 40 + 2 * int(rng.integers(30)), 24)).astype(np.float32)}


_MAKERS: dict[str, Callable[[], tuple[nn.Module, tuple[torch.Tensor, ...], list[str], dict]]] = {
    "face": _face,
    "text": _text,
    "prosody": _prosody,
}


@pytest.fixture(scope="session")
def networks(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Network]:
    folder: Path = tmp_path_factory.mktemp("networks")
    made = {}
    for seed, (name, maker) in enumerate(_MAKERS.items()):
        torch.manual_seed(seed)
        network, example, inputs, axes = maker()
        path = folder / f"{name}.onnx"
        torch.onnx.export(
            network.eval(),
            example,
            str(path),
            input_names=inputs,
            output_names=["tokens"],
            dynamic_axes=axes,
            opset_version=17,
            dynamo=False,
        )
        rng = np.random.default_rng(seed)
        samples = [_samples(name, rng) for _ in range(12)]
        made[name] = Network(name, prepared(load_model(path)), samples)
    return made


@pytest.fixture(params=list(_MAKERS))
def network(request: pytest.FixtureRequest, networks: dict[str, Network]) -> Network:
    return networks[request.param]
