"""Shapes that the runtime feeds to each graph: engines are compiled for exactly these ranges."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Final

from edge_ser.bundles.schema import BundleManifest, FrontendConfig, GraphName, TensorSpec
from edge_ser.errors import EngineError
from edge_ser.runtime.engine_cache import Shapes

_FRAMES_PER_SECOND: Final = 100
_USUAL_SECONDS: Final = 3.0
_USUAL_TOKENS: Final = 16
_SUBSETS_AT_ONCE: Final = 4
"""The fusion runs all modalities and each with one left out as one batch."""

Limits = tuple[int, int, int]


def graph_shapes(manifest: BundleManifest, graph: GraphName) -> Shapes:
    """Smallest, usual and largest shape of every input of one graph of a bundle.

    Raises:
        EngineError: a dynamic dimension is none that the runtime knows.
    """
    return input_shapes(manifest.graphs[graph].inputs, manifest.frontend, graph)


def input_shapes(
    inputs: Mapping[str, TensorSpec], frontend: FrontendConfig, graph: str
) -> dict[str, tuple[tuple[int, ...], tuple[int, ...], tuple[int, ...]]]:
    """As `graph_shapes`, for inputs that belong to no bundle yet.

    Raises:
        EngineError: a dynamic dimension is none that the runtime knows.
    """
    known = _limits(frontend)
    shapes = {}
    for name, spec in inputs.items():
        triple: list[tuple[int, int, int]] = []
        for axis, size in enumerate(spec.shape):
            if isinstance(size, int):
                triple.append((size, size, size))
            elif (name, axis) in known:
                triple.append(known[name, axis])
            else:
                raise EngineError(
                    f"graph {graph!r}: the dimension {size!r} (axis {axis}) of the input {name!r} "
                    "is none that the runtime varies, so no engine can be built for it; export "
                    "the graph with a fixed size there"
                )
        smallest, usual, largest = zip(*triple, strict=True)
        shapes[name] = (smallest, usual, largest)
    return shapes


def _limits(frontend: FrontendConfig) -> dict[tuple[str, int], Limits]:
    audio, video = frontend.audio, frontend.video
    shortest = _even(math.floor(audio.minimum_seconds * _FRAMES_PER_SECOND))
    longest = _even(math.ceil(audio.maximum_seconds * _FRAMES_PER_SECOND))
    usual = min(_even(round(_USUAL_SECONDS * _FRAMES_PER_SECOND)), longest)
    frames = (shortest, usual, longest)
    most_tokens = frontend.text.maximum_tokens
    tokens = (1, min(_USUAL_TOKENS, most_tokens), most_tokens)
    most_faces = max(math.ceil(audio.maximum_seconds * video.frames_per_second) + 1, 2)
    faces = (1, max(1, round(_USUAL_SECONDS * video.frames_per_second)), most_faces)
    batch = (1, _SUBSETS_AT_ONCE, _SUBSETS_AT_ONCE)
    # An encoder gives at most one token a frame; an absent modality has one.
    audio_tokens = (1, max(1, usual // 2), longest)
    limits: dict[tuple[str, int], Limits] = {
        ("log_mel", 2): frames,
        ("prosody", 1): frames,
        ("input_ids", 1): tokens,
        ("attention_mask", 1): tokens,
        ("faces", 0): faces,
    }
    for modality, count in (("audio", audio_tokens), ("text", tokens), ("video", faces)):
        for part in ("tokens", "mask"):
            limits[f"{modality}_{part}", 0] = batch
            limits[f"{modality}_{part}", 1] = count
    for name in ("log_mel", "prosody", "input_ids", "attention_mask", "image"):
        limits[name, 0] = (1, 1, 1)
    return limits


def _even(frames: int) -> int:
    return max(frames // 2 * 2, 2)
