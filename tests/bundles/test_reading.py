"""What of a bundle was verified is what runs, and nothing but plain files is ever opened."""

from __future__ import annotations

import hashlib
import json
import os
import socket
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from fixtures.bundle_factory import LABELS, make_bundle
from onnx import TensorProto, helper

from edge_ser import EdgeRecognizer
from edge_ser.bundles.loading import check_files, load_bundle, read_manifest
from edge_ser.bundles.schema import GRAPHS
from edge_ser.errors import BundleError, EdgeSerError, EngineError

NOISE = np.random.default_rng(1).normal(0, 0.1, 32_000).astype(np.float32)


def fifo(path: Path) -> None:
    os.mkfifo(path)


def endless(path: Path) -> None:
    path.symlink_to("/dev/zero")


def loop(path: Path) -> None:
    path.symlink_to(path.name)


def folder(path: Path) -> None:
    path.mkdir()


def listener(path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as made:
        here = Path.cwd()
        os.chdir(path.parent)  # its name may have 107 bytes
        try:
            made.bind(path.name)
        finally:
            os.chdir(here)


def huge(path: Path) -> None:
    with path.open("wb") as stream:
        stream.truncate(3 << 30)


def of_the_system(path: Path) -> None:
    path.symlink_to("/proc/self/maps")


ODD = [fifo, endless, loop, folder, listener, huge, of_the_system]


@pytest.mark.parametrize("odd", ODD)
@pytest.mark.parametrize("name", ["bundle.json", "text.onnx", "tokenizer.json"])
def test_what_is_no_plain_file_is_refused_at_once(
    tmp_path: Path, name: str, odd: Callable[[Path], None]
) -> None:
    bundle = make_bundle(tmp_path / "bundle")
    (bundle / name).unlink()
    odd(bundle / name)
    started = time.monotonic()
    with pytest.raises(BundleError, match=name):
        load_bundle(bundle)
    assert time.monotonic() - started < 5


@pytest.mark.parametrize("odd", [fifo, endless, loop])
def test_what_is_no_plain_file_is_told_by_verification(
    tmp_path: Path, odd: Callable[[Path], None]
) -> None:
    bundle = make_bundle(tmp_path / "bundle")
    (bundle / "face.onnx").unlink()
    odd(bundle / "face.onnx")
    states = {c.file: c.state for c in check_files(read_manifest(bundle))}
    assert states.pop("face.onnx") in ("unreadable", "outside the folder")
    assert set(states.values()) == {"ok"}


def test_a_file_that_is_exchanged_after_it_was_verified_never_runs(tmp_path: Path) -> None:
    folder = make_bundle(tmp_path / "bundle")
    with EdgeRecognizer(folder) as recognizer:
        expected = recognizer.recognize((NOISE, 16_000)).probabilities
    bundle = load_bundle(folder)
    for file in folder.glob("*.onnx"):
        file.write_bytes(b"another program")
    (folder / "tokenizer.json").write_text("{}")
    with EdgeRecognizer(bundle) as recognizer:
        assert recognizer.recognize((NOISE, 16_000)).probabilities == expected
    with pytest.raises(BundleError, match="wrong hash"):
        EdgeRecognizer(bundle)  # what was verified has been used up: the file is verified again


def test_every_file_is_read_once_from_hash_to_session(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = make_bundle(tmp_path / "bundle")
    opened: list[str] = []
    real = os.open

    def counting(path: Any, *rest: Any, **options: Any) -> int:
        opened.append(os.fspath(path))
        return real(path, *rest, **options)

    monkeypatch.setattr(os, "open", counting)
    EdgeRecognizer(folder).close()
    own = [Path(p).name for p in opened if Path(p).parent == folder]
    assert sorted(own) == sorted(["bundle.json", "tokenizer.json", *(f"{g}.onnx" for g in GRAPHS)])


def test_a_bundle_that_nobody_verified_is_verified_when_it_is_opened(tmp_path: Path) -> None:
    folder = make_bundle(tmp_path / "bundle")
    bundle = read_manifest(folder)
    (folder / "fusion.onnx").write_bytes(b"another program")
    with pytest.raises(BundleError, match=r"fusion\.onnx: wrong hash"):
        EdgeRecognizer(bundle)


@pytest.mark.parametrize("place", ["top", "graph"])
def test_a_key_that_is_there_twice_is_refused(tmp_path: Path, place: str) -> None:
    folder = make_bundle(tmp_path / "bundle")
    text = (folder / "bundle.json").read_text()
    twice = {"top": ('"name":', '"name": "other", "name":'), "graph": ('"fusion":', '"face":')}
    (folder / "bundle.json").write_text(text.replace(*twice[place], 1))
    with pytest.raises(BundleError, match=r"the key '(name|face)' is there twice"):
        load_bundle(folder)


def change_graph(folder: Path, name: str, change: Callable[[onnx.ModelProto], None]) -> None:
    """Change a graph of a bundle, and its hash in the manifest."""
    model = onnx.load(folder / f"{name}.onnx")
    change(model)
    content = model.SerializeToString()
    (folder / f"{name}.onnx").write_bytes(content)
    manifest = json.loads((folder / "bundle.json").read_text())
    manifest["graphs"][name]["sha256"] = hashlib.sha256(content).hexdigest()
    (folder / "bundle.json").write_text(json.dumps(manifest))


def outside(tensor: onnx.TensorProto, location: str) -> None:
    tensor.ClearField("raw_data")
    tensor.data_location = TensorProto.EXTERNAL
    tensor.external_data.add(key="location", value=location)


def weights_outside(location: str) -> Callable[[onnx.ModelProto], None]:
    return lambda model: outside(model.graph.initializer[0], location)


def weights_outside_in_a_branch(model: onnx.ModelProto) -> None:
    def constant() -> onnx.GraphProto:
        value = helper.make_tensor("w", TensorProto.FLOAT, [1], [1.0])
        outside(value, "weights.bin")
        node = helper.make_node("Constant", [], ["out"], value=value)
        out = helper.make_tensor_value_info("out", TensorProto.FLOAT, [1])
        return helper.make_graph([node], "branch", [], [out])

    branch = helper.make_node(
        "If", ["yes"], ["unused"], then_branch=constant(), else_branch=constant()
    )
    model.graph.initializer.append(helper.make_tensor("yes", TensorProto.BOOL, [], [True]))
    model.graph.node.append(branch)


def custom_operator(model: onnx.ModelProto) -> None:
    model.graph.node[0].domain = "com.attacker"
    model.opset_import.append(helper.make_opsetid("com.attacker", 1))


def compiled_elsewhere(model: onnx.ModelProto) -> None:
    node = helper.make_node("EPContext", [], ["unused"], domain="com.microsoft", embed_mode=0)
    model.graph.node.append(node)


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (weights_outside("/etc/passwd"), "lies in another file"),
        (weights_outside("../weights.bin"), "lies in another file"),
        (weights_outside("weights.bin"), "lies in another file"),
        (weights_outside("*/_ORT_MEM_ADDR_/*"), "lies in another file"),
        (weights_outside_in_a_branch, "lies in another file"),
        (custom_operator, r"custom operator 'com\.attacker:"),
        (compiled_elsewhere, "compiled code that lies elsewhere"),
    ],
)
def test_a_graph_reaches_for_nothing_outside_itself(
    tmp_path: Path, change: Callable[[onnx.ModelProto], None], says: str
) -> None:
    folder = make_bundle(tmp_path / "bundle")
    (folder / "weights.bin").write_bytes(bytes(1 << 20))
    change_graph(folder, "text", change)
    with pytest.raises(BundleError, match=rf"more than a bundle may: text\.onnx: .*{says}"):
        EdgeRecognizer(folder)


