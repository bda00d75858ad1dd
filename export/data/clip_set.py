"""Folders of clips as the graphs see them: for calibration, and for comparing precisions.

One ``.npz`` a clip. It holds the inputs of the encoders that the clip has something for, by name
(``log_mel``, ``prosody``, ``input_ids``, ``attention_mask``, ``faces``, ``image``), and ``label``
and ``speaker`` as strings. Nothing in it can be turned back into the recording's words or voice
by the tools of this project, but treat it as personal data all the same.
"""

from __future__ import annotations

import io
import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from edge_ser.bundles.schema import BundleManifest, GraphName
from edge_ser.constants import MODALITIES, Modality
from edge_ser.errors import ConfigError, EngineError
from edge_ser.files import write_atomically
from edge_ser.runtime.session import Session
from edge_ser.runtime.tensor_check import check_inputs

Tensors = dict[str, npt.NDArray[Any]]

ENCODERS: Final[Mapping[Modality, tuple[GraphName, str]]] = {
    "audio": ("acoustic", "audio_tokens"),
    "text": ("text", "text_tokens"),
    "video": ("face", "video_tokens"),
}
"""Per modality its encoder and that encoder's output."""


@dataclass(frozen=True)
class ClipFeatures:
    """One clip.

    Attributes:
        name: of its file, without ending.
        label: what is felt in it.
        speaker: who speaks; people, not clips, are resampled for intervals.
        tensors: inputs of encoders by name.
    """

    name: str
    label: str
    speaker: str
    tensors: Mapping[str, npt.NDArray[Any]]

    def inputs_of(self, manifest: BundleManifest, graph: GraphName) -> Tensors | None:
        """The inputs of one encoder or the detector, or None if the clip has nothing for it."""
        names = manifest.graphs[graph].inputs
        if any(name not in self.tensors for name in names):
            return None
        return {name: self.tensors[name] for name in names}


def write_clip(folder: Path, clip: ClipFeatures) -> Path:
    """Add a clip to a set and return its file.

    Raises:
        ConfigError: the name is no plain file name, or a tensor is called like a field.
    """
    if not clip.name or clip.name != Path(clip.name).name or clip.name.startswith("."):
        raise ConfigError(f"{clip.name!r} is no plain name of a clip")
    if {"label", "speaker"} & set(clip.tensors):
        raise ConfigError("a tensor of a clip cannot be called 'label' or 'speaker'")
    target = folder / f"{clip.name}.npz"
    fields: dict[str, Any] = {**clip.tensors, "label": clip.label, "speaker": clip.speaker}
    buffer = io.BytesIO()
    np.savez_compressed(buffer, **fields)
    write_atomically(target, buffer.getvalue(), parents=True)
    return target


def read_clips(
    folder: Path, manifest: BundleManifest, limit: int | None = None
) -> list[ClipFeatures]:
    """Every clip of a set, each held against the bundle's encoders.

    Args:
        folder: the set.
        manifest: of the bundle whose graphs shall take it.
        limit: at most so many, evenly spread over the set.

    Raises:
        ConfigError: the set is empty, or a file is damaged, holds objects, or does not fit.
    """
    files = sorted(folder.glob("*.npz"))
    if not files:
        raise ConfigError(
            f"{folder}: there is no clip (.npz) in it; make a set of clips with "
            "python -m recipes.default_bundle.clip_features"
        )
    if limit is not None and len(files) > limit:
        files = [files[i * len(files) // limit] for i in range(limit)]
    return [_read(file, manifest) for file in files]


def _read(file: Path, manifest: BundleManifest) -> ClipFeatures:
    try:
        with np.load(file, allow_pickle=False) as archive:
            fields = {name: archive[name] for name in archive.files}
        clip = ClipFeatures(file.stem, str(fields.pop("label")), str(fields.pop("speaker")), fields)
    except KeyError as error:
        raise ConfigError(f"{file}: this clip has no {error}") from error
    except (OSError, ValueError, zipfile.BadZipFile, EOFError) as error:
        raise ConfigError(f"{file}: this clip cannot be read: {error}") from error
    for graph in ("acoustic", "text", "face", "detector"):
        inputs = clip.inputs_of(manifest, graph)
        if inputs is not None:
            try:
                check_inputs(manifest.graphs[graph].inputs, inputs, graph)
            except EngineError as error:
                raise ConfigError(f"{file}: it does not fit the bundle: {error}") from error
    return clip


def fusion_inputs(tokens: Mapping[Modality, npt.NDArray[Any]], manifest: BundleManifest) -> Tensors:
    """The fusion's inputs for a batch of one; an absent modality is one zero token, mask 0.

    Args:
        tokens: float32 [tokens, width] of each modality that is there.
        manifest: for the widths of those that are not.
    """
    batch: Tensors = {}
    for modality in MODALITIES:
        width = manifest.graphs["fusion"].inputs[f"{modality}_tokens"].shape[-1]
        own = tokens.get(modality)
        rows = np.zeros((1, int(width)), np.float32) if own is None else own
        batch[f"{modality}_tokens"] = rows[None].astype(np.float32)
        present = np.float32(0 if own is None else 1)
        batch[f"{modality}_mask"] = np.full((1, len(rows)), present, np.float32)
    return batch


def encode(
    clip: ClipFeatures, manifest: BundleManifest, sessions: Mapping[GraphName, Session]
) -> dict[Modality, npt.NDArray[Any]]:
    """Tokens of every modality that the clip has, [tokens, width] each."""
    tokens: dict[Modality, npt.NDArray[Any]] = {}
    for modality, (graph, output) in ENCODERS.items():
        inputs = clip.inputs_of(manifest, graph)
        if inputs is not None:
            value = sessions[graph].run(inputs)[output]
            tokens[modality] = value if modality == "video" else value[0]
    return tokens


def graph_samples(
    clips: Sequence[ClipFeatures],
    manifest: BundleManifest,
    graph: GraphName,
    sessions: Mapping[GraphName, Session],
) -> list[Tensors]:
    """What a graph is fed when the clips are recognised: for the fusion, the encoders' answers.

    Empty for an encoder that no clip has anything for.
    """
    if graph != "fusion":
        found = (clip.inputs_of(manifest, graph) for clip in clips)
        return [inputs for inputs in found if inputs is not None]
    tokens = (encode(clip, manifest, sessions) for clip in clips)
    return [fusion_inputs(of_clip, manifest) for of_clip in tokens if of_clip]
