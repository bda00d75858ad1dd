"""Makes small bundles of real ONNX graphs for tests: they run, but they know nothing of emotion."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from edge_ser.bundle import default_bundle_path, read_manifest
from edge_ser.bundle_schema import SUBSETS

LABELS = ("neutral", "happy", "sad", "angry", "fearful", "disgust", "surprised")
WIDTHS = {"audio": 8, "text": 6, "video": 4}
SEED = 20261123

_DTYPES = {"float32": TensorProto.FLOAT, "int64": TensorProto.INT64}
Specs = dict[str, tuple[str, tuple[int | str, ...]]]


def _weights(name: str, *shape: int) -> onnx.TensorProto:
    seed = int.from_bytes(hashlib.sha256(name.encode()).digest()[:4], "big") ^ SEED
    values = np.random.default_rng(seed).standard_normal(shape).astype(np.float32)
    return numpy_helper.from_array(values, name)


def _axes(name: str, *values: int) -> onnx.TensorProto:
    return numpy_helper.from_array(np.array(values, np.int64), name)


def _save(
    path: Path,
    nodes: list[onnx.NodeProto],
    inputs: Specs,
    outputs: Specs,
    initializers: list[onnx.TensorProto],
) -> dict[str, Any]:
    def infos(specs: Specs) -> list[onnx.ValueInfoProto]:
        return [
            helper.make_tensor_value_info(n, _DTYPES[dtype], shape)
            for n, (dtype, shape) in specs.items()
        ]

    graph = helper.make_graph(nodes, path.stem, infos(inputs), infos(outputs), initializers)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    onnx.checker.check_model(model)
    path.write_bytes(model.SerializeToString())

    def specs(of: Specs) -> dict[str, Any]:
        return {n: {"dtype": dtype, "shape": list(shape)} for n, (dtype, shape) in of.items()}

    return {
        "file": path.name,
        "sha256": hashlib.sha256(path.read_bytes()).hexdigest(),
        "inputs": specs(inputs),
        "outputs": specs(outputs),
        "licence": "none",
    }


def _acoustic(path: Path) -> dict[str, Any]:
    nodes = [
        helper.make_node("Transpose", ["prosody"], ["columns"], perm=[0, 2, 1]),
        helper.make_node("Concat", ["log_mel", "columns"], ["features"], axis=1),
        helper.make_node("ReduceMean", ["features"], ["mean"], axes=[2], keepdims=0),
        helper.make_node("MatMul", ["mean", "acoustic_weight"], ["row"]),
        helper.make_node("Unsqueeze", ["row", "one"], ["audio_tokens"]),
    ]
    inputs: Specs = {
        "log_mel": ("float32", (1, 80, "frames")),
        "prosody": ("float32", (1, "frames", 24)),
    }
    outputs: Specs = {"audio_tokens": ("float32", (1, "audio", WIDTHS["audio"]))}
    weights = [_weights("acoustic_weight", 104, WIDTHS["audio"]), _axes("one", 1)]
    return _save(path, nodes, inputs, outputs, weights)


def _text(path: Path) -> dict[str, Any]:
    nodes = [
        helper.make_node("Gather", ["text_weight", "input_ids"], ["rows"]),
        helper.make_node("Cast", ["attention_mask"], ["mask"], to=TensorProto.FLOAT),
        helper.make_node("Unsqueeze", ["mask", "last"], ["column"]),
        helper.make_node("Mul", ["rows", "column"], ["text_tokens"]),
    ]
    inputs: Specs = {
        "input_ids": ("int64", (1, "tokens")),
        "attention_mask": ("int64", (1, "tokens")),
    }
    outputs: Specs = {"text_tokens": ("float32", (1, "tokens", WIDTHS["text"]))}
    weights = [_weights("text_weight", 30522, WIDTHS["text"]), _axes("last", 2)]
    return _save(path, nodes, inputs, outputs, weights)


def _face(path: Path) -> dict[str, Any]:
    nodes = [
        helper.make_node("ReduceMean", ["faces"], ["colour"], axes=[2, 3], keepdims=0),
        helper.make_node("MatMul", ["colour", "face_weight"], ["video_tokens"]),
    ]
    inputs: Specs = {"faces": ("float32", ("faces", 3, 112, 112))}
    outputs: Specs = {"video_tokens": ("float32", ("faces", WIDTHS["video"]))}
    return _save(path, nodes, inputs, outputs, [_weights("face_weight", 3, WIDTHS["video"])])


def _fusion(path: Path) -> dict[str, Any]:
    nodes, weights, inputs = [], [_axes("one", 1), _axes("last", 2)], Specs()
    for modality, width in WIDTHS.items():
        tokens, mask = f"{modality}_tokens", f"{modality}_mask"
        inputs[tokens] = ("float32", ("batch", modality, width))
        inputs[mask] = ("float32", ("batch", modality))
        nodes += [
            helper.make_node("Unsqueeze", [mask, "last"], [f"{mask}_column"]),
            helper.make_node("Mul", [tokens, f"{mask}_column"], [f"{modality}_masked"]),
            helper.make_node(
                "ReduceSum", [f"{modality}_masked", "one"], [f"{modality}_sum"], keepdims=0
            ),
            helper.make_node(
                "MatMul", [f"{modality}_sum", f"{modality}_weight"], [f"{modality}_row"]
            ),
            helper.make_node("Tanh", [f"{modality}_row"], [f"{modality}_logits"]),
        ]
        weights.append(_weights(f"{modality}_weight", width, len(LABELS)))
    nodes.append(helper.make_node("Sum", [f"{m}_logits" for m in WIDTHS], ["logits"]))
    return _save(path, nodes, inputs, {"logits": ("float32", ("batch", len(LABELS)))}, weights)


def make_bundle(folder: Path, change: Callable[[dict[str, Any]], None] | None = None) -> Path:
    """Write a small bundle; detector, tokenizer and front-ends are those of the default bundle.

    Args:
        folder: where it goes; made if it is not there.
        change: may alter the manifest before it is written, to make a bundle that is wrong.
    """
    folder.mkdir(parents=True, exist_ok=True)
    shipped = read_manifest(default_bundle_path())
    manifest = shipped.manifest.model_dump(mode="json")
    for entry in (manifest["graphs"]["detector"], manifest["tokenizer"]):
        source = shipped.folder / entry["file"]
        entry["file"] = source.name
        (folder / source.name).write_bytes(source.read_bytes())
    manifest.update(
        name="tiny", version="0.0.1", labels=list(LABELS), scores=[], documents={}, adaptation=None
    )
    manifest["graphs"] |= {
        "acoustic": _acoustic(folder / "acoustic.onnx"),
        "text": _text(folder / "text.onnx"),
        "face": _face(folder / "face.onnx"),
        "fusion": _fusion(folder / "fusion.onnx"),
    }
    manifest["calibration"] = {s: {"temperature": 1.0, "minimum_confidence": 0.0} for s in SUBSETS}
    if change is not None:
        change(manifest)
    (folder / "bundle.json").write_text(json.dumps(manifest, indent=1))
    return folder


def with_adaptation(manifest: dict[str, Any]) -> None:
    """A change for `make_bundle`: people can enrol; two columns of the sound are adapted."""
    manifest["adaptation"] = {
        "enrol_with": "any",
        "columns": [1, 4],
        "mean": [3.0, -2.0],
        "deviation": [1.0, 0.5],
        "scale": True,
        "prior_count": 2.0,
        "prior_weight": 0.25,
        "people": 2,
    }
