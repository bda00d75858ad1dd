from __future__ import annotations

from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor, nn

from edge_ser.errors import ConfigError
from edge_ser.export.encoders.face_backbone import load_face_backbone


def _convolution(name: str, out: int, inside: int, side: int) -> dict[str, Tensor]:
    return {f"{name}.weight": torch.randn(out, inside, side, side) / (side * inside**0.5)}


def _norm(name: str, width: int) -> dict[str, Tensor]:
    return {
        f"{name}.weight": torch.rand(width) + 0.5,
        f"{name}.bias": torch.randn(width) * 0.1,
        f"{name}.running_mean": torch.randn(width) * 0.1,
        f"{name}.running_var": torch.rand(width) + 0.5,
    }


def _basic_resnet() -> dict[str, Tensor]:
    weights = {**_convolution("conv1", 4, 3, 7), **_norm("bn1", 4)}
    for stage, (inside, out) in enumerate(((4, 4), (4, 8)), start=1):
        name = f"layer{stage}.0"
        weights |= {**_convolution(f"{name}.conv1", out, inside, 3), **_norm(f"{name}.bn1", out)}
        weights |= {**_convolution(f"{name}.conv2", out, out, 3), **_norm(f"{name}.bn2", out)}
        if inside != out:
            weights |= _convolution(f"{name}.downsample.0", out, inside, 1)
            weights |= _norm(f"{name}.downsample.1", out)
    return {**weights, "fc.weight": torch.randn(7, 8), "fc.bias": torch.randn(7)}


def _apply_norm(x: Tensor, weights: dict[str, Tensor], name: str) -> Tensor:
    return nn.functional.batch_norm(
        x,
        weights[f"{name}.running_mean"],
        weights[f"{name}.running_var"],
        weights[f"{name}.weight"],
        weights[f"{name}.bias"],
    )


def _expected_resnet(weights: dict[str, Tensor], faces: Tensor) -> Tensor:
    """The network of `_basic_resnet`, written out once more."""
    conv = nn.functional.conv2d
    mean = torch.tensor([0.485, 0.456, 0.406]).reshape(1, 3, 1, 1)
    deviation = torch.tensor([0.229, 0.224, 0.225]).reshape(1, 3, 1, 1)
    x = (faces / 255 - mean) / deviation
    x = torch.relu(_apply_norm(conv(x, weights["conv1.weight"], None, 2, 3), weights, "bn1"))
    x = nn.functional.max_pool2d(x, 3, 2, 1)
    for stage, stride in ((1, 1), (2, 2)):
        name = f"layer{stage}.0"
        first, second = (weights[f"{name}.conv{n}.weight"] for n in (1, 2))
        inner = torch.relu(_apply_norm(conv(x, first, None, stride, 1), weights, f"{name}.bn1"))
        inner = _apply_norm(conv(inner, second, None, 1, 1), weights, f"{name}.bn2")
        if f"{name}.downsample.0.weight" in weights:
            x = conv(x, weights[f"{name}.downsample.0.weight"], None, stride)
            x = _apply_norm(x, weights, f"{name}.downsample.1")
        x = torch.relu(inner + x)
    return x.mean((2, 3))


def test_a_resnet_is_built_from_its_weights(tmp_path: Path) -> None:
    torch.manual_seed(1)
    weights = _basic_resnet()
    faces = torch.rand(2, 3, 112, 112) * 255
    wanted = _expected_resnet(weights, faces)
    save_file(weights, str(tmp_path / "face.safetensors"))
    torch.save({"state_dict": {f"module.{k}": v for k, v in weights.items()}}, tmp_path / "face.pt")
    for name in ("face.safetensors", "face.pt"):
        backbone = load_face_backbone(tmp_path / name)
        assert backbone.width == 8
        with torch.no_grad():
            assert torch.allclose(backbone(faces), wanted, atol=1e-4)


def test_a_bottleneck_with_groups_strides_where_torchvision_does(tmp_path: Path) -> None:
    weights = {**_convolution("conv1", 4, 3, 7), **_norm("bn1", 4)}
    for stage, inside in ((1, 4), (2, 16)):
        name = f"layer{stage}.0"
        for number, (out, part, side) in enumerate(((8, inside, 1), (8, 2, 3), (16, 8, 1)), 1):
            weights |= _convolution(f"{name}.conv{number}", out, part, side)
            weights |= _norm(f"{name}.bn{number}", out)
        weights |= _convolution(f"{name}.downsample.0", 16, inside, 1)
        weights |= _norm(f"{name}.downsample.1", 16)
    save_file(weights, str(tmp_path / "face.safetensors"))
    backbone = load_face_backbone(tmp_path / "face.safetensors")
    second = backbone.network.get_submodule("layer2.0.conv2")
    assert isinstance(second, nn.Conv2d)
    assert (second.stride, second.groups) == ((2, 2), 4)
    assert backbone(torch.rand(1, 3, 112, 112)).shape == (1, 16)


@pytest.mark.parametrize("normalised", [False, True])
def test_a_vgg_pools_where_places_are_missing(tmp_path: Path, normalised: bool) -> None:
    weights: dict[str, Tensor] = {}
    place, inside = 0, 3
    for out, pooled in ((4, True), (6, False), (8, True)):
        weights |= _convolution(f"features.{place}", out, inside, 3)
        weights[f"features.{place}.bias"] = torch.randn(out)
        if normalised:
            weights |= _norm(f"features.{place + 1}", out)
        place += (3 if normalised else 2) + pooled
        inside = out
    weights["classifier.0.weight"] = torch.randn(7, 8)
    save_file(weights, str(tmp_path / "face.safetensors"))
    backbone = load_face_backbone(tmp_path / "face.safetensors").eval()
    pools = [m for m in backbone.network.modules() if isinstance(m, nn.MaxPool2d)]
    assert (backbone.width, len(pools)) == (8, 1)
    assert backbone(torch.rand(2, 3, 112, 112)).shape == (2, 8)


class _Payload:
    def __reduce__(self) -> tuple[object, ...]:
        return (Path.touch, (Path("harm"),))


def test_files_that_are_no_weights_are_refused_and_never_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    torch.save({"state_dict": _Payload()}, tmp_path / "evil.pt")
    with pytest.raises(ConfigError, match="more than tensors"):
        load_face_backbone(tmp_path / "evil.pt")
    assert not (tmp_path / "harm").exists()
    (tmp_path / "cut.safetensors").write_bytes(b"\x10\x00")
    with pytest.raises(ConfigError, match="cannot be read"):
        load_face_backbone(tmp_path / "cut.safetensors")
    save_file({"other.weight": torch.zeros(1)}, str(tmp_path / "other.safetensors"))
    with pytest.raises(ConfigError, match="neither a ResNet"):
        load_face_backbone(tmp_path / "other.safetensors")
    half = {k: v for k, v in _basic_resnet().items() if not k.startswith("layer2.0.bn2")}
    save_file(half, str(tmp_path / "half.safetensors"))
    with pytest.raises(ConfigError, match="no whole ResNet"):
        load_face_backbone(tmp_path / "half.safetensors")
