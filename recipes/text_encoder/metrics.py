"""Scores of multi-label predictions, and the thresholds that turn probabilities into labels."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from edge_ser.export.scoring.metrics import multi_label_f1

FloatArray = npt.NDArray[np.floating]
BoolArray = npt.NDArray[np.bool_]


def choose_thresholds(probabilities: FloatArray, targets: FloatArray) -> npt.NDArray[np.float64]:
    """For each label the threshold with the highest F1 on held-out data.

    The best few of a rare label differ by luck, so the answer is the mean of all thresholds on a
    grid of 0.01 whose F1 comes within 1 % of the best.

    Args:
        probabilities: [N, C] in 0..1, of data that was not trained on.
        targets: [N, C] of 0 and 1.

    Returns:
        float64 [C], each in 0.02..0.98.
    """
    grid = np.arange(0.02, 0.985, 0.01)
    scores = np.stack([multi_label_f1(probabilities >= t, targets > 0.5) for t in grid])
    best = scores.max(axis=0)
    near = scores >= 0.99 * best[None, :]
    return np.asarray((near * grid[:, None]).sum(axis=0) / near.sum(axis=0), np.float64)


def apply_thresholds(probabilities: FloatArray, thresholds: npt.NDArray[np.float64]) -> BoolArray:
    """Labels at or above their threshold; where none is, the one that comes closest to its own.

    Args:
        probabilities: [N, C] in 0..1.
        thresholds: [C].

    Returns:
        bool [N, C] with at least one label a row.
    """
    chosen = probabilities >= thresholds[None, :]
    nearest = np.argmax(probabilities / thresholds[None, :], axis=1)
    empty = ~chosen.any(axis=1)
    chosen[np.flatnonzero(empty), nearest[empty]] = True
    return np.asarray(chosen, np.bool_)


def macro_f1_at_chance(targets: FloatArray, repeats: int = 200, seed: int = 0) -> float:
    """Macro F1 of guessing each label at random with its own frequency, mean over `repeats`."""
    rng = np.random.default_rng(seed)
    share = targets.mean(axis=0)
    scores = [
        multi_label_f1(rng.random(targets.shape) < share[None, :], targets > 0.5).mean()
        for _ in range(repeats)
    ]
    return float(np.mean(scores))


def bootstrap_interval(
    predicted: BoolArray, targets: FloatArray, repeats: int = 1000, seed: int = 0
) -> tuple[float, float]:
    """95 % interval of macro F1 when the items are drawn again with replacement."""
    rng = np.random.default_rng(seed)
    count = len(targets)
    scores = []
    for _ in range(repeats):
        draw = rng.integers(0, count, count)
        scores.append(multi_label_f1(predicted[draw], targets[draw] > 0.5).mean())
    low, high = np.percentile(scores, [2.5, 97.5])
    return float(low), float(high)
