"""A bundle that is not what its manifest says is refused before anything of it runs."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from fixtures.bundle_factory import make_bundle

from edge_ser import EdgeRecognizer
from edge_ser.bundles.loading import check_files, default_bundle_path, load_bundle, read_manifest
from edge_ser.bundles.schema import SUBSETS, BundleManifest, next_version, subset_name
from edge_ser.constants import EMOTIONS
from edge_ser.errors import BundleError


def test_the_shipped_bundle_is_whole_and_small() -> None:
    bundle = load_bundle()
    assert bundle.manifest.labels == EMOTIONS
    assert {c.state for c in check_files(bundle)} == {"ok"}
    assert bundle.size() <= 40_000_000


def test_the_shipped_bundle_has_card_and_licences() -> None:
    bundle = load_bundle()
    card = bundle.path(bundle.manifest.documents["card"]).read_text(encoding="utf-8")
    for needed in ("RAVDESS", "GoEmotions", "FER2013", "label-paired", "chance", "must not"):
        assert needed.lower() in card.lower(), needed
    assert any("licence" in name for name in bundle.manifest.documents)
    for entry in bundle.manifest.graphs.values():
        assert entry.licence


def test_subsets_are_the_seven() -> None:
    assert len(SUBSETS) == 7
    assert subset_name(["video", "audio"]) == "audio+video"


def test_a_folder_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(BundleError, match="does not exist"):
        load_bundle(tmp_path / "nowhere")


def test_a_file_instead_of_a_folder(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(BundleError, match="is a file, not a folder"):
        load_bundle(tmp_path / "file")


def test_a_folder_without_a_manifest(tmp_path: Path) -> None:
    with pytest.raises(BundleError, match=r"holds no bundle\.json"):
        load_bundle(tmp_path)


@pytest.mark.parametrize("content", [b"", b"{", b"\xff\xfe", b"[" * 100_000])
def test_a_manifest_that_is_not_json(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "bundle.json").write_bytes(content)
    with pytest.raises(BundleError, match="not valid JSON"):
        load_bundle(tmp_path)


@pytest.mark.parametrize("version", [None, 0, 2, "1", [1]])
def test_an_unknown_version(tmp_path: Path, version: Any) -> None:
    folder = make_bundle(tmp_path, lambda m: m.update(schema_version=version))
    with pytest.raises(BundleError, match="schema version"):
        load_bundle(folder)


@pytest.mark.parametrize("content", ["[]", "3", "null", '"text"'])
def test_a_manifest_of_another_kind(tmp_path: Path, content: str) -> None:
    (tmp_path / "bundle.json").write_text(content)
    with pytest.raises(BundleError, match="schema version None"):
        load_bundle(tmp_path)


def test_one_changed_byte(tmp_path: Path) -> None:
    folder = make_bundle(tmp_path)
    graph = folder / "fusion.onnx"
    content = bytearray(graph.read_bytes())
    content[len(content) // 2] ^= 1
    graph.write_bytes(content)
    with pytest.raises(BundleError, match=r"fusion\.onnx: wrong hash"):
        load_bundle(folder)


def test_a_missing_file(tmp_path: Path) -> None:
    folder = make_bundle(tmp_path)
    (folder / "text.onnx").unlink()
    with pytest.raises(BundleError, match=r"text\.onnx: missing"):
        load_bundle(folder)


@pytest.mark.parametrize("path", ["../outside.onnx", "/etc/passwd", "a/../../b", "C:/x", "~/x"])
def test_a_path_that_leaves_the_folder(tmp_path: Path, path: str) -> None:
    def change(manifest: dict[str, Any]) -> None:
        manifest["graphs"]["text"]["file"] = path

    with pytest.raises(BundleError, match="leaves the bundle's folder"):
        load_bundle(make_bundle(tmp_path / "bundle", change))


def test_a_link_that_leaves_the_folder(tmp_path: Path) -> None:
    folder = make_bundle(tmp_path / "bundle")
    graph = folder / "text.onnx"
    graph.rename(tmp_path / "outside.onnx")
    graph.symlink_to(tmp_path / "outside.onnx")
    with pytest.raises(BundleError, match="outside the folder"):
        load_bundle(folder)
    with pytest.raises(BundleError, match=r"is made of links: .*cp -rL"):
        load_bundle(folder)
    bundle = read_manifest(folder)
    with pytest.raises(BundleError, match=r"'text\.onnx' is a link that leads outside.*cp -rL"):
        bundle.graph_path("text")


@pytest.mark.parametrize("below", ["", "models/small"])
def test_a_bundle_in_a_hubs_cache_is_followed_to_its_files(tmp_path: Path, below: str) -> None:
    repository = tmp_path / "hub" / "models--org--ser"
    snapshot = make_bundle(repository / "snapshots" / "0123abcd" / below)
    (repository / "blobs").mkdir()
    for number, file in enumerate(sorted(p for p in snapshot.rglob("*") if p.is_file())):
        blob = file.replace(repository / "blobs" / f"{number:040x}")
        file.symlink_to(os.path.relpath(blob, file.parent))
    (tmp_path / "ser").symlink_to(snapshot)
    for folder in (snapshot, tmp_path / "ser"):
        bundle = load_bundle(folder)
        assert bundle.size() > 0
        assert bundle.graph_path("face").parent == repository / "blobs"
    with EdgeRecognizer(snapshot) as recognizer:
        assert recognizer.labels == bundle.manifest.labels


def test_a_cache_gives_no_way_to_other_repositories(tmp_path: Path) -> None:
    snapshot = make_bundle(tmp_path / "models--org--ser" / "snapshots" / "0123abcd")
    other = tmp_path / "models--else" / "blobs"
    other.mkdir(parents=True)
    graph = (snapshot / "face.onnx").replace(other / "face.onnx")
    (snapshot / "face.onnx").symlink_to(graph)
    with pytest.raises(BundleError, match="outside the folder"):
        load_bundle(snapshot)


def test_line_ends_that_git_changed_are_told_from_damage(tmp_path: Path) -> None:
    folder = make_bundle(tmp_path / "bundle")
    tokenizer = folder / "tokenizer.json"
    lines = json.dumps(json.loads(tokenizer.read_text()), indent=1).encode()
    manifest = json.loads((folder / "bundle.json").read_text())
    manifest["tokenizer"]["sha256"] = hashlib.sha256(lines).hexdigest()
    (folder / "bundle.json").write_text(json.dumps(manifest))
    tokenizer.write_bytes(lines)
    load_bundle(folder)
    tokenizer.write_bytes(lines.replace(b"\n", b"\r\n"))
    with pytest.raises(BundleError, match=r"tokenizer\.json: wrong hash \(git changed its"):
        load_bundle(folder)
    tokenizer.write_bytes(lines[:-1])
    with pytest.raises(BundleError, match=r"tokenizer\.json: wrong hash \(is "):
        load_bundle(folder)


def test_git_keeps_every_file_of_the_shipped_bundle_as_it_is() -> None:
    files = [p for p in default_bundle_path().rglob("*") if p.is_file()]
    assert len(files) > 8
    told = subprocess.run(
        ["git", "check-attr", "text", "--", *files],
        cwd=Path(__file__).parent,
        capture_output=True,
        text=True,
        check=True,
    )
    assert {line.rpartition(": ")[2] for line in told.stdout.splitlines()} == {"unset"}


def _without_a_graph(manifest: dict[str, Any]) -> None:
    del manifest["graphs"]["face"]


def _unknown_key(manifest: dict[str, Any]) -> None:
    manifest["surprise"] = 1


def _missing_subset(manifest: dict[str, Any]) -> None:
    del manifest["calibration"]["audio+video"]


def _zero_temperature(manifest: dict[str, Any]) -> None:
    manifest["calibration"]["audio"]["temperature"] = 0.0


def _label_twice(manifest: dict[str, Any]) -> None:
    manifest["labels"] = ["happy", "happy"]


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (_without_a_graph, "face"),
        (_unknown_key, "surprise"),
        (_missing_subset, "calibration"),
        (_zero_temperature, "temperature"),
        (_label_twice, "twice"),
    ],
)
def test_a_manifest_that_breaks_the_schema(
    tmp_path: Path, change: Callable[[dict[str, Any]], None], says: str
) -> None:
    with pytest.raises(BundleError, match=says):
        load_bundle(make_bundle(tmp_path, change))


def test_the_digest_follows_the_content(tmp_path: Path) -> None:
    one = read_manifest(make_bundle(tmp_path / "one"))
    two = read_manifest(make_bundle(tmp_path / "two", lambda m: m.update(version="0.0.2")))
    assert one.digest != two.digest
    assert one.digest == read_manifest(tmp_path / "one").digest


def test_manifest_round_trips() -> None:
    manifest = read_manifest(default_bundle_path()).manifest
    assert BundleManifest.model_validate_json(manifest.model_dump_json()) == manifest


@pytest.mark.parametrize("bias", [[0.1, 0.2], [float("nan")] * 7])
def test_biases_that_do_not_fit_the_labels_are_refused(tmp_path: Path, bias: list[float]) -> None:
    def change(manifest: dict[str, Any]) -> None:
        manifest["calibration"]["text"]["bias"] = bias

    with pytest.raises(BundleError, match="bias"):
        read_manifest(make_bundle(tmp_path, change))


def test_the_last_number_of_a_version_is_raised() -> None:
    assert next_version("0.1.9") == "0.1.10"
