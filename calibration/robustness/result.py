"""What `edge_ser.calibration.robustness.curves` found out: what bad light, noise and delay cost."""

from __future__ import annotations

from typing import Literal

from edge_ser.export.scoring.result import Interval, ResultModel

Disturbance = Literal["noise", "dim light", "dropped frames", "wrong words"]


class RobustnessPoint(ResultModel):
    """The same clips under one strength of one disturbance."""

    strength: float | None
    """In the curve's unit; None for the undisturbed clips, the first point of every curve."""
    condition: str
    """In words, for instance ``white noise at 10 dB``."""
    clips: int
    present: float
    """Share of the clips in which the disturbed modality could still be used."""
    accuracy: Interval
    """Over all clips; one whose disturbed modality is lost is decided from what is left, and counts
    as wrong when nothing is."""
    difference: Interval
    """Accuracy less that of the undisturbed clips; paired, drawn by people."""
    log_probability: float
    """Mean natural logarithm of the true label's probability."""
    confidence: float
    """Mean probability of the likeliest label."""
    calibration_error: float
    same_label: float
    """Share of the clips whose likeliest label is that of the undisturbed clip."""


class RobustnessCurve(ResultModel):
    """One disturbance, over its strengths, seen through one subset of modalities."""

    disturbance: Disturbance
    subset: str
    unit: str
    """Of `RobustnessPoint.strength`: ``dB``, ``share of the light``, ``share of the pictures``,
    ``share of the words``."""
    protocol: str
    """How the disturbance was made, and on which clips."""
    points: tuple[RobustnessPoint, ...]


class OffsetOutcome(ResultModel):
    """The same moments of the same streams at one offset, in one way of dating pictures."""

    accuracy: Interval
    log_probability: Interval
    """Mean natural logarithm of the true label's probability."""
    cost: Interval
    """`log_probability` less that at offset 0; paired, drawn by people: below 0 is a loss."""
    same_label: float
    """Share of the moments with the same likeliest label as at offset 0."""
    change: float
    """Mean absolute change of a probability from offset 0."""
    foreign_pictures: float
    """Share of the window's pictures that belong to the utterance before or after."""


class OffsetPoint(ResultModel):
    """One offset between sound and picture."""

    offset_ms: int
    """Positive: pictures arrive later than the sound that belongs to them."""
    unaligned: OffsetOutcome
    """Sound and pictures are dated by their arrival."""
    aligned: OffsetOutcome
    """They are dated by their capture times, and the stream's aligner puts them together."""


class OffsetCurve(ResultModel):
    """What an offset between sound and picture costs, and what the aligner gives back."""

    subset: str
    protocol: str
    moments: int
    """Decisions that each point rests on."""
    people: int
    points: tuple[OffsetPoint, ...]
    reading: str
    """What the curve says, in plain words and with its figures."""


class RobustnessSection(ResultModel):
    """All robustness curves of one precision on one backend."""

    precision: str
    backend: str
    clips: int
    """Clips that each curve rests on, at most: a subset even over labels and people."""
    pairing: Literal["paired", "label-paired"]
    curves: tuple[RobustnessCurve, ...]
    offset: OffsetCurve | None
    """None when the data have no pictures or no sound; `no_offset` says which."""
    no_offset: str | None
    seed: int
