"""The face encoder computes what its published description says."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from scipy.signal import correlate

from edge_ser.constants import EMOTIONS
from edge_ser.errors import ConfigError
from edge_ser.export.encoders.face import FACE_LABELS, FaceEncoder, load_face_encoder

CHANNELS = (3, 32, 64, 128, 256)


@pytest.fixture(scope="module")
def weights() -> dict[str, np.ndarray]:
    rng = np.random.default_rng(0)
    made: dict[str, np.ndarray] = {}
    for block in range(4):
        for number in range(4):
            inside = CHANNELS[block] if number == 0 else CHANNELS[block + 1]
            outside, name = CHANNELS[block + 1], f"dense{block}/conv{number}"
            if block == 0 and number == 0:
                made[f"{name}/filters"] = rng.normal(0, 0.2, (3, 3, inside, outside))
            else:
                made[f"{name}/depthwise_filter"] = rng.normal(0, 0.3, (3, 3, inside, 1))
                made[f"{name}/pointwise_filter"] = rng.normal(
                    0, 1.0 / np.sqrt(inside), (1, 1, inside, outside)
                )
            made[f"{name}/bias"] = rng.normal(0, 0.1, outside)
    made["fc/weights"] = rng.normal(0, 0.1, (256, 7))
    made["fc/bias"] = rng.normal(0, 0.1, 7)
    return {name: values.astype(np.float32) for name, values in made.items()}


@pytest.fixture(scope="module")
def folder(weights: dict[str, np.ndarray], tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("face")
    entries = [
        {"name": name, "shape": list(values.shape), "dtype": "float32"}
        for name, values in weights.items()
    ]
    manifest = [{"paths": ["face_expression_model.bin"], "weights": entries}]
    (path / "face_expression_model-weights_manifest.json").write_text(json.dumps(manifest))
    data = b"".join(values.tobytes() for values in weights.values())
    (path / "face_expression_model.bin").write_bytes(data)
    return path


def same(x: np.ndarray, filters: np.ndarray, stride: int) -> np.ndarray:
    """TensorFlow's convolution with padding ``same`` of one picture [H, W, C], from its text."""
    out = -(-x.shape[0] // stride)
    total = max((out - 1) * stride + 3 - x.shape[0], 0)
    border = (total // 2, total - total // 2)
    padded = np.pad(x, (border, border, (0, 0)))
    result = np.stack(
        [
            correlate(padded, filters[:, :, :, k], mode="valid")[:, :, 0]
            for k in range(filters.shape[3])
        ],
        axis=2,
    )
    return result[::stride, ::stride]


def separable(x: np.ndarray, weights: dict[str, np.ndarray], name: str, stride: int) -> np.ndarray:
    depthwise = weights[f"{name}/depthwise_filter"]
    parts = [same(x[:, :, [c]], depthwise[:, :, [c], :], stride) for c in range(x.shape[2])]
    pointwise = weights[f"{name}/pointwise_filter"][0, 0]
    return np.concatenate(parts, axis=2) @ pointwise + weights[f"{name}/bias"]


def reference(picture: np.ndarray, weights: dict[str, np.ndarray]) -> np.ndarray:
    x = (picture - np.asarray([122.782, 117.001, 104.298])) / 255.0
    for block in range(4):
        name = f"dense{block}"
        if block == 0:
            first = same(x, weights[f"{name}/conv0/filters"], 2) + weights[f"{name}/conv0/bias"]
        else:
            first = separable(x, weights, f"{name}/conv0", 2)
        one = np.maximum(first, 0)
        two = separable(one, weights, f"{name}/conv1", 1)
        three = separable(np.maximum(one + two, 0), weights, f"{name}/conv2", 1)
        four = separable(np.maximum(one + two + three, 0), weights, f"{name}/conv3", 1)
        x = np.maximum(one + two + three + four, 0)
    return np.asarray(x.mean(axis=(0, 1)))


def test_it_answers_as_its_description_does(folder: Path, weights: dict[str, np.ndarray]) -> None:
    picture = np.random.default_rng(1).uniform(0, 255, (112, 112, 3))
    encoder = load_face_encoder(folder, with_logits=True)
    faces = torch.from_numpy(picture.transpose(2, 0, 1)[None].astype(np.float32))
    with torch.no_grad():
        features, logits = encoder(faces)
    expected = reference(picture, weights)
    np.testing.assert_allclose(features[0].numpy(), expected, rtol=2e-3, atol=2e-3)
    np.testing.assert_allclose(
        logits[0].numpy(), expected @ weights["fc/weights"] + weights["fc/bias"], atol=5e-3
    )


def test_faces_of_a_batch_do_not_touch_each_other(folder: Path) -> None:
    encoder = load_face_encoder(folder)
    faces = 255 * torch.rand(3, 3, 112, 112)
    with torch.no_grad():
        together = encoder(faces)
        alone = torch.cat([encoder(face[None]) for face in faces])
    assert together.shape == (3, 256)
    torch.testing.assert_close(together, alone, atol=1e-4, rtol=1e-4)


def test_its_classes_are_the_projects() -> None:
    assert FACE_LABELS == EMOTIONS
    assert sum(p.numel() for p in FaceEncoder().parameters()) < 400_000


def test_weights_of_another_network_are_refused(folder: Path, tmp_path: Path) -> None:
    manifest = json.loads((folder / "face_expression_model-weights_manifest.json").read_text())
    last = manifest[0]["weights"].pop()
    assert last["name"] == "fc/bias"
    (tmp_path / "face_expression_model-weights_manifest.json").write_text(json.dumps(manifest))
    data = (folder / "face_expression_model.bin").read_bytes()
    (tmp_path / "face_expression_model.bin").write_bytes(data[: -4 * 7])
    with pytest.raises(ConfigError, match="other weights than a face encoder's"):
        load_face_encoder(tmp_path)
