"""What `edge-ser calibrate` found: each subset of modalities before and after."""

from __future__ import annotations

from typing import Literal

from edge_ser.export.scoring.result import (
    DataDescription,
    Interval,
    Pairing,
    ReliabilityBin,
    ResultModel,
)


class CalibrationFigures(ResultModel):
    """Scores of one set of probabilities."""

    accuracy: float
    calibration_error: Interval
    """Expected calibration error of the likeliest label, 15 equally wide bins; the interval draws
    people and is centred on the figure."""
    brier: float
    """Mean squared distance to the one-hot label, 0 to 2."""
    negative_log_likelihood: float
    """In nats."""
    reliability: tuple[ReliabilityBin, ...]


class SubsetFit(ResultModel):
    """One subset of modalities that was calibrated anew."""

    subset: str
    pairing: Pairing
    protocol: str
    clips: int
    people: int
    chance_accuracy: float
    """Accuracy of always answering the commonest label."""
    folds: int
    """Groups of people: what `after` scores was never fitted on the people it scores."""
    old_temperature: float
    temperature: float
    """Of the new bundle, fitted on all people."""
    bias: tuple[float, ...]
    """For each label; empty when none was fitted."""
    no_bias: str | None
    """Why none was fitted; None when one was."""
    before: CalibrationFigures
    """With the calibration that the bundle had."""
    after: CalibrationFigures
    """With calibrations that were fitted on the other folds' people."""
    error_of_a_perfect_model: float
    """Calibration error that so many clips show when every probability is exactly right: what
    `after` cannot be expected to stay below."""
    minimum_confidence: float
    """Below it the new bundle abstains."""
    coverage: float
    """Share of the clips that is answered with it."""
    accuracy_answered: float | None
    """Accuracy of these; None when nothing is answered."""
    gain_without_least_certain_fifth: float
    """Accuracy of the most certain 80 % less that of all."""


class CalibrationReport(ResultModel):
    """What a new calibration rests on, and what it changes."""

    bundle: str
    old_version: str
    new_version: str
    wanted: Literal["risk", "abstain share"]
    wanted_value: float
    data: DataDescription
    fitted: tuple[SubsetFit, ...]
    kept: dict[str, str]
    """Subsets whose calibration stays as it was, and why."""
    notes: tuple[str, ...]
