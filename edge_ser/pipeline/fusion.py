"""From embeddings to calibrated probabilities, and what each modality contributed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from edge_ser.bundles.schema import SubsetCalibration, subset_name
from edge_ser.constants import MODALITIES, Modality
from edge_ser.errors import BundleError
from edge_ser.runtime.session import FloatTensor, Session, Tensor

Probabilities = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Fused:
    """The fusion's answer for one window."""

    probabilities: Probabilities
    """[labels], sums to 1, calibrated for exactly the modalities that were present."""
    contributions: Mapping[Modality, float]
    """Log-odds of the likeliest label with the modality less its log-odds without it."""
    minimum_confidence: float
    """Below it a decision from these modalities should abstain."""


class Fusion:
    """Thread contract: immutable after construction, `fuse` may be called from any thread."""

    def __init__(
        self, session: Session, calibration: Mapping[str, SubsetCalibration], labels: int
    ) -> None:
        self._session = session
        self._calibration = calibration
        self._labels = labels
        self._widths: dict[Modality, int] = {}
        for modality in MODALITIES:
            spec = session.inputs.get(f"{modality}_tokens")
            width = spec.shape[-1] if spec is not None and spec.shape else None
            if not isinstance(width, int):
                raise BundleError(
                    f"the fusion graph does not state the width of its input {modality}_tokens; "
                    "export the bundle again"
                )
            self._widths[modality] = width

    def fuse(self, tokens: Mapping[Modality, FloatTensor]) -> Fused:
        """Fuse the tokens of the modalities that are present.

        The window's subset and each subset with one modality less run as one batch, so that a
        contribution is what really happens when the modality is removed, not an attention weight.
        With a single modality the comparison is with equal probabilities.

        Args:
            tokens: for each modality that is present, float32 [tokens, width], at least one token.

        Raises:
            BundleError: if the tokens' width is not the one that the fusion graph takes.
            EngineError: if the backend fails.
        """
        present = [m for m in MODALITIES if m in tokens]
        without = [[m for m in present if m != left_out] for left_out in present]
        subsets = [present, *(subset for subset in without if subset)]
        logits = self._session.run(self._batch(tokens, subsets))["logits"]
        if logits.shape != (len(subsets), self._labels):
            raise BundleError(
                f"the fusion graph answered a tensor of shape {logits.shape} where "
                f"{(len(subsets), self._labels)} was expected; the bundle's labels do not fit it"
            )
        rows = [
            calibrated(row.astype(np.float64), self._of(subset))
            for row, subset in zip(logits, subsets, strict=True)
        ]
        best = int(np.argmax(rows[0]))
        reduced = rows[1:] or [np.full(self._labels, 1.0 / self._labels)]
        return Fused(
            probabilities=rows[0],
            contributions={
                modality: _log_odds(rows[0][best]) - _log_odds(row[best])
                for modality, row in zip(present, reduced, strict=True)
            },
            minimum_confidence=self._of(present).minimum_confidence,
        )

    def _of(self, subset: list[Modality]) -> SubsetCalibration:
        return self._calibration[subset_name(subset)]

    def _batch(
        self, tokens: Mapping[Modality, FloatTensor], subsets: list[list[Modality]]
    ) -> dict[str, Tensor]:
        batch: dict[str, Tensor] = {}
        for modality in MODALITIES:
            width = self._widths[modality]
            own = tokens.get(modality, np.zeros((1, width), np.float32))
            if own.ndim != 2 or own.shape[1] != width:
                raise BundleError(
                    f"the {modality} encoder gave tokens of shape {own.shape} but the fusion graph "
                    f"takes [tokens, {width}]: the graphs of this bundle do not belong together"
                )
            there = np.array([modality in subset for subset in subsets], np.float32)
            mask = np.repeat(there[:, None], len(own), axis=1)
            batch[f"{modality}_tokens"] = np.where(mask[:, :, None] > 0, own[None], np.float32(0))
            batch[f"{modality}_mask"] = mask
        return batch


def calibrated(logits: npt.NDArray[np.float64], calibration: SubsetCalibration) -> Probabilities:
    """Probabilities of logits [..., labels] under the calibration of their subset of modalities."""
    scaled = logits / calibration.temperature
    if calibration.bias:
        scaled = scaled + np.asarray(calibration.bias)
    shifted = np.exp(scaled - scaled.max(axis=-1, keepdims=True))
    return np.asarray(shifted / shifted.sum(axis=-1, keepdims=True), dtype=np.float64)


def _log_odds(probability: float) -> float:
    bounded = min(max(float(probability), 1e-9), 1 - 1e-9)
    return float(np.log(bounded) - np.log1p(-bounded))
