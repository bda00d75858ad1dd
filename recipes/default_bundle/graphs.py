"""The encoders that a bundle is made of, and their export to its five graphs."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import nn

from edge_ser.bundles.loading import load_bundle
from edge_ser.bundles.schema import MANIFEST_NAME, GraphName
from edge_ser.export.bundles.writer import GraphFile
from edge_ser.export.encoders.speech import SPEECH_LICENCE, SPEECH_ORIGIN
from edge_ser.export.encoders.text import DEFAULT_TEXT_SOURCE, TextEncoder, load_text_encoder
from edge_ser.export.graphs.bundle_graphs import (
    export_acoustic,
    export_face,
    export_fusion,
    export_text,
)
from edge_ser.export.models.acoustic import AcousticEncoder
from edge_ser.export.models.fusion import Fusion
from edge_ser.export.precision.weight_storage import quantize_dynamic, store_half
from recipes.default_bundle.finished_graph import FinishedGraph
from recipes.face_encoder.cnn import CNN_LICENCE, CNN_ORIGIN, load_face_encoder
from recipes.face_encoder.tokens import FaceTokenEncoder


@dataclass(frozen=True)
class Sources:
    """Where the encoders come from.

    The face detector is the shipped bundle's own graph: BlazeFace does not change.

    Attributes:
        speech: folder of the runs of `recipes.speech_encoder.training`.
        text: a text encoder by name or folder, or a bundle's folder for its finished graph.
        face: weights of the face encoder, or a bundle's folder for its finished graph.
    """

    speech: Path
    text: str
    face: Path


def open_text(source: str) -> TextEncoder | FinishedGraph:
    """A text encoder by name or folder; of a bundle's folder, its finished graph.

    Raises:
        EdgeSerError: if there is none.
    """
    if (Path(source) / MANIFEST_NAME).is_file():
        return FinishedGraph(load_bundle(Path(source)), "text")
    return load_text_encoder(source)


def open_face(source: Path) -> nn.Module:
    """The face encoder of a weights file, or the finished graph of a bundle's folder.

    Raises:
        EdgeSerError: if there is none.
    """
    if (source / MANIFEST_NAME).is_file():
        return FinishedGraph(load_bundle(source), "face")
    return FaceTokenEncoder(load_face_encoder(source, with_logits=True)).eval()


def export_graphs(
    folder: Path,
    acoustic: AcousticEncoder,
    text: TextEncoder | FinishedGraph,
    face: nn.Module,
    fusion: Fusion,
    text_source: str,
) -> dict[GraphName, GraphFile]:
    """Export the five graphs, each proved against torch at several lengths, and make them small.

    Speech and face weights are stored as float16 and computed as float32; the text encoder's
    matrices are int8 with live activations, its tables of embeddings int8. Finished graphs are
    copied as they are.
    """
    torch.manual_seed(0)
    paths: dict[GraphName, Path] = {
        name: folder / f"{name}.onnx" for name in ("acoustic", "text", "face", "fusion", "detector")
    }
    made: dict[GraphName, tuple[str, str, str]] = {
        "acoustic": (
            f"{SPEECH_ORIGIN}, fine-tuned on several corpora; MFCC, energy and pitch beside it",
            f"{SPEECH_LICENCE} before the fine-tuning; see the bundle's licence",
            "fp32",
        ),
        "fusion": ("this project, label-paired data", "see the bundle's licence", "fp32"),
        "detector": ("BlazeFace short range, MediaPipe", "Apache-2.0", "fp32"),
    }
    export_acoustic(acoustic, paths["acoustic"], acoustic.columns)
    export_fusion(fusion, fusion.config.inputs, paths["fusion"])
    shutil.copyfile(load_bundle().graph_path("detector"), paths["detector"])
    for name in ("acoustic", "fusion"):
        store_half(paths[name], paths[name])
    if isinstance(text, FinishedGraph):
        made["text"] = _copied(text, paths["text"])
    else:
        export_text(text, paths["text"])
        quantize_dynamic(paths["text"], paths["text"])
        origin = "MiniLM-L6 (Apache-2.0), fine-tuned on GoEmotions"
        if text_source == DEFAULT_TEXT_SOURCE:
            origin = "MiniLM-L6, as published"
        made["text"] = (origin, "Apache-2.0", "int8")
    if isinstance(face, FinishedGraph):
        made["face"] = _copied(face, paths["face"])
    else:
        export_face(face, paths["face"])
        store_half(paths["face"], paths["face"])
        made["face"] = (CNN_ORIGIN, CNN_LICENCE, "fp32")
    return {name: GraphFile(path, *made[name]) for name, path in paths.items()}


def _copied(graph: FinishedGraph, path: Path) -> tuple[str, str, str]:
    shutil.copyfile(graph.graph, path)
    return graph.entry.source, graph.entry.licence, graph.entry.precision
