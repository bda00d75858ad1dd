"""The bill of materials names everything that ships, with hashes and licences."""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path

import pytest

from edge_ser.bundles.loading import default_bundle_path, read_manifest
from edge_ser.files import file_sha256
from tools.bill_of_materials import main

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib


def test_everything_that_ships_is_on_the_bill(
    capsys: pytest.CaptureFixture[str], repository: Path
) -> None:
    assert main([]) == 0
    bill = json.loads(capsys.readouterr().out)
    assert (bill["bomFormat"], bill["specVersion"]) == ("CycloneDX", "1.6")
    assert bill["metadata"]["component"]["name"] == "edge-ser"
    listed = {component["name"]: component for component in bill["components"]}
    project = tomllib.loads((repository / "pyproject.toml").read_text())["project"]
    needed = {re.split(r"[\[<>=;! ]", entry)[0].lower() for entry in project["dependencies"]}
    assert needed <= set(listed)
    assert "torch" not in listed
    shipped = read_manifest(default_bundle_path())
    for entry in shipped.manifest.files():
        hashes = {h["alg"]: h["content"] for h in listed[entry.file]["hashes"]}
        assert hashes == {"SHA-256": entry.sha256}
    for graph in shipped.manifest.graphs.values():
        assert listed[graph.file]["licenses"]
    detector = repository / "edge_ser/speech/weights/silero_vad.onnx"
    found = listed["speech/weights/silero_vad.onnx"]
    assert found["hashes"][0]["content"] == file_sha256(detector)
    model = listed[shipped.manifest.name]
    assert model["type"] == "machine-learning-model"
    assert model["licenses"]


def test_every_weight_of_the_package_is_known(repository: Path) -> None:
    text = (repository / "tools/bill_of_materials.py").read_text()
    weights = [
        path.relative_to(repository / "edge_ser").as_posix()
        for path in (repository / "edge_ser").rglob("*")
        if path.suffix in (".onnx", ".mp4", ".npz", ".bin", ".safetensors")
        and "bundles" not in path.parts
    ]
    assert weights
    assert all(f'"{weight}"' in text for weight in weights)


def test_a_bundle_that_is_none_is_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([str(tmp_path)]) == 2
    assert "holds no bundle.json" in capsys.readouterr().err
