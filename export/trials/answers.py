"""Calibrated answers about clips and items: from tokens to probabilities, the one way there is."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from edge_ser.bundles.schema import BundleManifest, GraphName, subset_name
from edge_ser.export.data.clip_set import ClipFeatures, encode
from edge_ser.export.scoring.metrics import Labels, Probabilities
from edge_ser.export.trials.data import modalities_of
from edge_ser.export.trials.logits import ItemTokens, fuse_tokens
from edge_ser.pipeline.fusion import calibrated
from edge_ser.runtime.session import Session


@dataclass(frozen=True)
class Predictions:
    """Answers of one variant for the same clips in the same order.

    Attributes:
        probabilities: float64 [n, labels], rows sum to 1.
        true: int64 [n].
        people: who each clip is of.
    """

    probabilities: Probabilities
    true: Labels
    people: tuple[str, ...]


def answer(
    tokens: ItemTokens, subset: str, manifest: BundleManifest, fusion: Session
) -> tuple[npt.NDArray[np.float64], bool]:
    """Probabilities [labels] from what is there of a subset, and whether the bundle answers.

    Where nothing is there all labels are equally likely, and the bundle abstains.

    Args:
        tokens: of an item, by modality.
        subset: names the modalities that may be looked at.
        manifest: gives labels, and the calibration of what is there.
        fusion: makes logits of tokens.
    """
    parts = {m: tokens[m] for m in modalities_of(subset) if m in tokens}
    count = len(manifest.labels)
    if not parts:
        return np.full(count, 1.0 / count), False
    calibration = manifest.calibration[subset_name(list(parts))]
    probabilities = calibrated(fuse_tokens(parts, manifest, fusion)[None], calibration)[0]
    return probabilities, bool(probabilities.max() >= calibration.minimum_confidence)


def clip_answers(
    clips: Sequence[ClipFeatures], manifest: BundleManifest, sessions: Mapping[GraphName, Session]
) -> dict[str, Predictions]:
    """Answers for every clip of a set, by the modalities that it has, and of each alone.

    Clips whose label the bundle does not know are left out.
    """
    rows: dict[str, list[tuple[npt.NDArray[np.float64], int, str]]] = {}
    for clip in clips:
        if clip.label not in manifest.labels:
            continue
        tokens = encode(clip, manifest, sessions)
        for subset in sorted({subset_name(list(tokens)), *tokens} - {""}):
            probabilities, _ = answer(tokens, subset, manifest, sessions["fusion"])
            label = manifest.labels.index(clip.label)
            rows.setdefault(subset, []).append((probabilities, label, clip.speaker))
    return {
        subset: Predictions(
            np.stack([row for row, _, _ in found]),
            np.array([label for _, label, _ in found], np.int64),
            tuple(speaker for _, _, speaker in found),
        )
        for subset, found in rows.items()
    }
