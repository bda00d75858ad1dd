"""How far a graph's answers are from those of another, and how long each takes, on this CPU."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import onnx

from edge_ser.errors import EngineError
from edge_ser.runtime.onnxruntime_sessions import open_graph

Sample = Mapping[str, npt.NDArray[Any]]


@dataclass(frozen=True)
class Difference:
    """Of all outputs over all samples.

    Attributes:
        largest: largest absolute difference.
        mean: mean absolute difference.
        relative: root mean square of the difference over that of the reference.
    """

    largest: float
    mean: float
    relative: float


class Evaluated:
    """A graph that runs on this CPU exactly as it is written.

    Sums of s8 products that processors without VNNI overflow are computed in full, so that what
    is measured is the graph's error and not this processor's.
    """

    def __init__(self, model: onnx.ModelProto, *, exact: bool = True) -> None:
        """Load the graph; `exact` off measures speed as the runtime would have it.

        Raises:
            EngineError: it does not load.
        """
        self._session = open_graph(
            model.SerializeToString(),
            f"graph {model.graph.name!r}",
            settings={"session.x64quantprecision": "1"} if exact else None,
        )

    def __call__(self, sample: Sample) -> list[npt.NDArray[np.float32]]:
        """The graph's outputs.

        Raises:
            EngineError: it does not run on this sample.
        """
        return [np.asarray(v, np.float32) for v in self._session.run(None, sample)]


def difference(
    reference: onnx.ModelProto, other: onnx.ModelProto, samples: Sequence[Sample]
) -> Difference:
    """Differences of `other` from `reference` over all samples.

    Raises:
        EngineError: a graph does not load or run, or an answer of `other` is not finite where
            that of `reference` is.
    """
    expected_of, given_of = Evaluated(reference), Evaluated(other)
    largest, total, square, power, count = 0.0, 0.0, 0.0, 0.0, 0
    for sample in samples:
        for expected, given in zip(expected_of(sample), given_of(sample), strict=True):
            if expected.shape != given.shape:
                raise EngineError(
                    f"graph {other.graph.name!r} answers {given.shape}, not {expected.shape}"
                )
            apart = np.abs(expected.astype(np.float64) - given)
            if np.isnan(apart).any() or np.isinf(apart).any():
                raise EngineError(
                    f"graph {other.graph.name!r}: an answer is not finite; keep more layers in fp32"
                )
            largest = max(largest, float(apart.max(initial=0.0)))
            total += float(apart.sum())
            square += float(np.square(apart).sum())
            power += float(np.square(expected.astype(np.float64)).sum())
            count += apart.size
    relative = float(np.sqrt(square / power)) if power > 0 else (0.0 if square == 0 else np.inf)
    return Difference(largest, total / max(count, 1), relative)


def milliseconds(
    models: Sequence[onnx.ModelProto],
    samples: Sequence[Sample],
    rounds: int = 15,
    clock: Callable[[], float] = time.perf_counter,
) -> list[list[float]]:
    """Times of each graph over the samples, one thread, the graphs in turn within each round.

    Returns:
        per model the sum over all samples of each round, in milliseconds.
    """
    graphs = [Evaluated(model, exact=False) for model in models]
    for graph in graphs:
        for sample in samples:
            graph(sample)
    times: list[list[float]] = [[] for _ in graphs]
    for _ in range(rounds):
        for graph, found in zip(graphs, times, strict=True):
            started = clock()
            for sample in samples:
                graph(sample)
            found.append((clock() - started) * 1000.0)
    return times


def cpu_milliseconds(
    models: Sequence[onnx.ModelProto], samples: Sequence[Sample], rounds: int = 9
) -> list[list[float]]:
    """As `milliseconds`, in processor time: right also where others use the processor."""
    return milliseconds(models, samples, rounds, clock=time.process_time)
