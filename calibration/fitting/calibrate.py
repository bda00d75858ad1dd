"""Fits temperature, biases and abstention of every subset of modalities on held-out people.

The figures after the fit are cross-fitted: people are dealt into folds, and each fold is scored
with a calibration that was fitted on the others. What is written is fitted on everybody.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal

import numpy as np

from edge_ser.bundles.fields import HIGHEST_TEMPERATURE, LARGEST_BIAS, LOWEST_TEMPERATURE
from edge_ser.bundles.loading import Bundle
from edge_ser.bundles.schema import SUBSETS, AnswerReference, SubsetCalibration, next_version
from edge_ser.calibration.fitting.result import (
    CalibrationFigures,
    CalibrationReport,
    SubsetFit,
)
from edge_ser.errors import ConfigError
from edge_ser.export.progress import Progress, silent
from edge_ser.export.scoring.metrics import (
    Labels,
    Probabilities,
    brier_score,
    calibration_columns,
    calibration_error,
    calibration_figure,
    chance,
    negative_log_likelihood,
    reliability,
)
from edge_ser.export.scoring.people_draws import draw_people
from edge_ser.export.scoring.risk import risk_curve
from edge_ser.export.scoring.temperature import (
    FEWEST_OF_A_LABEL,
    LogitCalibration,
    Logits,
    confidence_for_coverage,
    fit_calibration,
)
from edge_ser.export.trials.data import EvaluationData
from edge_ser.export.trials.logits import ItemReader, SubsetLogits, measure_subsets
from edge_ser.export.trials.part_store import PartStore
from edge_ser.export.trials.scores import ABSTAIN_SHARE
from edge_ser.export.trials.sessions import VariantSessions
from edge_ser.export.trials.windows import WindowReader
from edge_ser.export.variants.variant import Variant
from edge_ser.pipeline.fusion import calibrated
from edge_ser.watch.drift import confidence_bin

FEWEST_CLIPS: Final = 60
FEWEST_PEOPLE: Final = 4
DEFAULT_ABSTAIN_SHARE: Final = 0.1

_ALWAYS: Final = 1.0
_SIMULATIONS: Final = 50
_REFERENCE_BINS: Final = 10


@dataclass(frozen=True)
class Wanted:
    """When a calibrated bundle shall abstain.

    Attributes:
        kind: ``risk``: of what is answered at most this share may be wrong; ``abstain share``: this
            share of the clips is not answered.
        value: the share, above 0 and below 1.
    """

    kind: Literal["risk", "abstain share"]
    value: float

    def __post_init__(self) -> None:
        if not 0 < self.value < 1:
            raise ConfigError(f"the {self.kind} must lie between 0 and 1, not {self.value}")


@dataclass(frozen=True)
class Calibration:
    """New calibrations of a bundle, and what is known of them."""

    subsets: Mapping[str, SubsetCalibration]
    report: CalibrationReport


def calibrate(
    bundle: Bundle,
    data: EvaluationData,
    wanted: Wanted,
    *,
    with_bias: bool = True,
    backend: str = "onnxruntime",
    progress: Progress | None = None,
    resume_folder: Path | None = None,
    seed: int = 0,
) -> Calibration:
    """Fit every subset of modalities that the data have enough of.

    Args:
        bundle: a verified bundle.
        data: people whom the bundle was not trained on, see `open_evaluation_data`.
        wanted: when to abstain.
        with_bias: whether to fit a bias for each label beside the temperature.
        backend: what runs the graphs.
        progress: told of every step.
        resume_folder: where parts are kept; None keeps them in memory.
        seed: of the intervals.

    Raises:
        ConfigError: if no subset has enough clips and people.
        EngineError: if a graph cannot be run.
    """
    reader = ItemReader(data, WindowReader(bundle, data))
    with VariantSessions(bundle, Variant(backend, "bundle")) as opened:
        measured = measure_subsets(
            data, opened, reader, PartStore(resume_folder), progress or silent
        )
    old = bundle.manifest.calibration
    subsets = dict(old)
    fits: list[SubsetFit] = []
    kept: dict[str, str] = {}
    for subset in SUBSETS:
        found = measured.subsets.get(subset)
        reason = "the data have no such clips" if found is None else too_little(found)
        if found is None or reason:
            kept[subset] = reason
            continue
        subsets[subset], fit = _fit(subset, found, old[subset], data, wanted, with_bias, seed)
        fits.append(fit)
    if not fits:
        first = next(iter(measured.subsets), None)
        raise ConfigError(
            f"{data.description.name} is too little to calibrate on: "
            + (f"{first}: {kept[first]}" if first is not None else "no clip could be used")
            + "; record more people, or more clips of each"
        )
    version = next_version(bundle.manifest.version)
    description = data.description.model_copy(
        update={"left_out": (*data.description.left_out, *measured.notes)}
    )
    return Calibration(
        subsets,
        CalibrationReport(
            bundle=bundle.manifest.name,
            old_version=bundle.manifest.version,
            new_version=version,
            wanted=wanted.kind,
            wanted_value=wanted.value,
            data=description,
            fitted=tuple(fits),
            kept=kept,
            notes=tuple(_notes(fits, wanted)),
        ),
    )


def too_little(found: SubsetLogits) -> str:
    """Why there is too little to fit a subset on; empty when there is enough."""
    people = len(set(found.people))
    if len(found.true) < FEWEST_CLIPS:
        return f"only {len(found.true)} clips, and {FEWEST_CLIPS} are needed"
    if people < FEWEST_PEOPLE:
        return f"only {people} people, and {FEWEST_PEOPLE} are needed"
    if len(set(found.folds.tolist())) < 2:
        return "its people cannot be dealt into two folds that each show every label"
    if len(set(found.true.tolist())) < 2:
        return "all clips have one label"
    return ""


def refined(
    old: SubsetCalibration,
    logits: Logits,
    true: Labels,
    people: Sequence[str],
    *,
    with_bias: bool,
) -> SubsetCalibration:
    """A calibration that moves away from the old one as far as these people prove.

    The old calibration rests on people, too: where there is little evidence it stays.

    Args:
        old: of the bundle; without its biases where none are wanted.
        logits: float64 [n, labels], as the fusion gives them.
        true: int64 [n].
        people: [n]; who each clip is of.
        with_bias: whether biases are wanted.
    """
    bias = np.asarray(old.bias or [0.0] * logits.shape[1]) if with_bias else 0.0
    fitted = fit_calibration(logits / old.temperature + bias, true, people, with_bias=with_bias)
    return composed(old if with_bias else SubsetCalibration(temperature=old.temperature), fitted)


def composed(old: SubsetCalibration, fitted: LogitCalibration) -> SubsetCalibration:
    """The calibration of the fusion's logits that is the old one, and after it the fitted one."""
    moved = np.asarray(old.bias or 0.0) / fitted.temperature + np.asarray(fitted.bias or 0.0)
    temperature = np.clip(
        old.temperature * fitted.temperature, LOWEST_TEMPERATURE, HIGHEST_TEMPERATURE
    )
    biases = np.clip(moved - moved.mean(), -LARGEST_BIAS, LARGEST_BIAS)
    return SubsetCalibration(
        temperature=float(temperature),
        bias=tuple(map(float, biases)) if np.any(moved) else (),
    )


