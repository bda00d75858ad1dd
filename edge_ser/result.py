"""What the recognizer answers: one `Decision` for one window, a `LiveDecision` for a stream's."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
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

    def __repr__(self) -> str:
        if not self.present:
            return f"<ModalityReport absent: {self.reason}>"
        brought = "" if self.contribution is None else f", contribution {self.contribution:+.2f}"
        return f"<ModalityReport present{brought}{''.join(f'; {n}' for n in self.notes)}>"

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

    def __repr__(self) -> str:
        return f"<Window {self.start / SAMPLE_RATE:.2f} to {self.end / SAMPLE_RATE:.2f} s>"

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

    def __repr__(self) -> str:
        return f"<BundleReference {self.name} {self.version} ({self.hash[:12]})>"

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
    notes: tuple[str, ...] = ()
    """What a person should know about this answer: what was wrong with the file, which channel."""
    timing_ms: Mapping[str, float] = field(default_factory=dict)
    """Milliseconds of each stage that ran for this decision, and `total` on the wall clock; stages
    run side by side, so their sum may be larger."""

    def __repr__(self) -> str:
        kind = type(self).__name__
        span = f"{self.window.start / SAMPLE_RATE:.1f} to {self.window.end / SAMPLE_RATE:.1f} s"
        if self.label is None:
            return f"<{kind} abstains, {span}: {self.abstain_reason}>"
        return f"<{kind} {self.label} {self.confidence:.2f} from {'+'.join(self.present)}, {span}>"

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
            "notes": list(self.notes),
            "timing_ms": dict(self.timing_ms),
            "window": self.window.to_dict(),
            "bundle": self.bundle.to_dict(),
        }

    def to_json(self, indent: int | None = None) -> str:
        """The decision as one JSON object."""
        return json.dumps(self.to_dict(), indent=indent, allow_nan=False)


@dataclass(frozen=True)
class FileDecision:
    """What became of one of several files: a decision, or why there is none."""

    file: str
    decision: Decision | None
    error: str | None = None
    """Why there is no decision; None exactly when there is one."""

    def __repr__(self) -> str:
        return f"<FileDecision {self.file}: {self.error or self.decision!r}>"

    def to_dict(self) -> dict[str, Any]:
        """As `Decision.to_dict`, with the file and the error before it."""
        decided = {} if self.decision is None else self.decision.to_dict()
        return {"file": self.file, "error": self.error, **decided}

    def to_json(self) -> str:
        """One JSON object in one line."""
        return json.dumps(self.to_dict(), allow_nan=False)


@dataclass(frozen=True)
class StreamHealth:
    """What went wrong in a live stream, counted since it began. Samples are 16 kHz samples."""

    audio_overflow_samples: int = 0
    """Sound that was refused because the queue was full: the machine was too slow."""
    audio_lost_samples: int = 0
    """Sound that never came, as the capture times tell: buffers that were lost, pauses."""
    audio_unusable_samples: int = 0
    """Sound that held NaN or infinity, or could not be resampled."""
    audio_late_samples: int = 0
    """Sound that came when its time had been passed by (duplicated or out of order)."""
    stamps_replaced: int = 0
    """Capture times that cannot be true (far from the stream's clock): arrival counted instead."""
    pictures_replaced: int = 0
    """Pictures that a newer one replaced before they were looked at."""
    pictures_late: int = 0
    """Pictures that came out of order."""
    pictures_unusable: int = 0
    """Pictures of a type or shape that no source should give."""
    pictures_shed: int = 0
    """Sampled pictures that were left out because the machine was too slow."""
    words_dropped: int = 0
    """Words that came too late, or were too many to keep."""
    hops_skipped: int = 0
    """Decisions that were left out because the machine was too slow."""
    decisions_dropped: int = 0
    """Decisions that nobody took before newer ones replaced them."""
    callback_errors: int = 0
    encoder_errors: int = 0
    last_error: str | None = None
    """The latest error of a callback or an encoder."""
    drift_ppm: float | None = None
    """Rate of the sound's clock against the stream's, in parts per million; None: not known yet."""
    drift_sd_ppm: float | None = None
    """One standard deviation of the drift, as far as the jitter is independent."""
    load: str = ""
    """What is left out at present because the machine is too slow; empty when nothing is."""

    def __repr__(self) -> str:
        told = ", ".join(f"{name} {value}" for name, value in asdict(self).items() if value)
        return f"<StreamHealth: {told or 'nothing went wrong'}>"

    def to_dict(self) -> dict[str, Any]:
        """A dictionary that JSON can hold."""
        return asdict(self)


@dataclass(frozen=True, repr=False)
class LiveDecision(Decision):
    """A decision of a live stream. Its window counts from the stream's first capture time."""

    sequence: int = 0
    """Number of the hop, from 1: one that is missing was skipped or dropped."""
    steady_label: str | None = None
    """The label to show: smoothed, so that it does not flicker; None while there is none."""
    steady_probabilities: Mapping[str, float] | None = None
    """The probabilities, smoothed as the label is: what to show beside it; None with it. The label
    is held by a margin besides, so the likeliest of them may be another for a moment."""
    latency_ms: float | None = None
    """From the capture time of the newest sample or picture used to the moment at which the
    callback starts or an iteration takes the decision; None if nothing was used."""
    oldest_age_ms: float | None = None
    """Age of the oldest sample or picture used at that moment."""
    capture_time: int = 0
    """End of the window on the clock of the capture times, in 16 kHz samples."""
    health: StreamHealth = field(default_factory=StreamHealth)

    def to_dict(self) -> dict[str, Any]:
        """As `Decision.to_dict`, with what is known of the live stream under `live`."""
        live = {
            "sequence": self.sequence,
            "steady_label": self.steady_label,
            "steady_probabilities": _copied(self.steady_probabilities),
            "latency_ms": self.latency_ms,
            "oldest_age_ms": self.oldest_age_ms,
            "capture_time": self.capture_time,
            "health": self.health.to_dict(),
        }
        return {**super().to_dict(), "live": live}


def _copied(probabilities: Mapping[str, float] | None) -> dict[str, float] | None:
    return None if probabilities is None else dict(probabilities)
