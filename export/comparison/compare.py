"""Compare a bundle's precisions and backends: accuracy, differences and times, side by side."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from edge_ser.bundles.loading import Bundle
from edge_ser.bundles.schema import GRAPHS, GraphName
from edge_ser.errors import ConfigError, EngineError, MissingExtraError
from edge_ser.export.comparison.gate import Verdict, judge
from edge_ser.export.comparison.workload import DecisionWorkload, decision_workload
from edge_ser.export.data.clip_set import ClipFeatures, graph_samples
from edge_ser.export.precision.probe import probe_inputs
from edge_ser.export.trials.answers import Predictions, clip_answers
from edge_ser.export.variants.variant import Variant, bundle_of
from edge_ser.files import temporary_folder
from edge_ser.runtime.bundle_sessions import open_graphs
from edge_ser.runtime.session import Session, Tensor
from edge_ser.runtime.shape_profiles import graph_shapes

Sessions = Mapping[GraphName, Session]
Progress = Callable[[str], None]

_TIMED_CLIPS = 8


@dataclass(frozen=True)
class Times:
    """Milliseconds at the 50th, 95th and 99th percentile."""

    p50: float
    p95: float
    p99: float


@dataclass(frozen=True)
class GraphComparison:
    """One graph of one variant against the reference's.

    Attributes:
        largest: largest absolute difference of an output; None where nothing was compared.
        mean: mean absolute difference.
        times: of one run on one clip's input.
    """

    largest: float
    mean: float
    times: Times


@dataclass
class VariantReport:
    """What was found of one variant.

    Attributes:
        variant: which.
        not_run: why it could not be run here, or None.
        megabytes: of all its graphs.
        graphs: by name.
        pipeline: every graph's runs for one decision about a window of a clip.
        live: the same for one decision of a stream, with the pictures of one hop.
        verdicts: by subset of modalities; the reference is compared with itself.
        forced: graphs whose error is over the tolerance.
    """

    variant: Variant
    not_run: str | None = None
    megabytes: float = 0.0
    graphs: dict[GraphName, GraphComparison] = field(default_factory=dict)
    pipeline: Times | None = None
    live: Times | None = None
    verdicts: dict[str, Verdict] = field(default_factory=dict)
    forced: tuple[str, ...] = ()

    @property
    def passed(self) -> bool:
        """Whether every graph keeps its tolerance and held-out people lose little enough."""
        return not self.forced and all(v.passed for v in self.verdicts.values())


def compare(
    bundle: Bundle,
    variants: Sequence[Variant],
    clips: Sequence[ClipFeatures],
    *,
    calibration: Path | None = None,
    rounds: int = 5,
    progress: Progress | None = None,
    keep: Path | None = None,
    clock: Callable[[], float] = time.perf_counter,
) -> list[VariantReport]:
    """Run every variant over the same clips, in turn.

    The first variant that runs is the reference of all others.

    Args:
        bundle: a verified bundle.
        variants: at least one.
        clips: held-out people; empty compares outputs and times on synthetic probes.
        calibration: clips for int8, where the bundle carries no ranges.
        rounds: how often times are taken.
        progress: told of every step.
        keep: folder in which the bundle of each variant that differs from `bundle` stays, named
            by the variant's index; None keeps none.
        clock: seconds; `time.process_time` counts what the graphs compute on this CPU, also where
            others use it too, and nothing that a GPU does.

    Raises:
        ConfigError: there is no variant, a precision is unknown, or int8 has nothing to calibrate.
        EngineError: a graph fails.
    """
    if not variants:
        raise ConfigError("name at least one backend and one precision to compare")
    tell = progress or (lambda *_: None)
    with ExitStack() as stack:
        folder = keep or stack.enter_context(temporary_folder())
        reports = [VariantReport(v) for v in variants]
        running: list[tuple[VariantReport, Sessions]] = []
        for index, report in enumerate(reports):
            tell(f"{report.variant}: preparing")
            opened = _open(bundle, report, folder / str(index), calibration, stack)
            if opened is not None:
                running.append((report, opened))
        if not running:
            return reports
        reference = running[0][1]
        samples = {g: _samples(bundle, g, clips, reference) for g in GRAPHS}
        for report, sessions in running:
            tell(f"{report.variant}: comparing")
            for graph in GRAPHS:
                report.graphs[graph] = _compare_graph(
                    reference[graph], sessions[graph], samples[graph]
                )
        tell("timing")
        decision = decision_workload(bundle.manifest, clips, reference)
        _take_times(running, samples, decision, rounds, clock)
        _judge_all(bundle, running, clips, tell)
    return reports


def _open(
    bundle: Bundle,
    report: VariantReport,
    folder: Path,
    calibration: Path | None,
    stack: ExitStack,
) -> dict[GraphName, Session] | None:
    variant = report.variant
    kind = variant.backend.split(":")[0]
    derived, report.forced = bundle_of(bundle, variant, folder, calibration)
    report.megabytes = sum(derived.graph_path(g).stat().st_size for g in GRAPHS) / 1e6
    try:
        return open_graphs(derived, variant.backend, stack, passing=True)
    except (EngineError, MissingExtraError) as error:
        if kind == "onnxruntime" and variant.backend == kind:
            raise
        report.not_run = str(error)
        return None


def _samples(
    bundle: Bundle, graph: GraphName, clips: Sequence[ClipFeatures], sessions: Sessions
) -> list[dict[str, Tensor]]:
    real = graph_samples(clips[:: max(1, len(clips) // 64)], bundle.manifest, graph, sessions)
    shapes = graph_shapes(bundle.manifest, graph)
    return real[:64] or probe_inputs(bundle.manifest.graphs[graph].inputs, shapes)


def _compare_graph(
    reference: Session, other: Session, samples: Sequence[Mapping[str, Tensor]]
) -> GraphComparison:
    largest, total, count = 0.0, 0.0, 0
    for sample in samples:
        expected, given = reference.run(sample), other.run(sample)
        for name, value in expected.items():
            apart = np.abs(value.astype(np.float64) - given[name])
            largest = max(largest, float(apart.max(initial=0.0)))
            total += float(apart.sum())
            count += apart.size
    return GraphComparison(largest, total / max(count, 1), Times(0.0, 0.0, 0.0))


def _take_times(
    running: Sequence[tuple[VariantReport, Sessions]],
    samples: Mapping[GraphName, Sequence[Mapping[str, Tensor]]],
    decision: DecisionWorkload,
    rounds: int,
    clock: Callable[[], float],
) -> None:
    """Times of all variants in turn within each round, so that a slow moment hits all alike."""

    def milliseconds(session: Session, sample: Mapping[str, Tensor]) -> float:
        started = clock()
        session.run(sample)
        return (clock() - started) * 1000.0

    taken: list[dict[GraphName, list[float]]] = [{g: [] for g in GRAPHS} for _ in running]
    whole: list[list[float]] = [[] for _ in running]
    live: list[list[float]] = [[] for _ in running]
    last = {g: list(samples[g])[-_TIMED_CLIPS:] for g in GRAPHS}
    for round_ in range(rounds + 1):
        for index, (_, sessions) in enumerate(running):
            spent = {
                graph: [milliseconds(sessions[graph], sample) for sample in last[graph]]
                for graph in GRAPHS
            }
            clip = sum(milliseconds(sessions[run.graph], run.inputs) for run in decision.clip)
            hop = sum(milliseconds(sessions[run.graph], run.inputs) for run in decision.live)
            if round_:  # the first round warms up
                whole[index].append(clip)
                live[index].append(hop)
                for graph in GRAPHS:
                    taken[index][graph] += spent[graph]
    for index, (report, _) in enumerate(running):
        for graph in GRAPHS:
            before = report.graphs[graph]
            times = _percentiles(taken[index][graph])
            report.graphs[graph] = GraphComparison(before.largest, before.mean, times)
        report.pipeline = _percentiles(whole[index])
        report.live = _percentiles(live[index])


def _percentiles(times: Sequence[float]) -> Times:
    p50, p95, p99 = (float(v) for v in np.percentile(times, [50, 95, 99]))
    return Times(p50, p95, p99)


def _judge_all(
    bundle: Bundle,
    running: Sequence[tuple[VariantReport, Sessions]],
    clips: Sequence[ClipFeatures],
    tell: Progress,
) -> None:
    reference: dict[str, Predictions] = {}
    for report, sessions in running:
        tell(f"{report.variant}: recognising {len(clips)} clips")
        found = clip_answers(clips, bundle.manifest, sessions)
        reference = reference or found
        precision = report.variant.precision
        bound = {"int8-fp16": "mixed", "bundle": "int8"}.get(precision, precision)
        for subset, answers in found.items():
            report.verdicts[subset] = judge(reference[subset], answers, bound)
