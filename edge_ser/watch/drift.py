"""How far a stream of decisions has drifted from those that its bundle was measured by."""

from __future__ import annotations

import threading
from collections import Counter, deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from edge_ser.bundles.schema import AnswerReference, BundleManifest, subset_name
from edge_ser.errors import ConfigError
from edge_ser.result import Decision

STABLE: Final = 0.1
"""By custom, up to this index a distribution is called unchanged; from `DRIFTED` on it moved."""
DRIFTED: Final = 0.25

FEWEST: Final = 200
"""Decisions below which the index is left out: chance alone would move it by more than .05."""
KEPT: Final = 2000
"""Decisions of a subset of modalities that are looked back at."""

# What nobody answered is taken for half an answer: the logarithm of nothing is no number.
_UNSEEN: Final = 0.5


@dataclass(frozen=True)
class Drift:
    """How the answers from one subset of modalities lie against the bundle's own."""

    decisions: int
    """How many were looked at."""
    labels: float
    """Population stability index of the likeliest labels."""
    confidence: float
    """Population stability index of the likeliest label's probability."""


class DriftWatch:
    """Looks at the latest decisions of each subset of modalities.

    Thread contract: every method from any thread.
    """

    def __init__(self, manifest: BundleManifest, *, kept: int = KEPT) -> None:
        """Begin with no decisions.

        Args:
            manifest: of the bundle that decides; subsets that state no reference are not watched.
            kept: decisions of a subset that are looked back at.

        Raises:
            ConfigError: if those are too few to tell anything.
        """
        if kept < FEWEST:
            raise ConfigError(f"drift cannot be told from {kept} decisions: at least {FEWEST}")
        self._labels = {label: number for number, label in enumerate(manifest.labels)}
        self._lock = threading.Lock()
        self._references: dict[str, AnswerReference] = {
            subset: calibration.reference
            for subset, calibration in manifest.calibration.items()
            if calibration.reference is not None
        }
        self._answers: dict[str, deque[tuple[int, int]]] = {
            subset: deque(maxlen=kept) for subset in self._references
        }

    @property
    def watched(self) -> tuple[str, ...]:
        """The subsets for which the bundle states a reference."""
        return tuple(self._references)

    def add(self, decision: Decision) -> None:
        """Count a decision in, whether it abstains or not; one from nothing at all says nothing."""
        subset = subset_name(list(decision.present))
        if subset not in self._references:
            return
        probabilities = decision.probabilities
        likeliest = max(probabilities, key=lambda label: probabilities[label])
        bins = len(self._references[subset].confidences)
        answer = (self._labels[likeliest], confidence_bin(decision.confidence, bins))
        with self._lock:
            self._answers[subset].append(answer)

    def drift(self) -> dict[str, Drift]:
        """The drift of every subset of which enough decisions came."""
        with self._lock:
            answers = {subset: list(seen) for subset, seen in self._answers.items()}
        return {
            subset: _drift(self._references[subset], seen)
            for subset, seen in answers.items()
            if len(seen) >= FEWEST
        }


def stability_index(expected: Sequence[float], counts: Mapping[int, int]) -> float:
    """Population stability index of counted answers against the shares that are expected of them.

    It is the sum over all bins of (observed - expected) * ln(observed / expected): 0 for equal
    distributions, and the same whichever of the two is called the expected one.

    Args:
        expected: share of each bin; they sum to 1.
        counts: answers in a bin, by its number from 0 on.
    """
    total = sum(counts.values())
    observed = np.array([counts.get(i, 0) or _UNSEEN for i in range(len(expected))], np.float64)
    observed /= observed.sum()
    shares = np.maximum(np.asarray(expected, np.float64), _UNSEEN / max(total, 1))
    shares /= shares.sum()
    return float(((observed - shares) * np.log(observed / shares)).sum())


def confidence_bin(confidence: float, bins: int) -> int:
    """Number of the equal bin, from 0 on, of a confidence between 0 and 1."""
    return min(int(confidence * bins), bins - 1)


def _drift(reference: AnswerReference, seen: Sequence[tuple[int, int]]) -> Drift:
    return Drift(
        decisions=len(seen),
        labels=stability_index(reference.labels, Counter(label for label, _ in seen)),
        confidence=stability_index(reference.confidences, Counter(place for _, place in seen)),
    )
