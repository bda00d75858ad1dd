"""Small real networks with the layers that the bundle's graphs have, exported by PyTorch.

They are trained on nothing: weights are random but seeded, which is all that passes over graphs
and builders need. Inputs have the names, ranges and shapes that the runtime uses.
"""

from __future__ import annotations

import hashlib
import json
import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import torch
from torch import nn

from edge_ser.bundle_schema import SUBSETS, BundleManifest
from edge_ser.export.precision.clip_set import ClipFeatures, write_clip
from edge_ser.export.precision.onnx_graph import load_model, prepared

LABELS = ("neutral", "happy", "angry")
WIDTH = 16
Samples = list[dict[str, np.ndarray]]


class FaceNetwork(nn.Module):
    """Strided convolutions with batch norm, as face encoders have them; faces are 0..255."""

    def __init__(self) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        for a, b in ((3, 16), (16, 32), (32, 64)):
            layers += [nn.Conv2d(a, b, 3, stride=2, padding=1), nn.BatchNorm2d(b), nn.ReLU()]
        self.body = nn.Sequential(*layers)
        self.last = nn.Linear(64, WIDTH)

    def forward(self, faces: torch.Tensor) -> torch.Tensor:
        x = self.body((faces - 127.5) / 127.5)
        return self.last(x.mean(dim=(2, 3)))


