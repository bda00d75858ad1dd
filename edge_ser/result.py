"""What the recognizer answers: one `Decision` for one window."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from edge_ser.constants import MODALITIES, SAMPLE_RATE, Modality


@dataclass(frozen=True)
class ModalityReport:
    """What became of one modality in one decision."""

    present: bool
    contribution: float | None = None
    """Change of the log-odds of the likeliest label (natural logarithm) that this modality brought:
    positive when it speaks for the label, negative when against it. None when absent."""
    reason: str | None = None
    """Why the modality is absent; None when it is present."""
    notes: tuple[str, ...] = ()
    """What a reader should know of this modality's evidence, for instance how many faces."""

    def to_dict(self) -> dict[str, Any]:
        """A dictionary that JSON can hold."""
        return {
            "present": self.present,
            "contribution": self.contribution,
            "reason": self.reason,
            "notes": list(self.notes),
        }


@dataclass(frozen=True)
class Window:
    """A span of media time in samples of 16 kHz sound, end excluded."""

    start: int
    end: int

    def to_dict(self) -> dict[str, Any]:
        """Samples, and the same in seconds for people."""
        return {
            "start": self.start,
            "end": self.end,
            "start_seconds": self.start / SAMPLE_RATE,
            "end_seconds": self.end / SAMPLE_RATE,
        }


@dataclass(frozen=True)
class BundleReference:
    """Which bundle made a decision."""

    name: str
    version: str
    hash: str

    def to_dict(self) -> dict[str, Any]:
        """A dictionary that JSON can hold."""
        return {"name": self.name, "version": self.version, "hash": self.hash}


@dataclass(frozen=True)
class Decision:
    """One answer: calibrated probabilities, what they rest on, or why there is none.

    `label` is None exactly when `abstained` is true: a decision that abstains names no emotion. Its
    probabilities remain readable; they are equal for all labels when no modality was present.
    """

    label: str | None
    probabilities: Mapping[str, float]
    modalities: Mapping[Modality, ModalityReport]
    abstained: bool
    abstain_reason: str | None
    window: Window
    bundle: BundleReference
    timing_ms: Mapping[str, float] = field(default_factory=dict)
    """Milliseconds of each stage that ran for this decision, and `total` on the wall clock."""

    @property
    def confidence(self) -> float:
        """Probability of the likeliest label, between 1 / labels and 1."""
        return max(self.probabilities.values())

    @property
    def present(self) -> tuple[Modality, ...]:
        """The modalities that the decision rests on."""
        return tuple(m for m in MODALITIES if self.modalities[m].present)

    def to_dict(self) -> dict[str, Any]:
        """A dictionary that JSON can hold, as `edge-ser recognize --json` prints it."""
        return {
            "label": self.label,
            "probabilities": dict(self.probabilities),
            "modalities": {m: self.modalities[m].to_dict() for m in MODALITIES},
            "abstained": self.abstained,
            "abstain_reason": self.abstain_reason,
            "timing_ms": dict(self.timing_ms),
            "window": self.window.to_dict(),
            "bundle": self.bundle.to_dict(),
        }

    def to_json(self, indent: int | None = None) -> str:
        """The decision as one JSON object."""
        return json.dumps(self.to_dict(), indent=indent, ensure_ascii=False, allow_nan=False)
