"""What the graphs compute for one decision: the runs of every graph, in order, on real inputs.

Two decisions are timed. A clip's: every picture of the window is searched for a face and encoded.
A live one's: the window slides by a hop, so that only the pictures of that hop are new, but sound
and words are encoded for the whole window and all modalities are fused.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from edge_ser.bundles.schema import BundleManifest, GraphName
from edge_ser.constants import MODALITIES, Modality
from edge_ser.export.data.clip_set import ENCODERS, ClipFeatures
from edge_ser.export.precision.probe import probe_inputs
from edge_ser.runtime.session import Session
from edge_ser.runtime.shape_profiles import graph_shapes

WINDOW_SECONDS: Final = 3.0
HOP_SECONDS: Final = 0.5
WORDS: Final = 16
"""Tokens of text in the window: what is said in about three seconds."""

_FRAMES: Final = round(WINDOW_SECONDS * 100)

Tensors = dict[str, npt.NDArray[Any]]


@dataclass(frozen=True)
class Run:
    """One call of one graph."""

    graph: GraphName
    inputs: Mapping[str, npt.NDArray[Any]]


@dataclass(frozen=True)
class DecisionWorkload:
    """The runs of one decision.

    Attributes:
        clip: of a decision about a window of a clip, every picture of it included.
        live: of a decision of a stream, with the pictures of one hop.
        pictures: in the window.
        new_pictures: in a hop.
    """

    clip: Sequence[Run]
    live: Sequence[Run]
    pictures: int
    new_pictures: int


def decision_workload(
    manifest: BundleManifest, clips: Sequence[ClipFeatures], sessions: Mapping[GraphName, Session]
) -> DecisionWorkload:
    """Put a decision together from the first clips that have each modality, or from probes.

    Args:
        manifest: of the bundle.
        clips: any; each may have some modalities only.
        sessions: every graph, to encode what the fusion is fed.
    """
    rate = manifest.frontend.video.frames_per_second
    pictures, new = round(WINDOW_SECONDS * rate), max(1, round(HOP_SECONDS * rate))
    audio = _fitted(_found(manifest, clips, "acoustic"), {"log_mel": 2, "prosody": 1}, _FRAMES)
    words = _fitted(_found(manifest, clips, "text"), {"input_ids": 1, "attention_mask": 1}, WORDS)
    faces = _fitted(_found(manifest, clips, "face"), {"faces": 0}, pictures)
    image = _found(manifest, clips, "detector")
    encoded = {
        "audio": sessions["acoustic"].run(audio)[ENCODERS["audio"][1]][0],
        "text": sessions["text"].run(words)[ENCODERS["text"][1]][0],
        "video": sessions["face"].run(faces)[ENCODERS["video"][1]],
    }
    last = [
        Run("acoustic", audio),
        Run("text", words),
        Run("fusion", _all_subsets({m: encoded[m] for m in MODALITIES})),
    ]

    def seen(count: int) -> list[Run]:
        some = {"faces": faces["faces"][:count]}
        return [*(Run("detector", image) for _ in range(count)), Run("face", some), *last]

    return DecisionWorkload(seen(pictures), seen(new), pictures, new)


def _found(manifest: BundleManifest, clips: Sequence[ClipFeatures], graph: GraphName) -> Tensors:
    for clip in clips:
        inputs = clip.inputs_of(manifest, graph)
        if inputs is not None:
            return inputs
    return probe_inputs(manifest.graphs[graph].inputs, graph_shapes(manifest, graph))[-1]


def _fitted(tensors: Tensors, axes: Mapping[str, int], size: int) -> Tensors:
    """Every tensor repeated and cut to one size along its axis."""
    return {
        name: np.ascontiguousarray(
            np.take(value, np.arange(size) % value.shape[axes[name]], axis=axes[name])
        )
        for name, value in tensors.items()
    }


def _all_subsets(tokens: Mapping[Modality, npt.NDArray[Any]]) -> Tensors:
    """All modalities and each with one left out as one batch, as the runtime asks the fusion."""
    subsets = [set(tokens), *(set(tokens) - {left_out} for left_out in tokens)]
    batch: Tensors = {}
    for modality, rows in tokens.items():
        there = np.array([modality in subset for subset in subsets], np.float32)
        mask = np.repeat(there[:, None], len(rows), axis=1)
        batch[f"{modality}_tokens"] = (rows[None] * mask[:, :, None]).astype(np.float32)
        batch[f"{modality}_mask"] = mask
    return batch