class TransformerLayer(nn.Module):
    """Attention with an additive mask, and a feed-forward part with GELU."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.query = nn.Linear(width, 3 * width)
        self.out = nn.Linear(width, width)
        self.up, self.down = nn.Linear(width, 2 * width), nn.Linear(2 * width, width)
        self.first, self.second = nn.LayerNorm(width), nn.LayerNorm(width)

    def forward(self, x: torch.Tensor, bias: torch.Tensor) -> torch.Tensor:
        size = x.shape[-1] // self.heads
        q, k, v = (
            t.unflatten(-1, (self.heads, size)).transpose(1, 2)
            for t in self.query(self.first(x)).chunk(3, -1)
        )
        weights = torch.softmax(q @ k.transpose(-1, -2) / size**0.5 + bias, -1)
        x = x + self.out((weights @ v).transpose(1, 2).flatten(2))
        return x + self.down(nn.functional.gelu(self.up(self.second(x))))


class TextNetwork(nn.Module):
    """Embedding and two transformer layers; masked tokens get the smallest float as a bias."""

    def __init__(self) -> None:
        super().__init__()
        self.embedding = nn.Embedding(1000, 48)
        self.layers = nn.ModuleList(TransformerLayer(48, 4) for _ in range(2))
        self.last = nn.Linear(48, WIDTH)

    def forward(self, input_ids: torch.Tensor, attention_mask: torch.Tensor) -> torch.Tensor:
        bias = (1.0 - attention_mask[:, None, None, :].float()) * torch.finfo(torch.float32).min
        x = self.embedding(input_ids)
        for layer in self.layers:
            x = layer(x, bias)
        return self.last(x)


class AcousticNetwork(nn.Module):
    """Log-mel through strided convolution and a transformer layer, prosody through a GRU."""

    def __init__(self) -> None:
        super().__init__()
        self.mel = nn.Conv1d(80, 32, 3, stride=2, padding=1)
        self.layer = TransformerLayer(32, 4)
        self.prosody = nn.Conv1d(24, 32, 5, padding=2)
        self.gru = nn.GRU(32, 16, batch_first=True, bidirectional=True)
        self.last = nn.Linear(96, WIDTH)

    def forward(self, log_mel: torch.Tensor, prosody: torch.Tensor) -> torch.Tensor:
        x = nn.functional.gelu(self.mel(log_mel)).transpose(1, 2)
        x = self.layer(x, torch.zeros(1))
        y = torch.relu(self.prosody(prosody.transpose(1, 2))).transpose(1, 2)
        y, _ = self.gru(y)
        mean = y.mean(dim=1)
        deviation = torch.sqrt(((y - mean[:, None]) ** 2).mean(dim=1) + 1e-6)
        return self.last(torch.cat([x.mean(dim=1), mean, deviation], -1))[:, None]


class DetectorNetwork(nn.Module):
    """Two heads over a convolution, with the shapes of BlazeFace."""

    def __init__(self) -> None:
        super().__init__()
        self.body = nn.Conv2d(3, 8, 5, stride=16, padding=2)
        self.boxes, self.scores = nn.Conv2d(8, 14 * 16, 1), nn.Conv2d(8, 14, 1)

    def forward(self, image: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        x = torch.relu(self.body(image / 127.5 - 1.0))
        boxes = self.boxes(x).permute(0, 2, 3, 1).reshape(1, 896, 16)
        return boxes, self.scores(x).permute(0, 2, 3, 1).reshape(1, 896, 1)


class FusionNetwork(nn.Module):
    """Attention over the tokens of all modalities, absent ones masked."""

    def __init__(self) -> None:
        super().__init__()
        self.layer = TransformerLayer(WIDTH, 2)
        self.last = nn.Linear(WIDTH, len(LABELS))

    def forward(self, *given: torch.Tensor) -> torch.Tensor:
        tokens, mask = torch.cat(given[::2], 1), torch.cat(given[1::2], 1)
        x = self.layer(tokens, (1.0 - mask[:, None, None, :]) * -1e4)
        pooled = (x * mask[..., None]).sum(1) / mask.sum(1, keepdim=True).clamp(min=1.0)
        return self.last(pooled)


@dataclass(frozen=True)
class Spec:
    """How one network is exported."""

    network: type[nn.Module]
    inputs: Mapping[str, tuple[str, tuple[int | str, ...]]]
    outputs: Mapping[str, tuple[str, tuple[int | str, ...]]]


_FUSION = {
    f"{m}_{part}": ("float32", ("B", f"N{m[0]}", WIDTH)[: 3 if part == "tokens" else 2])
    for m in ("audio", "text", "video")
    for part in ("tokens", "mask")
}
SPECS = {
    "acoustic": Spec(
        AcousticNetwork,
        {"log_mel": ("float32", (1, 80, "T")), "prosody": ("float32", (1, "T", 24))},
        {"audio_tokens": ("float32", (1, 1, WIDTH))},
    ),
    "text": Spec(
        TextNetwork,
        {"input_ids": ("int64", (1, "L")), "attention_mask": ("int64", (1, "L"))},
        {"text_tokens": ("float32", (1, "L", WIDTH))},
    ),
    "face": Spec(
        FaceNetwork,
        {"faces": ("float32", ("N", 3, 112, 112))},
        {"video_tokens": ("float32", ("N", WIDTH))},
    ),
    "fusion": Spec(FusionNetwork, _FUSION, {"logits": ("float32", ("B", len(LABELS)))}),
    "detector": Spec(
        DetectorNetwork,
        {"image": ("float32", (1, 3, 128, 128))},
        {"boxes": ("float32", (1, 896, 16)), "scores": ("float32", (1, 896, 1))},
    ),
}
_SIZES = {"T": 60, "L": 12, "N": 2, "B": 2, "Na": 1, "Nt": 5, "Nv": 3}


def export(name: str, path: Path) -> None:
    """Write one network as ONNX, opset 17."""
    torch.manual_seed(list(SPECS).index(name))
    spec = SPECS[name]
    network = spec.network()
    network.train()
    with torch.no_grad():
        for _ in range(3):  # batch norms learn what faces are like
            if name == "face":
                network(torch.rand(8, 3, 112, 112) * 255)
    example = tuple(
        torch.from_numpy(_values(n, d, s, np.random.default_rng(0)))
        for n, (d, s) in spec.inputs.items()
    )
    axes = {
        n: {i: a for i, a in enumerate(s) if isinstance(a, str)}
        for n, (_, s) in {**spec.inputs, **spec.outputs}.items()
    }
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.onnx.export(
            network.eval(),
            example,
            str(path),
            input_names=list(spec.inputs),
            output_names=list(spec.outputs),
            dynamic_axes=axes,
            opset_version=17,
            dynamo=False,
        )


def _values(
    name: str, dtype: str, shape: tuple[int | str, ...], rng: np.random.Generator
) -> np.ndarray:
    size = [_SIZES[n] if isinstance(n, str) else n for n in shape]
    if name.endswith("mask"):
        return np.ones(size, dtype=dtype)
    if dtype == "int64":
        return rng.integers(1, 1000, size)
    if name in {"faces", "image"}:
        coarse = rng.uniform(0, 255, (*size[:-2], size[-2] // 16, size[-1] // 16))
        return coarse.repeat(16, axis=-2).repeat(16, axis=-1).astype(np.float32)
    return rng.normal(0, 1.5, size).astype(np.float32)


def samples(name: str, count: int = 6) -> Samples:
    """Inputs for a network, of several lengths where lengths are free."""
    rng = np.random.default_rng(list(SPECS).index(name))
    made: Samples = []
    for index in range(count):
        sizes = dict(_SIZES, T=40 + 20 * index, L=4 + 2 * index, N=1 + index % 3)
        sample = {}
        for n, (dtype, shape) in SPECS[name].inputs.items():
            fixed = tuple(sizes[a] if isinstance(a, str) else a for a in shape)
            sample[n] = _values(n, dtype, fixed, rng)
        if name == "text" and index % 2:
            sample["attention_mask"][0, -2:] = 0
        made.append(sample)
    return made


@dataclass(frozen=True)
class Network:
    """A prepared graph and something to feed it."""

    name: str
    model: onnx.ModelProto
    samples: Samples


def make_networks(folder: Path) -> dict[str, Network]:
    """Every network as the passes get it."""
    made = {}
    for name in SPECS:
        path = folder / f"{name}.onnx"
        export(name, path)
        made[name] = Network(name, prepared(load_model(path)), samples(name))
    return made


def make_small_bundle(folder: Path) -> Path:
    """A bundle of these networks with a manifest that is valid."""
    folder.mkdir(parents=True)
    graphs: dict[str, Any] = {}
    for name, spec in SPECS.items():
        path = folder / f"{name}.onnx"
        export(name, path)
        graphs[name] = {
            "file": path.name,
            "sha256": _sha256(path),
            "inputs": {n: {"dtype": d, "shape": list(s)} for n, (d, s) in spec.inputs.items()},
            "outputs": {n: {"dtype": d, "shape": list(s)} for n, (d, s) in spec.outputs.items()},
        }
    (folder / "tokenizer.json").write_text("{}")
    manifest = {
        "schema_version": 1,
        "name": "small",
        "version": "0.0.1",
        "labels": LABELS,
        "frontend": {"audio": {"log_mel": {}, "mfcc": {}, "pitch": {}}, "text": {}, "video": {}},
        "graphs": graphs,
        "tokenizer": {"file": "tokenizer.json", "sha256": _sha256(folder / "tokenizer.json")},
        "calibration": {subset: {} for subset in SUBSETS},
        "training": {
            "data": [],
            "pairing": "none",
            "held_out": "",
            "command": "",
            "seed": 0,
        },
        "licence": "none",
        "intended_use": "tests",
        "not_for": "anything else",
    }
    checked = BundleManifest.model_validate(manifest)
    (folder / "bundle.json").write_text(json.dumps(checked.model_dump(mode="json")))
    return folder


def make_clips(folder: Path, count: int = 12) -> Path:
    """A set of clips that fits the small bundle: some without words, some without faces."""
    inputs = {name: samples(name, count) for name in ("acoustic", "text", "face", "detector")}
    for index in range(count):
        tensors = dict(inputs["acoustic"][index])
        if index % 4 != 1:
            tensors |= inputs["text"][index]
        if index % 4 != 2:
            tensors |= inputs["face"][index] | inputs["detector"][index]
        label, speaker = LABELS[index % len(LABELS)], f"speaker{index % 4}"
        write_clip(folder, ClipFeatures(f"clip{index:02d}", label, speaker, tensors))
    return folder


def _sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()
