"""What `edge_ser.calibration.report.accuracy` found out: how right a bundle is, and for whom.

All shares, accuracies and probabilities lie between 0 and 1. A figure that does not exist (the
recall of a label that never occurs) is None, never NaN: the models go to JSON and back unchanged.
"""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict

Pairing = Literal["paired", "label-paired", "single"]
"""``paired``: all modalities of an example come from one clip. ``label-paired``: they come from
different people who share a label. ``single``: one modality alone, on its natural clips."""


class ResultModel(BaseModel):
    """Base of everything that a report holds: strict, frozen, without unknown fields."""

    model_config = ConfigDict(
        extra="forbid",
        frozen=True,
        strict=True,
        allow_inf_nan=False,
        use_attribute_docstrings=True,
    )


class Interval(ResultModel):
    """A figure with its 95 % bootstrap interval, which draws people, not clips."""

    value: float
    low: float
    high: float


class LabelScore(ResultModel):
    """Scores of one label against all others."""

    label: str
    clips: int
    """Clips that show the label."""
    precision: float | None
    """None when the label was never answered."""
    recall: float | None
    """None when no clip shows the label; so is `f1`."""
    f1: float | None


class ReliabilityBin(ResultModel):
    """Clips whose confidence (probability of the likeliest label) lies in one of equal bins."""

    low: float
    high: float
    clips: int
    confidence: float | None
    """Mean confidence of these clips; None when there are none."""
    accuracy: float | None
    """Share of them that was right."""


class RiskPoint(ResultModel):
    """What is reached when only the most certain clips are answered."""

    coverage: float
    """Share of the clips that is answered."""
    accuracy: float
    """Share of the answered clips that is right; the risk is 1 less this."""
    threshold: float
    """Least confidence that is answered."""


class Abstention(ResultModel):
    """What abstaining on the least certain fifth brings, and what the bundle's threshold does."""

    accuracy_all: float
    accuracy_most_certain: float
    """Accuracy of the most certain 80 % of the clips."""
    gain: Interval
    """`accuracy_most_certain` less `accuracy_all`."""
    bundle_threshold: float
    """Least confidence at which the bundle decides on this subset of modalities."""
    bundle_coverage: float
    """Share of the clips that the bundle answers with it."""
    bundle_accuracy: float | None
    """Accuracy of these; None when it answers none."""
    curve: tuple[RiskPoint, ...]
    """Risk-coverage curve, coverage from 5 to 100 % in steps of 5."""


class Difference(ResultModel):
    """One metric of a variant less that of the reference on the same clips.

    The interval is paired: the same people are drawn for both.
    """

    metric: Literal["accuracy", "macro F1", "calibration error"]
    reference: float
    value: float
    difference: Interval
    """Positive: the variant's figure is larger (for the calibration error that is worse)."""


class Agreement(ResultModel):
    """How far a variant's answers are those of the reference (fp32)."""

    same_label: float
    """Share of the clips with the same likeliest label."""
    largest_change: float
    """Largest absolute change of a probability."""
    mean_change: float
    """Mean absolute change of a probability."""
    differences: tuple[Difference, ...]


class GroupScore(ResultModel):
    """Accuracy of one person's or one sex's clips."""

    group: str
    clips: int
    people: int
    accuracy: float
    recall: float
    """Unweighted average over the labels that occur in the group."""


class GroupGap(ResultModel):
    """Largest less smallest accuracy over groups, beside what chance alone makes of it.

    A model without any difference between groups still shows a gap, because groups are small. It is
    measured by dealing the group memberships out anew: clips over speakers, people over sexes.
    """

    grouping: Literal["speaker", "sex"]
    groups: tuple[GroupScore, ...]
    gap: float
    random_gap_median: float
    """Gap that half of the random dealings stay below."""
    random_gap_95: float
    """Gap that 95 % of the random dealings stay below."""
    p_value: float
    """Share of the random dealings whose gap is at least as large as `gap`."""
    dealings: int
    """Random dealings; all different ones where there are few."""
    note: str
    """What to read in it, in a sentence."""


class SubsetAccuracy(ResultModel):
    """How right a variant is from one subset of modalities."""

    subset: str
    """Names joined by ``+`` as in `edge_ser.bundles.schema.SUBSETS`."""
    pairing: Pairing
    protocol: str
    """Which clips, and how they were put together: it stands beside every figure."""
    clips: int
    people: int
    """People that are told apart; intervals draw them."""
    absent: int
    """Clips left out because a modality of the subset could not be used in them."""
    chance_accuracy: float
    """Accuracy of always answering the commonest label."""
    chance_recall: float
    accuracy: Interval
    recall: Interval
    """Unweighted average recall."""
    f1: float
    """Macro F1 over the labels that occur."""
    per_label: tuple[LabelScore, ...]
    confusion: tuple[tuple[int, ...], ...]
    """Clips; rows are true labels, columns answered ones, in the order of the bundle's labels."""
    calibration_error: Interval
    """Expected calibration error of the likeliest label, 15 equally wide bins. Drawing makes it
    larger by itself: its interval is centred on the figure."""
    brier: float
    """Mean squared distance to the one-hot label, 0 to 2."""
    negative_log_likelihood: float
    """In nats; ln(labels) for equal probabilities."""
    reliability: tuple[ReliabilityBin, ...]
    abstention: Abstention
    agreement: Agreement | None
    """Against the reference; None for the reference itself."""
    by_speaker: GroupGap | None
    """None when fewer than two people are told apart by name."""
    by_sex: GroupGap | None
    """None when the sexes of the people are not known, or only one occurs."""


class VariantAccuracy(ResultModel):
    """One precision on one backend."""

    precision: str
    """``bundle`` (as it is), ``fp32``, ``fp16``, ``int8`` or ``int8-fp16``."""
    backend: str
    reference: bool
    """Whether the others are compared with it: the first that runs."""
    not_run: str | None
    """Why it could not be run on this machine; None when it ran."""
    subsets: tuple[SubsetAccuracy, ...]
    """One for each subset of modalities that the data have; empty when it did not run."""


class DataDescription(ResultModel):
    """What was measured on."""

    name: str
    pairing: Literal["paired", "label-paired"]
    """``label-paired``: subsets of two and three modalities are put together from different people
    who share only the label; such scores say that the fusion works, not how well on one person."""
    protocol: str
    clips: dict[str, int]
    """Clips of each modality."""
    people: dict[str, int]
    """People told apart by name, of each modality; 0 where nobody is named."""
    left_out: tuple[str, ...]
    """What was left out, and why: a sentence each."""
    leak_warning: str
    """Not empty when people or contents of the training are among the clips and that was accepted;
    it stands beside every score."""
    seed: int


class AccuracySection(ResultModel):
    """Accuracy of all precisions and backends on the same clips."""

    data: DataDescription
    labels: tuple[str, ...]
    variants: tuple[VariantAccuracy, ...]

    def reference(self) -> VariantAccuracy | None:
        """The variant that the others are compared with; None when none ran."""
        return next((v for v in self.variants if v.reference), None)
