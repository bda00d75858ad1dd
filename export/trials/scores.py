"""Everything a report says of the answers from one subset of modalities."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np

from edge_ser.bundles.schema import SubsetCalibration
from edge_ser.export.scoring.differences import differences
from edge_ser.export.scoring.group_gap import sex_gap, speaker_gap
from edge_ser.export.scoring.metrics import (
    Floats,
    Labels,
    Probabilities,
    brier_score,
    calibration_columns,
    calibration_figure,
    chance,
    negative_log_likelihood,
    reliability,
    score,
)
from edge_ser.export.scoring.people_draws import (
    PeopleDraws,
    accuracy_figure,
    confusion_columns,
    draw_people,
    recall_figure,
)
from edge_ser.export.scoring.result import (
    Abstention,
    Agreement,
    Interval,
    LabelScore,
    Pairing,
    RiskPoint,
    SubsetAccuracy,
)
from edge_ser.export.trials.logits import SubsetLogits
from edge_ser.pipeline.fusion import calibrated

ABSTAIN_SHARE: Final = 0.2
_COVERAGES: Final = tuple(round(0.05 * step, 2) for step in range(1, 21))


@dataclass(frozen=True)
class Answers:
    """Calibrated answers of one variant from one subset.

    Attributes:
        found: logits, labels and people.
        probabilities: float64 [n, labels].
    """

    found: SubsetLogits
    probabilities: Probabilities

    @classmethod
    def calibrated(cls, found: SubsetLogits, calibration: SubsetCalibration) -> Answers:
        """Apply the bundle's calibration to logits."""
        return cls(found, calibrated(found.logits, calibration))


def score_subset(
    subset: str,
    answers: Answers,
    reference: Answers | None,
    calibration: SubsetCalibration,
    labels: tuple[str, ...],
    pairing: Pairing,
    protocol: str,
    seed: int = 0,
) -> SubsetAccuracy:
    """Score one subset.

    Args:
        subset: its name.
        answers: of the variant.
        reference: of the variant that it is compared with, or None if it is the reference.
        calibration: of the bundle, for its threshold.
        labels: of the bundle.
        pairing: how modalities were brought together.
        protocol: the sentence that stands beside the figures.
        seed: of all draws.
    """
    found, probabilities = answers.found, answers.probabilities
    true, answered = found.true, probabilities.argmax(1)
    count = len(labels)
    metrics = score(answered, true, count)
    draws = draw_people(found.people, seed)
    confusion = confusion_columns(answered, true, count)
    commonest, guessed = chance(true)
    everybody_named = all(found.named)
    return SubsetAccuracy(
        subset=subset,
        pairing=pairing,
        protocol=protocol,
        clips=len(true),
        people=len(set(found.people)),
        absent=found.absent,
        chance_accuracy=commonest,
        chance_recall=guessed,
        accuracy=_valued(draws.interval(confusion, accuracy_figure(count)), metrics.accuracy),
        recall=_valued(draws.interval(confusion, recall_figure(count)), metrics.recall),
        f1=metrics.f1,
        per_label=tuple(
            LabelScore(
                label=label,
                clips=n,
                precision=precision if (answered == i).any() else None,
                recall=recall if n else None,
                f1=f1 if n else None,
            )
            for i, (label, (precision, recall, f1, n)) in enumerate(
                zip(labels, metrics.per_label, strict=True)
            )
        ),
        confusion=metrics.confusion,
        calibration_error=draws.interval(
            calibration_columns(probabilities, true), calibration_figure, centred=True
        ),
        brier=brier_score(probabilities, true),
        negative_log_likelihood=negative_log_likelihood(probabilities, true),
        reliability=reliability(probabilities, true),
        abstention=_abstention(probabilities, true, calibration.minimum_confidence, draws),
        agreement=None if reference is None else _agreement(answers, reference, draws, count),
        by_speaker=speaker_gap(answered, true, found.people, count, seed)
        if everybody_named
        else None,
        by_sex=sex_gap(answered, true, found.people, found.sexes, count, seed)
        if everybody_named
        else None,
    )


def _valued(interval: Interval, value: float) -> Interval:
    """An interval around the very figure that every other command gives."""
    return interval.model_copy(update={"value": value})


def _abstention(
    probabilities: Probabilities, true: Labels, threshold: float, draws: PeopleDraws
) -> Abstention:
    confidence = probabilities.max(1)
    hit = (probabilities.argmax(1) == true).astype(np.float64)
    # Equal confidences keep the order of the clips: the same on every machine.
    order = np.argsort(-confidence, kind="stable")
    curve = []
    for coverage in _COVERAGES:
        kept = order[: max(1, round(coverage * len(order)))]
        curve.append(
            RiskPoint(
                coverage=coverage,
                accuracy=float(hit[kept].mean()),
                threshold=float(confidence[kept[-1]]),
            )
        )
    certain = np.zeros(len(hit))
    certain[order[: max(1, round((1 - ABSTAIN_SHARE) * len(order)))]] = 1.0
    columns = np.stack([hit * certain, certain, hit, np.ones_like(hit)], 1)
    answered = confidence >= threshold
    return Abstention(
        accuracy_all=float(hit.mean()),
        accuracy_most_certain=float(hit[certain > 0].mean()),
        gain=draws.interval(columns, _gain),
        bundle_threshold=threshold,
        bundle_coverage=float(answered.mean()),
        bundle_accuracy=float(hit[answered].mean()) if answered.any() else None,
        curve=tuple(curve),
    )


def _gain(sums: Floats) -> Floats:
    return np.asarray(sums[:, 0] / np.maximum(sums[:, 1], 1.0) - sums[:, 2] / sums[:, 3])


def _agreement(answers: Answers, reference: Answers, draws: PeopleDraws, labels: int) -> Agreement:
    before, after = reference.probabilities, answers.probabilities
    change = np.abs(after - before)
    return Agreement(
        same_label=float((before.argmax(1) == after.argmax(1)).mean()),
        largest_change=float(change.max()),
        mean_change=float(change.mean()),
        differences=differences(before, after, answers.found.true, draws, labels),
    )
