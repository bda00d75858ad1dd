"""Inputs for a graph when there is no data: values of the range that the runtime feeds.

Errors measured on probes say whether a pass broke a graph, not what it costs in accuracy.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from edge_ser.bundles.schema import TensorSpec
from edge_ser.runtime.engine_cache import Shapes

_PICTURES: Final = frozenset({"faces", "image"})


def probe_inputs(
    inputs: Mapping[str, TensorSpec],
    shapes: Shapes,
    vocabulary: int = 1000,
    count: int = 4,
    seed: int = 0,
) -> list[dict[str, npt.NDArray[Any]]]:
    """Inputs of the usual shape, the first of them of the smallest.

    Pictures are smooth and of 0..255, masks are ones, token ids lie in the vocabulary, everything
    else is normal noise that is smooth along its last axis.

    Args:
        inputs: what the graph takes.
        shapes: smallest, usual and largest shape of each input.
        vocabulary: token ids are below this.
        count: how many to make, at least 1.
        seed: of the noise; the same seed gives the same inputs.
    """
    rng = np.random.default_rng(seed)
    probes = []
    for index in range(count):
        probe: dict[str, npt.NDArray[Any]] = {}
        for name, spec in inputs.items():
            shape = shapes[name][0 if index == 0 else 1]
            probe[name] = _values(name, spec, shape, vocabulary, rng)
        probes.append(probe)
    return probes


def _values(
    name: str, spec: TensorSpec, shape: tuple[int, ...], vocabulary: int, rng: np.random.Generator
) -> npt.NDArray[Any]:
    if name.endswith("mask"):
        return np.ones(shape, dtype=spec.dtype)
    if spec.dtype.startswith(("int", "uint")):
        return rng.integers(0, vocabulary, shape).astype(spec.dtype)
    noise = rng.normal(0.0, 1.0, shape)
    # Neighbours are alike in sound and pictures; white noise would excite no layer as data do.
    smooth = (noise + np.roll(noise, 1, -1) + np.roll(noise, 2, -1)) / np.sqrt(3.0)
    if name in _PICTURES:
        smooth = np.clip(127.5 + 50.0 * smooth, 0.0, 255.0)
    return np.asarray(smooth, dtype=spec.dtype)
