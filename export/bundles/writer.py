"""Writes a bundle: graphs, tokenizer, card and licences in one folder, whole or not at all."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Final

import onnx
from onnx import TensorProto
from pydantic import ValidationError

from edge_ser.bundles.loading import Bundle, load_bundle
from edge_ser.bundles.replacing import replaced_folder
from edge_ser.bundles.schema import (
    MANIFEST_NAME,
    SCHEMA_VERSION,
    SUBSETS,
    BundleManifest,
    FrontendConfig,
    GraphName,
    Score,
    SpeakerAdaptation,
    SubsetCalibration,
    Training,
)
from edge_ser.errors import BundleError, ConfigError
from edge_ser.export.bundles.card import model_card
from edge_ser.export.graphs.onnx_graph import load_model
from edge_ser.files import file_sha256

CARD: Final = "MODEL_CARD.md"
LICENCE_FOLDER: Final = "LICENSES"
TOKENIZER: Final = "tokenizer.json"
DEFAULT_LICENCES: Final[tuple[Path, ...]] = tuple(
    Path(__file__).parents[1] / "licences" / name
    for name in (
        "NOTICE.txt",
        "Apache-2.0.txt",
        "whisper-MIT.txt",
    )
)
"""Full texts for what the default bundle is made of: Whisper, MiniLM, BlazeFace."""

_DTYPES: Final[dict[int, str]] = {
    TensorProto.FLOAT: "float32",
    TensorProto.FLOAT16: "float16",
    TensorProto.INT64: "int64",
    TensorProto.INT32: "int32",
    TensorProto.UINT8: "uint8",
}


@dataclass(frozen=True)
class GraphFile:
    """A graph to be put into a bundle.

    Attributes:
        path: of the ONNX file; its name in the bundle is the graph's.
        source: what it was made from, for instance ``Whisper tiny.en, first 2 layers``.
        licence: of the weights, for instance ``MIT``.
        precision: ``fp32``, ``fp16``, ``int8`` or ``mixed``: of the arithmetic, not of the storage.
    """

    path: Path
    source: str
    licence: str
    precision: str = "fp32"


@dataclass(frozen=True)
class BundleContent:
    """Everything that goes into a bundle; see `BundleManifest` for the meaning of each part.

    Attributes:
        adaptation: see `edge_ser.export.training.adaptation.speaker_adaptation`; None makes a
            bundle that cannot enrol anybody.
        notes: paragraphs that the card shows under "What to know".
        licences: files with the full texts, copied into ``LICENSES``.
    """

    name: str
    version: str
    labels: Sequence[str]
    frontend: FrontendConfig
    graphs: Mapping[GraphName, GraphFile]
    tokenizer: Path
    training: Training
    licence: str
    intended_use: str
    not_for: str
    calibration: Mapping[str, SubsetCalibration] = field(
        default_factory=lambda: {subset: SubsetCalibration() for subset in SUBSETS}
    )
    adaptation: SpeakerAdaptation | None = None
    splits: Mapping[str, Sequence[str]] = field(default_factory=dict)
    scores: Sequence[Score] = ()
    notes: Sequence[str] = ()
    licences: Sequence[Path] = DEFAULT_LICENCES


def write_bundle(folder: Path, content: BundleContent) -> Bundle:
    """Write a bundle, verify it as the runtime will, and only then give it its name.

    Args:
        folder: of the bundle; a bundle that stands there is replaced, see `replaced_folder`.
        content: what goes in.

    Returns:
        The bundle as `load_bundle` found it.

    Raises:
        BundleError: if a file is missing or is no graph, or the content does not fit the schema.
        ConfigError: if `folder` must not be replaced or cannot be written.
    """
    require_replaceable(folder)
    with replaced_folder(folder) as fresh:
        document = _fill(fresh, content)
        try:
            manifest = BundleManifest.model_validate(document)
        except ValidationError as error:
            first = error.errors()[0]
            place = ".".join(str(part) for part in first["loc"]) or "manifest"
            raise BundleError(f"the bundle cannot be written: {place}: {first['msg']}") from error
        card = model_card(manifest, _sizes(fresh, manifest), content.notes)
        (fresh / CARD).write_text(card, encoding="utf-8")
        document["documents"]["card"] = _entry(fresh, CARD)
        write_manifest(fresh, document)
        written = load_bundle(fresh)
    return replace(written, folder=folder)


def require_replaceable(folder: Path) -> None:
    """Refuse to put a bundle in the place of anything but a bundle or an empty folder.

    Raises:
        ConfigError: if something else is there.
    """
    try:
        occupied = not (folder / MANIFEST_NAME).is_file() and any(folder.iterdir())
    except FileNotFoundError:
        return
    except OSError as error:
        raise ConfigError(
            f"{folder} cannot hold a bundle: {error.strerror}; name another folder"
        ) from error
    if occupied:
        raise ConfigError(
            f"{folder} is there and is no bundle: it is not replaced; name another folder"
        )


def write_manifest(folder: Path, document: Mapping[str, Any]) -> None:
    """Write a bundle's manifest.

    Args:
        folder: of the bundle.
        document: a `BundleManifest` as plain data.

    Raises:
        BundleError: if a figure in it is not a number.
    """
    try:
        text = json.dumps(document, indent=2, ensure_ascii=False, allow_nan=False) + "\n"
    except ValueError as error:
        raise BundleError("the bundle cannot be written: a figure in it is not a number") from error
    (folder / MANIFEST_NAME).write_text(text, encoding="utf-8")


def tensor_specs(
    values: Sequence[onnx.ValueInfoProto],
) -> dict[str, dict[str, Any]]:
    """Names, dtypes and shapes of a graph's inputs or outputs, as the manifest lists them.

    Raises:
        BundleError: if a tensor has an element type that a bundle does not know.
    """
    specs: dict[str, dict[str, Any]] = {}
    for value in values:
        tensor = value.type.tensor_type
        if tensor.elem_type not in _DTYPES:
            raise BundleError(
                f"the tensor {value.name} has ONNX element type {tensor.elem_type}, which bundles "
                "do not carry"
            )
        shape = [
            int(dim.dim_value) if dim.HasField("dim_value") else dim.dim_param or f"axis_{axis}"
            for axis, dim in enumerate(tensor.shape.dim)
        ]
        specs[value.name] = {"dtype": _DTYPES[tensor.elem_type], "shape": shape}
    return specs


def _fill(folder: Path, content: BundleContent) -> dict[str, Any]:
    """Copy the files and give the manifest's content without the card."""
    graphs: dict[str, Any] = {}
    for name, graph in content.graphs.items():
        file = f"{name}.onnx"
        _copy(graph.path, folder / file)
        model = load_model(folder / file)
        weights = {tensor.name for tensor in model.graph.initializer}
        inputs = [value for value in model.graph.input if value.name not in weights]
        graphs[name] = {
            **_entry(folder, file),
            "inputs": tensor_specs(inputs),
            "outputs": tensor_specs(model.graph.output),
            "precision": graph.precision,
            "source": graph.source,
            "licence": graph.licence,
        }
    _copy(content.tokenizer, folder / TOKENIZER)
    documents: dict[str, Any] = {}
    for licence in content.licences:
        file = f"{LICENCE_FOLDER}/{licence.name}"
        _copy(licence, folder / file)
        documents[f"licence_{licence.stem}"] = _entry(folder, file)
    return {
        "schema_version": SCHEMA_VERSION,
        "name": content.name,
        "version": content.version,
        "labels": list(content.labels),
        "frontend": content.frontend.model_dump(mode="json"),
        "graphs": graphs,
        "tokenizer": _entry(folder, TOKENIZER),
        "documents": documents,
        "calibration": {
            subset: value.model_dump(mode="json") for subset, value in content.calibration.items()
        },
        "adaptation": (
            None if content.adaptation is None else content.adaptation.model_dump(mode="json")
        ),
        "training": content.training.model_dump(mode="json"),
        "splits": {part: list(names) for part, names in content.splits.items()},
        "scores": [score.model_dump(mode="json") for score in content.scores],
        "licence": content.licence,
        "intended_use": content.intended_use,
        "not_for": content.not_for,
    }


def _copy(source: Path, target: Path) -> None:
    try:
        content = source.read_bytes()
    except OSError as error:
        raise BundleError(
            f"{source} cannot be put into the bundle: {error.strerror or error}"
        ) from error
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_bytes(content)


def _entry(folder: Path, file: str) -> dict[str, str]:
    return {"file": file, "sha256": file_sha256(folder / file)}


def _sizes(folder: Path, manifest: BundleManifest) -> dict[str, int]:
    return {entry.file: (folder / entry.file).stat().st_size for entry in manifest.files()}