def test_functions_that_a_graph_brings_itself_are_no_custom_operators(tmp_path: Path) -> None:
    def as_function(model: onnx.ModelProto) -> None:
        model.functions.append(
            helper.make_function(
                "own",
                "Double",
                ["x"],
                ["y"],
                [helper.make_node("Add", ["x", "x"], ["y"])],
                [helper.make_opsetid("", 17)],
            )
        )
        model.opset_import.append(helper.make_opsetid("own", 1))
        last = model.graph.node[-1]
        last.output[0] = "before"
        model.graph.node.append(helper.make_node("Double", ["before"], ["logits"], domain="own"))

    folder = make_bundle(tmp_path / "bundle")
    change_graph(folder, "fusion", as_function)
    EdgeRecognizer(folder).close()


def test_a_graph_that_is_no_protobuf_is_refused(tmp_path: Path) -> None:
    folder = make_bundle(tmp_path / "bundle")
    good = (folder / "face.onnx").read_bytes()
    manifest = json.loads((folder / "bundle.json").read_text())
    for content in (good[:-7], b"\x08\x08\x00\x00ORTM" + good, b"\xff" * 40, b"\x0b" * 9):
        (folder / "face.onnx").write_bytes(content)
        manifest["graphs"]["face"]["sha256"] = hashlib.sha256(content).hexdigest()
        (folder / "bundle.json").write_text(json.dumps(manifest))
        with pytest.raises(BundleError, match=r"face\.onnx: not allowed"):
            load_bundle(folder)


