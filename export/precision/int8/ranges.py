"""Ranges of the activations of a graph, measured on a calibration set.

Two passes of bounded memory: the first finds each tensor's extremes, the second fills a histogram
between them, from which a percentile or the least loss of information picks the range.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final, Literal, get_args

import numpy as np
import numpy.typing as npt
import onnx
from onnx import helper

from edge_ser.errors import ConfigError, EngineError
from edge_ser.export.graphs import onnx_graph as og
from edge_ser.runtime.onnxruntime_sessions import open_graph

Method = Literal["minmax", "entropy", "percentile"]
METHODS: Final[tuple[Method, ...]] = get_args(Method)

Range = tuple[float, float]
"""Smallest and largest value that shall be told apart; holds zero."""

Sample = Mapping[str, npt.NDArray[Any]]

_BINS: Final = 2048
_LEVELS: Final = 128
"""Magnitudes that a symmetric 8-bit number tells apart."""


def measure_ranges(
    model: onnx.ModelProto,
    samples: Sequence[Sample],
    tensors: Iterable[str],
    method: Method = "percentile",
    percentile: float = 99.99,
) -> dict[str, Range]:
    """Ranges of float tensors of the graph over all samples.

    Methods: ``minmax`` takes the extremes; ``percentile`` cuts an equal share off both ends so
    that `percentile` per cent of the values stay; ``entropy`` picks the magnitude at which the
    8-bit histogram diverges least from the true one (Kullback-Leibler, the method that Migacz
    presented for TensorRT at GTC 2017).

    Args:
        model: a float graph.
        samples: inputs of the graph, each run by itself.
        tensors: names of the tensors to measure; constants are not among them.
        method: see above.
        percentile: between 50 and 100, for that method.

    Raises:
        ConfigError: no sample, an unknown method or a percentile out of range.
        EngineError: the graph does not run on a sample, or a value is not finite.
    """
    if method not in METHODS:
        raise ConfigError(f"there is no method {method!r}; the methods are {', '.join(METHODS)}")
    if not 50 < percentile <= 100:
        raise ConfigError(f"the percentile must be over 50 and at most 100, not {percentile}")
    if not samples:
        raise ConfigError("no calibration sample was given; calibration needs at least one")
    names = list(dict.fromkeys(tensors))
    if not names:
        return {}
    run = _observed(model, names)
    extremes: dict[str, Range] = dict.fromkeys(names, (0.0, 0.0))
    for sample in samples:
        for name, value in run(sample).items():
            low, high = extremes[name]
            smallest, largest = float(value.min()), float(value.max())
            if not np.isfinite(smallest + largest):
                raise EngineError(
                    f"graph {model.graph.name!r}: the tensor {name!r} is not finite on the "
                    "calibration set; look for NaN in the samples or overflow in the model"
                )
            extremes[name] = (min(low, smallest), max(high, largest))
    if method == "minmax" or (method == "percentile" and percentile == 100):
        return extremes
    histograms = {name: np.zeros(_BINS, dtype=np.int64) for name in names}
    for sample in samples:
        for name, value in run(sample).items():
            low, high = extremes[name]
            if high > low:
                histograms[name] += _histogram(value, low, high)
    if method == "percentile":
        return {n: _by_percentile(histograms[n], extremes[n], percentile) for n in names}
    return {n: _by_entropy(histograms[n], extremes[n]) for n in names}


def _histogram(value: npt.NDArray[Any], low: float, high: float) -> npt.NDArray[np.int64]:
    """As numpy's, for equal bins that hold every value: several times as fast."""
    scaled = (value.reshape(-1).astype(np.float32) - np.float32(low)) * np.float32(
        _BINS / (high - low)
    )
    bins = np.clip(scaled.astype(np.int32), 0, _BINS - 1)
    return np.bincount(bins, minlength=_BINS).astype(np.int64)


class _observed:  # noqa: N801 - used as a function
    """Runs a graph and gives its inner tensors."""

    def __init__(self, model: onnx.ModelProto, names: Sequence[str]) -> None:
        model = og.copy_of(model)
        present = {value.name for value in model.graph.output}
        self._inputs = {v.name for v in model.graph.input} & set(names)
        known = present | self._inputs | {n for node in model.graph.node for n in node.output}
        for name in names:
            if name not in known:
                raise ConfigError(f"graph {model.graph.name!r}: there is no tensor {name!r}")
            if name not in present and name not in self._inputs:
                value = helper.make_tensor_value_info(name, og.FLOAT, None)
                model.graph.output.append(value)
        self._names = [n for n in names if n not in self._inputs]
        self._session = open_graph(model.SerializeToString(), f"graph {model.graph.name!r}")

    def __call__(self, sample: Sample) -> dict[str, npt.NDArray[Any]]:
        values = self._session.run(self._names, sample) if self._names else []
        found = dict(zip(self._names, values, strict=True))
        found.update({name: np.asarray(sample[name]) for name in self._inputs})
        return {name: value for name, value in found.items() if value.size}


def _by_percentile(histogram: npt.NDArray[np.int64], extremes: Range, percentile: float) -> Range:
    low, high = extremes
    total = int(histogram.sum())
    if not total:
        return extremes
    edges = np.linspace(low, high, _BINS + 1)
    share = np.cumsum(histogram) / total
    tail = (1 - percentile / 100) / 2
    first = int(np.searchsorted(share, tail, side="right"))
    last = int(np.searchsorted(share, 1 - tail, side="left"))
    return min(0.0, float(edges[first])), max(0.0, float(edges[min(last + 1, _BINS)]))


def _by_entropy(histogram: npt.NDArray[np.int64], extremes: Range) -> Range:
    low, high = extremes
    reach = max(-low, high)
    if reach == 0 or not histogram.sum():
        return extremes
    centres = np.abs(np.linspace(low, high, _BINS, endpoint=False) + (high - low) / _BINS / 2)
    counts, edges = np.histogram(centres, bins=_BINS, range=(0, reach), weights=histogram)
    # Zeros, of which a ReLU makes many, are exact at any scale: they must not sway the choice.
    counts[0] = counts[1]
    if not counts.sum():
        return extremes
    threshold = float(edges[_least_divergence(counts)])
    return max(low, -threshold), min(high, threshold)


def _least_divergence(counts: npt.NDArray[Any]) -> int:
    """Number of bins of magnitude to keep so that `_LEVELS` levels tell the most about them."""
    best, best_divergence = _BINS, np.inf
    tail = np.cumsum(counts[::-1])[::-1]
    for kept in range(_LEVELS, _BINS + 1, 8):
        true = counts[:kept].astype(np.float64)
        if kept < _BINS:
            true[-1] += tail[kept]
        level = (np.arange(kept) * _LEVELS) // kept
        filled = counts[:kept] > 0
        mass = np.bincount(level, weights=counts[:kept], minlength=_LEVELS)
        spread = np.bincount(level, weights=filled, minlength=_LEVELS)
        coarse = np.where(filled, mass[level] / np.maximum(spread[level], 1), 0.0)
        divergence = _divergence(true, coarse)
        if divergence < best_divergence:
            best, best_divergence = kept, divergence
    return best


def _divergence(true: npt.NDArray[np.float64], coarse: npt.NDArray[np.float64]) -> float:
    # A bin that only the clipped tail fills would make the divergence infinite: smooth it.
    smooth = 1e-4
    p = true / true.sum() + smooth / true.size
    q = coarse / max(coarse.sum(), 1e-12) + smooth / coarse.size
    p, q = p / p.sum(), q / q.sum()
    return float((p * np.log(p / q)).sum())
