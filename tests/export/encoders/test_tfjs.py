"""TensorFlow.js weights come back as they were meant, from a folder and from an npm package."""

from __future__ import annotations

import io
import json
import tarfile
from pathlib import Path

import numpy as np
import pytest

from edge_ser.errors import ConfigError
from edge_ser.export.encoders.tfjs import read_tfjs_weights

NAME = "net-weights_manifest.json"
QUANTISED = np.asarray([[0, 1], [128, 255]], np.uint8)
BIAS = np.asarray([0.5, -2.0, 3.0], np.float32)
HALF = np.asarray([1.5, -0.25], np.float16)
MANIFEST = [
    {
        "paths": ["net-shard1.bin", "net-shard2.bin"],
        "weights": [
            {
                "name": "q",
                "shape": [2, 2],
                "dtype": "float32",
                "quantization": {"dtype": "uint8", "scale": 0.5, "min": -10.0},
            },
            {"name": "bias", "shape": [3], "dtype": "float32"},
            {
                "name": "half",
                "shape": [2],
                "dtype": "float32",
                "quantization": {"dtype": "float16"},
            },
        ],
    }
]
DATA = QUANTISED.tobytes() + BIAS.tobytes() + HALF.tobytes()


def write(folder: Path, data: bytes = DATA, manifest: object = MANIFEST) -> Path:
    model = folder / "package" / "model"
    model.mkdir(parents=True)
    (model / NAME).write_text(json.dumps(manifest))
    (model / "net-shard1.bin").write_bytes(data[:7])
    (model / "net-shard2.bin").write_bytes(data[7:])
    return folder


def packed(folder: Path) -> Path:
    path = folder / "net.tgz"
    with tarfile.open(path, "w:gz") as archive:
        for file in sorted((folder / "package").rglob("*")):
            if file.is_file():
                raw = file.read_bytes()
                member = tarfile.TarInfo(file.relative_to(folder).as_posix())
                member.size = len(raw)
                archive.addfile(member, io.BytesIO(raw))
    return path


@pytest.mark.parametrize("kind", ["folder", "package"])
def test_weights_are_dequantised(tmp_path: Path, kind: str) -> None:
    folder = write(tmp_path)
    weights = read_tfjs_weights(folder if kind == "folder" else packed(folder), NAME)
    assert {w.dtype for w in weights.values()} == {np.dtype(np.float32)}
    np.testing.assert_array_equal(weights["q"], [[-10.0, -9.5], [54.0, 117.5]])
    np.testing.assert_array_equal(weights["bias"], BIAS)
    np.testing.assert_array_equal(weights["half"], [1.5, -0.25])


@pytest.mark.parametrize("data", [DATA[:-1], DATA + b"x"])
def test_data_of_another_length_is_refused(tmp_path: Path, data: bytes) -> None:
    with pytest.raises(ConfigError, match="damaged"):
        read_tfjs_weights(write(tmp_path, data), NAME)


def test_a_damaged_manifest_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="damaged"):
        read_tfjs_weights(write(tmp_path, manifest=[{"weights": []}]), NAME)


def test_missing_files_are_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="holds no other"):
        read_tfjs_weights(write(tmp_path), "other")
    (tmp_path / "package" / "model" / "net-shard2.bin").unlink()
    with pytest.raises(ConfigError, match="net-shard2"):
        read_tfjs_weights(tmp_path, NAME)
    with pytest.raises(ConfigError, match="net-shard2"):
        read_tfjs_weights(packed(tmp_path), NAME)
    with pytest.raises(ConfigError, match=r"nowhere\.tgz"):
        read_tfjs_weights(tmp_path / "nowhere.tgz", NAME)