def _other_input(manifest: dict[str, Any]) -> None:
    inputs = manifest["graphs"]["face"]["inputs"]
    inputs["pictures"] = inputs.pop("faces")


def _no_output(manifest: dict[str, Any]) -> None:
    manifest["graphs"]["acoustic"]["outputs"]["audio_tokens"]["shape"] = [1, "audio"]


def _other_type(manifest: dict[str, Any]) -> None:
    manifest["graphs"]["text"]["inputs"]["input_ids"]["dtype"] = "int32"


def _other_width(manifest: dict[str, Any]) -> None:
    manifest["graphs"]["fusion"]["inputs"]["text_tokens"]["shape"][2] = 7


def _fewer_labels(manifest: dict[str, Any]) -> None:
    manifest["labels"] = list(LABELS[:-1])


def _open_labels(manifest: dict[str, Any]) -> None:
    manifest["graphs"]["fusion"]["outputs"]["logits"]["shape"] = ["batch", "labels"]


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (_other_input, "the face graph takes 'pictures'"),
        (_no_output, "audio_tokens"),
        (_other_type, "input_ids of the text graph is int32"),
        (_other_width, "the graphs of this bundle do not belong together"),
        (_fewer_labels, "the bundle's labels do not fit its fusion"),
        (_open_labels, "the bundle's labels do not fit its fusion"),
    ],
)
def test_a_manifest_whose_graphs_do_not_fit_is_refused_at_opening(
    tmp_path: Path, change: Callable[[dict[str, Any]], None], says: str
) -> None:
    with pytest.raises(BundleError, match=says):
        load_bundle(make_bundle(tmp_path / "bundle", change))


@pytest.mark.parametrize("shape", [None, ["batch", "labels"]])
def test_six_labels_for_a_graph_of_seven_are_found_at_opening(
    tmp_path: Path, shape: list[str] | None
) -> None:
    def six(manifest: dict[str, Any]) -> None:
        manifest["labels"] = list(LABELS[:-1])
        manifest["graphs"]["fusion"]["outputs"]["logits"]["shape"] = ["batch", 6]

    def leaves_it_open(model: onnx.ModelProto) -> None:
        """Nobody can tell from the graph how many answers it gives."""
        del model.graph.output[:]
        model.graph.output.append(helper.make_tensor_value_info("logits", 1, ["batch", "labels"]))
        model.graph.node[-1].output[0] = "before"
        model.graph.initializer.append(helper.make_tensor("any", TensorProto.INT64, [2], [0, -1]))
        model.graph.node.append(helper.make_node("Abs", ["any"], ["turned"]))
        model.graph.node.append(helper.make_node("Neg", ["turned"], ["shape"]))
        model.graph.node.append(helper.make_node("Reshape", ["before", "shape"], ["logits"]))

    folder = make_bundle(tmp_path / "bundle", six)
    if shape is not None:
        change_graph(folder, "fusion", leaves_it_open)
    with pytest.raises((BundleError, EngineError)):
        EdgeRecognizer(folder)


def test_no_manifest_of_a_deep_or_long_kind_escapes_as_another_error(tmp_path: Path) -> None:
    for text in ('{"a":' * 50_000, "[" * 100_000, "1" * 10_000, '{"x": ' + "9" * 9999 + "}"):
        (tmp_path / "bundle.json").write_text(text)
        with pytest.raises(EdgeSerError):
            load_bundle(tmp_path)
