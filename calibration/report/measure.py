"""Measures everything that a report says, part by part; an interrupted run goes on where it was."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from edge_ser.bundles.loading import Bundle, load_bundle
from edge_ser.calibration.performance.clip import LatencyClip
from edge_ser.calibration.performance.cold import measure_cold
from edge_ser.calibration.performance.energy import measure_energy
from edge_ser.calibration.performance.footprint_result import Energy, Footprint
from edge_ser.calibration.performance.live import LivePlan, dense_hop, measure_live
from edge_ser.calibration.performance.result import (
    ColdStart,
    LatencySection,
    LiveLatency,
    MeasuredClip,
    NotRun,
    WarmLatency,
)
from edge_ser.calibration.performance.statistics import machine_noise
from edge_ser.calibration.performance.warm import WARM_UP, Candidate, decide_once, measure_warm
from edge_ser.calibration.report.parts import ReportParts
from edge_ser.calibration.report.request import ReportRequest
from edge_ser.calibration.robustness.result import RobustnessSection
from edge_ser.errors import BundleError, EngineError, MissingExtraError
from edge_ser.export.progress import Progress
from edge_ser.export.scoring.result import AccuracySection
from edge_ser.export.variants.variant import Variant, bundle_of
from edge_ser.recognizer import DEFAULT_HOP
from edge_ser.runtime.backend import DEFAULT_BACKEND, is_tensorrt

if TYPE_CHECKING:
    from edge_ser.export.trials.data import EvaluationData

_OTHER_THREADS: Final = 0.2
"""Share of the decisions that other numbers of threads get: enough for p95, not for p99."""
_CROWD_SECONDS: Final = 4.0
"""How long several streams at once are measured."""


@dataclass(frozen=True)
class Measurements:
    """What was measured."""

    latency: LatencySection
    footprint: tuple[Footprint, ...]
    energy: tuple[Energy, ...]
    accuracy: AccuracySection | None
    robustness: tuple[RobustnessSection, ...]


class Measurer:
    """Runs the parts of one report. Belongs to one thread."""

    def __init__(
        self,
        request: ReportRequest,
        bundle: Bundle,
        clip: LatencyClip,
        parts: ReportParts,
        progress: Progress,
    ) -> None:
        self._request = request
        self._bundle = bundle
        self._clip = clip
        self._parts = parts
        self._tell = progress

    def measure(self) -> Measurements:
        """Measure every part that is not there yet.

        Raises:
            ConfigError: int8 has nothing to calibrate with, or the data cannot be used.
            EngineError: the default backend cannot run the bundle, or a graph fails.
        """
        # Data that cannot be used are told of before minutes are spent on latency.
        data = open_data(self._request, self._bundle)
        bundles = self._derive()
        candidates, not_run = self._runnable(bundles)
        described = self._describe(candidates[0])
        warm = self._warm(candidates)
        cold, footprint = self._cold(candidates)
        live = self._live(candidates, warm)
        energy = self._energy(candidates)
        accuracy, robustness = self._data(data, bundles)
        latency = LatencySection(
            clip=described,
            warm=tuple(warm),
            cold=tuple(cold),
            live=tuple(live),
            not_run=tuple(not_run),
            warm_up=WARM_UP,
            seed=self._request.seed,
            noise_percent=machine_noise([m.whole for m in warm]),
        )
        return Measurements(latency, tuple(footprint), tuple(energy), accuracy, robustness)

    def _derive(self) -> dict[Variant, Bundle]:
        """The bundle in every precision: written once, because int8 is chosen by what is faster."""
        bundles: dict[Variant, Bundle] = {}
        variants = self._request.variants
        for index, variant in enumerate(variants):
            self._tell(f"preparing {variant}", index, len(variants))
            target = "tensorrt" if is_tensorrt(variant.backend) else "onnxruntime"
            name = f"{self._bundle.digest[:16]}-{target}-{variant.precision}"
            folder = self._parts.folder / name
            try:
                bundles[variant] = load_bundle(folder)
            except BundleError:
                bundles[variant], _ = bundle_of(
                    self._bundle, variant, folder, self._request.int8_clips
                )
        return bundles

    def _runnable(self, bundles: Mapping[Variant, Bundle]) -> tuple[list[Candidate], list[NotRun]]:
        """Candidates with one thread count each, and what cannot be run here."""
        candidates, not_run = [], []
        for variant, bundle in bundles.items():
            threads = self._request.threads[0]
            candidate = Candidate(variant.precision, variant.backend, threads, bundle)
            try:
                candidate.open().close()
            except (EngineError, MissingExtraError) as error:
                if variant.backend == DEFAULT_BACKEND:
                    raise
                why = str(error)
                not_run.append(
                    NotRun(precision=variant.precision, backend=variant.backend, why=why)
                )
            else:
                candidates.append(candidate)
        if not candidates:
            raise EngineError(
                "nothing that was asked for can be run here: "
                + "; ".join(f"{n.backend} {n.precision}: {n.why}" for n in not_run)
            )
        return candidates, not_run

    def _describe(self, candidate: Candidate) -> MeasuredClip:
        with candidate.open() as recognizer:
            window = self._clip.window(candidate.bundle.manifest)
            _, present = decide_once(recognizer, window, self._clip)
        return self._clip.describe(candidate.bundle.manifest, present)

    def _warm(self, candidates: Sequence[Candidate]) -> list[WarmLatency]:
        first, wanted = candidates[0], self._request.decisions
        others = [
            Candidate(first.precision, first.backend, threads, first.bundle)
            for threads in self._request.threads[1:]
            if not is_tensorrt(first.backend)
        ]
        few = max(1, round(wanted * _OTHER_THREADS))
        counts = [wanted] * len(candidates) + [few] * len(others)
        done = 0

        def tick(count: int) -> None:
            nonlocal done
            done += count
            self._tell("warm decisions", done, sum(counts))

        self._tell("warm decisions", 0, sum(counts))
        return self._parts.once(
            "warm",
            list[WarmLatency],
            lambda: measure_warm(
                [*candidates, *others], self._clip, counts, self._request.seed, tick
            ),
        )

    def _cold(self, candidates: Sequence[Candidate]) -> tuple[list[ColdStart], list[Footprint]]:
        processes = self._request.processes
        total, done = processes * len(candidates), 0

        def tick() -> None:
            nonlocal done
            done += 1
            self._tell("fresh processes", done, total)

        self._tell("fresh processes", 0, total)
        return self._parts.once(
            "cold",
            tuple[list[ColdStart], list[Footprint]],
            lambda: measure_cold(candidates, self._clip.path, processes, tick),
        )

    def _live(
        self, candidates: Sequence[Candidate], warm: Sequence[WarmLatency]
    ) -> list[LiveLatency]:
        request = self._request
        plans: list[tuple[Candidate, LivePlan]] = []
        for candidate, times in zip(candidates, warm, strict=False):
            hop = request.hop or dense_hop(
                times, len(self._clip.window(candidate.bundle.manifest).frames)
            )
            plans.append((candidate, LivePlan(1, hop, request.decisions)))
        for streams in request.streams:
            if streams > 1:
                wanted = round(streams * _CROWD_SECONDS / DEFAULT_HOP)
                plans.append((candidates[0], LivePlan(streams, DEFAULT_HOP, wanted)))
        found = []
        for index, (candidate, plan) in enumerate(plans):
            what = f"live, {plan.streams} stream(s), {candidate.backend} {candidate.precision}"
            self._tell(what, index, len(plans))
            part = f"live-{candidate.backend}-{candidate.precision}-{plan.streams}"
            found.append(
                self._parts.once(
                    part.replace(":", "-"), LiveLatency, self._one_live(candidate, plan)
                )
            )
        return found

    def _one_live(self, candidate: Candidate, plan: LivePlan) -> Callable[[], LiveLatency]:
        return lambda: measure_live(candidate, self._clip, plan)

    def _energy(self, candidates: Sequence[Candidate]) -> list[Energy]:
        self._tell("energy", 0, 1)
        return self._parts.once(
            "energy",
            list[Energy],
            lambda: [measure_energy(candidate, self._clip) for candidate in candidates],
        )

    def _data(
        self, data: EvaluationData | None, bundles: Mapping[Variant, Bundle]
    ) -> tuple[AccuracySection | None, tuple[RobustnessSection, ...]]:
        if data is None:
            return None, ()
        begun = time.perf_counter()
        found = measure_on_data(self._request, self._bundle, bundles, data, self._parts, self._tell)
        self._parts.seconds += time.perf_counter() - begun
        return found


def open_data(request: ReportRequest, bundle: Bundle) -> EvaluationData | None:
    """The labelled clips that were asked for, held against what the bundle was trained on.

    Raises:
        ConfigError: there are none, or people of the training are among them.
    """
    if request.data is None:
        return None
    from edge_ser.export.trials.data import open_evaluation_data

    return open_evaluation_data(
        bundle,
        request.data,
        limit=request.clips,
        seed=request.seed,
        accept_leak=request.accept_leak,
        speech_gate=request.speech_gate,
    )


def measure_on_data(
    request: ReportRequest,
    bundle: Bundle,
    bundles: Mapping[Variant, Bundle],
    data: EvaluationData,
    parts: ReportParts,
    progress: Progress,
) -> tuple[AccuracySection | None, tuple[RobustnessSection, ...]]:
    """Accuracy of every variant, and robustness of the first, on labelled clips."""
    from edge_ser.calibration.report.accuracy import measure_accuracy
    from edge_ser.calibration.robustness.curves import measure_robustness

    resume = parts.folder / "accuracy"
    accuracy = measure_accuracy(
        bundle,
        data,
        precisions=request.precisions,
        backends=request.backends,
        int8_clips=request.int8_clips,
        written=bundles,
        progress=progress,
        resume_folder=resume,
        seed=request.seed,
    )
    if not request.robustness:
        return accuracy, ()
    first = request.variants[0]
    robustness = measure_robustness(
        bundle,
        data,
        precision=first.precision,
        backend=first.backend,
        written=bundles[first],
        progress=progress,
        resume_folder=resume,
        seed=request.seed,
    )
    return accuracy, (robustness,)