def cross_fitted(
    found: SubsetLogits, old: SubsetCalibration | None = None, *, with_bias: bool
) -> Probabilities:
    """Probabilities [n, labels] of each fold under a calibration refined on the other folds."""
    old = old or SubsetCalibration()
    answers = np.empty_like(found.logits)
    people = np.asarray(found.people)
    for fold in np.unique(found.folds):
        inside = found.folds == fold
        new = refined(
            old,
            found.logits[~inside],
            found.true[~inside],
            people[~inside].tolist(),
            with_bias=with_bias,
        )
        answers[inside] = calibrated(found.logits[inside], new)
    return answers


def error_of_a_perfect_model(probabilities: Probabilities, seed: int = 0) -> float:
    """Mean calibration error of labels that are drawn from the probabilities themselves."""
    rng = np.random.default_rng(seed)
    cumulative = probabilities.cumsum(1)
    cumulative[:, -1] = 1.0
    errors = [
        calibration_error(probabilities, (cumulative > rng.random((len(cumulative), 1))).argmax(1))
        for _ in range(_SIMULATIONS)
    ]
    return float(np.mean(errors))


def threshold_for(wanted: Wanted, probabilities: Probabilities, true: Labels) -> float:
    """The least confidence to answer at; 1 (never) where no confidence is enough for the risk.

    For a risk it is the lowest confidence at which, of the clips at least as certain, at most that
    share is wrong (selective classification: Geifman and El-Yaniv, 2017).
    """
    if wanted.kind == "abstain share":
        return confidence_for_coverage(probabilities, 1.0 - wanted.value)
    return min(risk_curve([(probabilities, true)]).threshold(wanted.value), _ALWAYS)


