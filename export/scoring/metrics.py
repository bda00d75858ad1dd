"""Scores of predicted probabilities against labels: scikit-learn's, and what it lacks."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from edge_ser.errors import ConfigError
from edge_ser.export.scoring.result import ReliabilityBin

Probabilities = npt.NDArray[np.float64]
Labels = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]

BINS: Final = 15
"""Of confidence, for the calibration error."""


@dataclass(frozen=True)
class Metrics:
    """Scores of one set of predictions.

    A label that never occurs has recall and F1 NaN and is left out of the averages.
    """

    count: int
    accuracy: float
    recall: float
    """Unweighted average recall: the mean of the labels' recalls."""
    precision: float
    f1: float
    """Macro F1."""
    per_label: tuple[tuple[float, float, float, int], ...]
    """Precision, recall, F1 and number of items of every label."""
    confusion: tuple[tuple[int, ...], ...]
    """Rows are true labels, columns predicted ones."""


def score(predicted: Labels, true: Labels, labels: int) -> Metrics:
    """Score predictions.

    Args:
        predicted: int64 [n], below `labels`.
        true: int64 [n], below `labels`.
        labels: how many there are.

    Raises:
        ConfigError: if there is no item, or the lengths or values do not fit.
    """
    if len(predicted) != len(true) or not len(true):
        raise ConfigError(f"{len(predicted)} predictions cannot be scored by {len(true)} labels")
    if min(predicted.min(), true.min()) < 0 or max(predicted.max(), true.max()) >= labels:
        raise ConfigError(f"labels must lie between 0 and {labels - 1}")
    from sklearn.metrics import accuracy_score, confusion_matrix, precision_recall_fscore_support

    every = np.arange(labels)
    precision, recall, f1, support = precision_recall_fscore_support(
        true, predicted, labels=every, zero_division=0.0
    )
    there = support > 0
    recall, f1 = np.where(there, recall, np.nan), np.where(there, f1, np.nan)
    return Metrics(
        count=len(true),
        accuracy=float(accuracy_score(true, predicted)),
        recall=float(recall[there].mean()),
        precision=float(precision[there].mean()),
        f1=float(f1[there].mean()),
        per_label=tuple(
            (float(precision[i]), float(recall[i]), float(f1[i]), int(support[i]))
            for i in range(labels)
        ),
        confusion=tuple(
            tuple(int(x) for x in row) for row in confusion_matrix(true, predicted, labels=every)
        ),
    )


def multi_label_f1(predicted: npt.NDArray[np.bool_], targets: npt.NDArray[np.bool_]) -> Floats:
    """F1 of each label, float64 [C]; 0 for a label nobody has and nobody predicted.

    Args:
        predicted: bool [N, C], any number of labels a row.
        targets: bool [N, C].
    """
    from sklearn.metrics import f1_score

    # One column alone would be taken for a binary problem.
    average = "binary" if targets.shape[1] == 1 else None
    found = f1_score(targets, predicted, average=average, zero_division=0.0)
    return np.atleast_1d(np.asarray(found, np.float64))


def chance(true: Labels) -> tuple[float, float]:
    """Accuracy of always answering the commonest label, and average recall of any such guess."""
    counts = np.bincount(true)
    return float(counts.max() / len(true)), 1.0 / int((counts > 0).sum())


def calibration_columns(probabilities: Probabilities, true: Labels, bins: int = BINS) -> Floats:
    """Columns [clips, 2 * bins]: clips, and confidence less hits, of each confidence bin."""
    confidence = probabilities.max(1)
    hit = probabilities.argmax(1) == true
    index = np.minimum((confidence * bins).astype(int), bins - 1)
    columns = np.zeros((len(true), 2 * bins))
    rows = np.arange(len(true))
    columns[rows, index] = 1.0
    columns[rows, bins + index] = confidence - hit
    return columns


def calibration_figure(sums: Floats) -> Floats:
    """Expected calibration error (Guo et al., 2017)."""
    bins = sums.shape[1] // 2
    return np.asarray(np.abs(sums[:, bins:]).sum(1) / sums[:, :bins].sum(1))


def calibration_error(probabilities: Probabilities, true: Labels, bins: int = BINS) -> float:
    """Expected calibration error of the likeliest label (Guo et al., 2017), equally wide bins.

    Args:
        probabilities: [n, labels], rows sum to 1.
        true: int64 [n].
        bins: between 0 and 1.
    """
    return float(calibration_figure(calibration_columns(probabilities, true, bins).sum(0)[None])[0])


def reliability(
    probabilities: Probabilities, true: Labels, bins: int = BINS
) -> tuple[ReliabilityBin, ...]:
    """Confidence and accuracy in equally wide bins of confidence."""
    sums = calibration_columns(probabilities, true, bins).sum(0)
    confidence = probabilities.max(1)
    index = np.minimum((confidence * bins).astype(int), bins - 1)
    means = np.bincount(index, weights=confidence, minlength=bins)
    made = []
    for b in range(bins):
        n = int(sums[b])
        made.append(
            ReliabilityBin(
                low=b / bins,
                high=(b + 1) / bins,
                clips=n,
                confidence=float(means[b] / n) if n else None,
                accuracy=float((means[b] - sums[bins + b]) / n) if n else None,
            )
        )
    return tuple(made)


def negative_log_likelihood(probabilities: Probabilities, true: Labels) -> float:
    """Mean of minus the logarithm of the true label's probability."""
    from sklearn.metrics import log_loss

    labels = np.arange(probabilities.shape[1])
    clipped = np.clip(probabilities, 1e-12, 1)
    return float(log_loss(true, clipped / clipped.sum(1, keepdims=True), labels=labels))


def brier_score(probabilities: Probabilities, true: Labels) -> float:
    """Mean squared distance between probabilities and the one-hot label, 0 to 2."""
    wanted = np.zeros_like(probabilities)
    wanted[np.arange(len(true)), true] = 1.0
    return float(np.square(probabilities - wanted).sum(1).mean())
