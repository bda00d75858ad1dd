"""Percentiles that say what they rest on."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import Final

import numpy as np

from edge_ser.calibration.performance.result import Distribution, Histogram, Spread

_LARGEST_SHARE: Final = {"p90": 0.90, "p95": 0.95, "p99": 0.99, "p999": 0.999}
WANTED_COUNT: Final = {"p50": 1, "p90": 10, "p95": 20, "p99": 100, "p999": 1000}
"""Values from which on a percentile is given: one of them at least lies above it."""
_FEWEST_BINS: Final = 10
_MOST_BINS: Final = 40


def distribution(blocks: Sequence[Sequence[float]]) -> Distribution:
    """Sum up times that were taken in blocks.

    Args:
        blocks: milliseconds, in the order in which they were taken; empty blocks do not count.

    Raises:
        ValueError: there is no value at all.
    """
    taken = [np.asarray(block, np.float64) for block in blocks if len(block)]
    if not taken:
        raise ValueError("a distribution needs at least one value")
    values = np.concatenate(taken)
    medians = [float(np.median(block)) for block in taken]
    high = {
        name: float(np.quantile(values, share)) if len(values) >= WANTED_COUNT[name] else None
        for name, share in _LARGEST_SHARE.items()
    }
    usual, quietest = float(np.median(medians)), min(medians)
    return Distribution(
        count=len(values),
        p50=usual,
        quietest=quietest,
        noise_percent=100 * (usual / quietest - 1) if quietest > 0 else None,
        smallest=float(values.min()),
        largest=float(values.max()),
        blocks=tuple(medians),
        histogram=_histogram(values),
        **high,
    )


def machine_noise(taken: Sequence[Distribution]) -> float | None:
    """The noise of a machine in percent: the median of what variants that took turns met."""
    known = [t.noise_percent for t in taken if t.noise_percent is not None]
    return float(np.median(known)) if known else None


def in_blocks(values: Sequence[float], count: int = 8) -> list[list[float]]:
    """Cut consecutive values into so many blocks of nearly the same size, none of them empty."""
    count = max(1, min(count, len(values)))
    edges = [len(values) * i // count for i in range(count + 1)]
    return [list(values[a:b]) for a, b in itertools.pairwise(edges)]


def spread(values: Sequence[float]) -> Spread:
    """Median and range of a few values, at least one."""
    return Spread(
        median=float(np.median(values)),
        smallest=float(min(values)),
        largest=float(max(values)),
        count=len(values),
    )


def _histogram(values: np.ndarray) -> Histogram:
    """Equal bins from the smallest value to a little over the 99th percentile; the last is open."""
    low = float(values.min())
    top = max(float(np.quantile(values, 0.99)) * 1.05, low + 1e-3)
    bins = min(max(len(values) // 4, _FEWEST_BINS), _MOST_BINS)
    edges = np.linspace(low, top, bins + 1)
    counts, _ = np.histogram(np.minimum(values, top), edges)
    edges[-1] = max(float(values.max()), top)
    return Histogram(
        edges=tuple(round(float(e), 4) for e in edges), counts=tuple(int(c) for c in counts)
    )