def reference_of(probabilities: Probabilities) -> AnswerReference:
    """How answers [n, labels] are spread over labels and confidences."""
    count, labels = probabilities.shape
    likeliest = np.bincount(probabilities.argmax(1), minlength=labels)
    bins = [confidence_bin(confidence, _REFERENCE_BINS) for confidence in probabilities.max(1)]
    sure = np.bincount(bins, minlength=_REFERENCE_BINS)
    return AnswerReference(
        labels=tuple((likeliest / count).tolist()),
        confidences=tuple((sure / count).tolist()),
        answers=count,
    )


def _fit(
    subset: str,
    found: SubsetLogits,
    old: SubsetCalibration,
    data: EvaluationData,
    wanted: Wanted,
    with_bias: bool,
    seed: int,
) -> tuple[SubsetCalibration, SubsetFit]:
    after = cross_fitted(found, old, with_bias=with_bias)
    threshold = threshold_for(wanted, after, found.true)
    new = refined(old, found.logits, found.true, found.people, with_bias=with_bias).model_copy(
        # Risks that were measured under another calibration would no longer hold.
        update={
            "minimum_confidence": threshold,
            "risks": risk_curve([(after, found.true)]).stated(),
            "reference": reference_of(after),
        }
    )
    confidence = after.max(1)
    hit = after.argmax(1) == found.true
    answered = confidence >= threshold
    order = np.argsort(-confidence, kind="stable")
    certain = order[: max(1, round((1 - ABSTAIN_SHARE) * len(order)))]
    rare = np.bincount(found.true, minlength=len(data.labels)).min()
    no_bias = None
    if not new.bias:
        no_bias = (
            f"a label has only {rare} clips, and {FEWEST_OF_A_LABEL} of each are needed"
            if with_bias
            else "it was not asked for"
        )
    return new, SubsetFit(
        subset=subset,
        pairing=data.pairing_of(subset),
        protocol=data.protocol_of(subset),
        clips=len(found.true),
        people=len(set(found.people)),
        chance_accuracy=chance(found.true)[0],
        folds=len(set(found.folds.tolist())),
        old_temperature=old.temperature,
        temperature=new.temperature,
        bias=new.bias,
        no_bias=no_bias,
        before=_figures(calibrated(found.logits, old), found, seed),
        after=_figures(after, found, seed),
        error_of_a_perfect_model=error_of_a_perfect_model(after, seed),
        minimum_confidence=threshold,
        coverage=float(answered.mean()),
        accuracy_answered=float(hit[answered].mean()) if answered.any() else None,
        gain_without_least_certain_fifth=float(hit[certain].mean() - hit.mean()),
    )


def _figures(probabilities: Probabilities, found: SubsetLogits, seed: int) -> CalibrationFigures:
    draws = draw_people(found.people, seed)
    return CalibrationFigures(
        accuracy=float((probabilities.argmax(1) == found.true).mean()),
        calibration_error=draws.interval(
            calibration_columns(probabilities, found.true), calibration_figure, centred=True
        ),
        brier=brier_score(probabilities, found.true),
        negative_log_likelihood=negative_log_likelihood(probabilities, found.true),
        reliability=reliability(probabilities, found.true),
    )


def _notes(fits: list[SubsetFit], wanted: Wanted) -> list[str]:
    notes = []
    never = [fit.subset for fit in fits if fit.minimum_confidence >= _ALWAYS]
    if never:
        notes.append(
            f"A risk of {wanted.value:g} is out of reach for {', '.join(never)}: from these "
            "modalities alone the bundle will always abstain"
        )
    worse = [
        fit.subset
        for fit in fits
        if fit.after.negative_log_likelihood > fit.before.negative_log_likelihood + 1e-9
    ]
    if worse:
        notes.append(
            f"For people who were not in the fit the new calibration is no better than the old one "
            f"(by log-likelihood) for {', '.join(worse)}: the old one suits these people already"
        )
    if any(fit.bias for fit in fits):
        notes.append(
            "The biases make each label as frequent as it is in these data: where the bundle will "
            "be used, the labels should be about as frequent"
        )
    return notes
