"""Makes whole reports out of invented figures: every section filled, nothing measured."""

from __future__ import annotations

import numpy as np

from edge_ser.calibration.accuracy_result import (
    Abstention,
    AccuracySection,
    Agreement,
    DataDescription,
    Difference,
    GroupGap,
    GroupScore,
    Interval,
    LabelScore,
    ReliabilityBin,
    RiskPoint,
    SubsetAccuracy,
    VariantAccuracy,
)
from edge_ser.calibration.footprint_result import Energy, Footprint
from edge_ser.calibration.host_result import HostFacts, HostState, HostWatch, MachinePart
from edge_ser.calibration.latency_result import (
    ColdStart,
    LatencySection,
    LiveLatency,
    MeasuredClip,
    StageTime,
    WarmLatency,
)
from edge_ser.calibration.latency_statistics import distribution, in_blocks, spread
from edge_ser.calibration.report_result import BundleFacts, Report, Settings
from edge_ser.calibration.robustness_result import (
    OffsetCurve,
    OffsetOutcome,
    OffsetPoint,
    RobustnessCurve,
    RobustnessPoint,
    RobustnessSection,
)

LABELS = ("neutral", "happy", "sad", "angry", "fearful", "disgust", "surprised")
SUBSETS = ("audio", "text", "video", "audio+text", "audio+video", "text+video", "audio+text+video")
VARIANTS = (("onnxruntime", "fp32"), ("onnxruntime", "fp16"), ("onnxruntime", "int8"))
STAGES = ("transcript", "decode", "face_detection", "face", "text", "audio_features", "acoustic")


def around(value: float, half: float = 0.03) -> Interval:
    """A figure with an interval of that half width."""
    return Interval(value=value, low=value - half, high=value + half)


def latency(scale: float = 1.0, clip: str = "a" * 64, hop_ms: float = 100.0) -> LatencySection:
    """Times of three precisions, `scale` times as long as usual."""
    rng = np.random.default_rng(3)

    def times(middle: float, count: int = 120) -> list[float]:
        return list(scale * middle * (1 + 0.3 * rng.gamma(1.2, 0.3, count)))

    def live(backend: str, precision: str, middle: float, streams: int, hop: float) -> LiveLatency:
        return LiveLatency(
            precision=precision,
            backend=backend,
            threads=1,
            streams=streams,
            window_seconds=3.0,
            hop_ms=hop,
            seconds=12.0,
            latency=distribution(in_blocks(times(middle))),
            compute=distribution(in_blocks(times(middle * 0.8))),
            oldest_age_ms=3000 + middle,
            hops_skipped=0 if streams == 1 else 3,
            pictures_shed=0,
            sound_lost_ms=0.0,
            degraded=(),
            processor_percent=40.0 * streams,
        )

    warm, cold = [], []
    for index, (backend, precision) in enumerate(VARIANTS):
        middle = 120.0 - 25 * index
        for threads in (1, 2) if index == 0 else (1,):
            count = 120 if threads == 1 else 40
            warm.append(
                WarmLatency(
                    precision=precision,
                    backend=backend,
                    threads=threads,
                    whole=distribution(in_blocks(times(middle / threads**0.5, count), 10)),
                    stages=tuple(
                        StageTime(stage=s, p50=middle / 8, p95=middle / 6, share=1 / 8)
                        for s in (*STAGES, "everything else")
                    ),
                )
            )
        cold.append(
            ColdStart(
                precision=precision,
                backend=backend,
                threads=1,
                processes=3,
                interpreter=spread([80.0, 85.0, 90.0]),
                imports=spread([300.0, 310.0, 330.0]),
                load=spread([400.0, 420.0, 460.0]),
                first_decision=spread([200.0, 210.0, 230.0]),
                whole=spread([990.0, 1025.0, 1100.0]),
            )
        )
    alone = [live(b, p, 45.0 - 6 * i, 1, hop_ms) for i, (b, p) in enumerate(VARIANTS)]
    return LatencySection(
        clip=MeasuredClip(
            name="astronaut.mp4",
            sha256=clip,
            words_sha256="b" * 64,
            seconds=3.3,
            pictures=15,
            width=480,
            height=480,
            modalities=("audio", "text", "video"),
        ),
        warm=tuple(warm),
        cold=tuple(cold),
        live=(*alone, live(*VARIANTS[0], 70.0, 4, 500.0)),
        not_run=(),
        warm_up=5,
        seed=0,
    )


def subset_accuracy(subset: str, accuracy: float, *, reference: bool) -> SubsetAccuracy:
    """Scores of one subset; the confusion matrix has 20 clips a label."""
    right = round(20 * accuracy)
    size = len(LABELS)
    confusion = [[0] * size for _ in LABELS]
    for row in range(size):
        confusion[row][row] = right
        confusion[row][(row + 1) % size] = 20 - right
    differences = tuple(
        Difference(
            metric=metric, reference=accuracy, value=accuracy, difference=around(-0.004, 0.01)
        )
        for metric in ("accuracy", "macro F1", "calibration error")
    )
    people = GroupGap(
        grouping="speaker",
        groups=tuple(
            GroupScore(
                group=f"Actor {n:02d}",
                clips=28,
                people=1,
                accuracy=accuracy - 0.1 + n / 50,
                recall=0.5,
            )
            for n in range(1, 11)
        ),
        gap=0.2,
        random_gap_median=0.12,
        random_gap_95=0.18,
        p_value=0.02,
        dealings=1000,
        note="It is larger than chance makes it.",
    )
    return SubsetAccuracy(
        subset=subset,
        pairing="label-paired" if "+" in subset else "single",
        protocol="invented",
        clips=140,
        people=10,
        absent=0,
        chance_accuracy=1 / 7,
        chance_recall=1 / 7,
        accuracy=around(accuracy),
        recall=around(accuracy),
        f1=accuracy,
        per_label=tuple(
            LabelScore(label=label, clips=20, precision=accuracy, recall=accuracy, f1=accuracy)
            for label in LABELS
        ),
        confusion=tuple(tuple(row) for row in confusion),
        calibration_error=around(0.045, 0.01),
        brier=0.4,
        negative_log_likelihood=0.8,
        reliability=tuple(
            ReliabilityBin(
                low=n / 15,
                high=(n + 1) / 15,
                clips=n * 3,
                confidence=(n + 0.5) / 15 if n else None,
                accuracy=min((n + 1) / 15, 1.0) if n else None,
            )
            for n in range(15)
        ),
        abstention=Abstention(
            accuracy_all=accuracy,
            accuracy_most_certain=accuracy + 0.07,
            gain=around(0.07, 0.02),
            bundle_threshold=0.4,
            bundle_coverage=0.85,
            bundle_accuracy=accuracy + 0.05,
            curve=tuple(
                RiskPoint(
                    coverage=c / 20, accuracy=min(accuracy + (20 - c) / 60, 1.0), threshold=0.5
                )
                for c in range(1, 21)
            ),
        ),
        agreement=None
        if reference
        else Agreement(
            same_label=0.98, largest_change=0.06, mean_change=0.004, differences=differences
        ),
        by_speaker=people if subset == "audio" else None,
        by_sex=None,
    )


def accuracy_section() -> AccuracySection:
    """Three precisions on invented clips."""
    variants = []
    for index, (backend, precision) in enumerate(VARIANTS):
        subsets = tuple(
            subset_accuracy(s, 0.45 + 0.05 * n - 0.01 * index, reference=index == 0)
            for n, s in enumerate(SUBSETS)
        )
        variants.append(
            VariantAccuracy(
                precision=precision,
                backend=backend,
                reference=index == 0,
                not_run=None,
                subsets=subsets,
            )
        )
    return AccuracySection(
        data=DataDescription(
            name="invented",
            pairing="label-paired",
            protocol="Clips that nobody recorded, of people who do not exist.",
            clips={"audio": 140, "text": 140, "video": 140},
            people={"audio": 10, "text": 0, "video": 10},
            left_out=("2 clips without a label.",),
            leak_warning="",
            seed=0,
        ),
        labels=LABELS,
        variants=tuple(variants),
    )


def robustness_section() -> RobustnessSection:
    """Two curves and an offset."""

    def point(strength: float | None, condition: str, accuracy: float) -> RobustnessPoint:
        return RobustnessPoint(
            strength=strength,
            condition=condition,
            clips=60,
            present=1.0,
            accuracy=around(accuracy, 0.06),
            difference=around(accuracy - 0.7, 0.04),
            log_probability=-0.9,
            confidence=0.6,
            calibration_error=0.08,
            same_label=0.8,
        )

    noise = (
        point(None, "undisturbed", 0.7),
        point(20, "white noise at 20 dB", 0.66),
        point(10, "white noise at 10 dB", 0.58),
        point(0, "white noise at 0 dB", 0.41),
    )
    words = (
        point(None, "undisturbed", 0.7),
        point(0.1, "10 % of the words wrong", 0.67),
        point(0.2, "20 % of the words wrong", 0.63),
        point(0.4, "40 % of the words wrong", 0.55),
    )

    def outcome(cost: float) -> OffsetOutcome:
        return OffsetOutcome(
            accuracy=around(0.7 + cost / 3),
            log_probability=around(-0.9 + cost),
            cost=around(cost, 0.05),
            same_label=0.9,
            change=0.03,
            foreign_pictures=0.2,
        )

    offsets = (-500, -250, -100, 0, 100, 250, 500)
    return RobustnessSection(
        precision="fp32",
        backend="onnxruntime",
        clips=60,
        pairing="label-paired",
        curves=(
            RobustnessCurve(
                disturbance="noise", subset="audio", unit="dB", protocol="invented", points=noise
            ),
            RobustnessCurve(
                disturbance="noise",
                subset="audio+text+video",
                unit="dB",
                protocol="invented",
                points=noise,
            ),
            RobustnessCurve(
                disturbance="wrong words",
                subset="text",
                unit="share of the words",
                protocol="invented",
                points=words,
            ),
        ),
        offset=OffsetCurve(
            subset="audio+video",
            protocol="invented",
            moments=60,
            people=10,
            points=tuple(
                OffsetPoint(
                    offset_ms=o, unaligned=outcome(-abs(o) / 2500), aligned=outcome(-abs(o) / 50000)
                )
                for o in offsets
            ),
            reading="Pictures that are 500 ms late cost 0.2 nats; the aligner gives them back.",
        ),
        no_offset=None,
        seed=0,
    )


def footprints(scale: float = 1.0) -> tuple[Footprint, ...]:
    """Room of three precisions."""
    return tuple(
        Footprint(
            precision=precision,
            backend=backend,
            threads=1,
            bundle_mb=scale * 60.0 / (index + 1),
            graphs_mb={"acoustic": 20.0, "text": 30.0, "face": 2.0, "fusion": 3.0, "detector": 0.5},
            engines_mb=None,
            resident_imported_mb=spread([60.0]),
            resident_loaded_mb=spread([180.0]),
            resident_deciding_mb=spread([230.0]),
            resident_peak_mb=spread([scale * 300.0, scale * 310.0]),
            load_ms=spread([420.0, 430.0]),
        )
        for index, (backend, precision) in enumerate(VARIANTS)
    )


def energies(*, known: bool) -> tuple[Energy, ...]:
    """Energy of the first precision."""
    backend, precision = VARIANTS[0]
    return (
        Energy(
            precision=precision,
            backend=backend,
            threads=1,
            unknown=None if known else "there is no meter",
            source="RAPL" if known else None,
            scope="the processor (package-0)" if known else None,
            decisions=100 if known else None,
            seconds=4.0 if known else None,
            idle_watts=5.0 if known else None,
            busy_watts=15.0 if known else None,
            millijoules=600.0 if known else None,
            millijoules_above_idle=400.0 if known else None,
        ),
    )


def state() -> HostState:
    """A machine that tells little."""
    return HostState(
        at="2026-01-01T00:00:00+00:00",
        governor="ondemand",
        megahertz=(800.0, 2400.0),
        megahertz_limit=2400.0,
        temperatures={"cpu-thermal (0)": 51.0},
        throttle_events=None,
        cooling=(),
        power_mode=None,
        tegrastats=None,
        load_average=0.4,
    )


def full_report(scale: float = 1.0, *, clip: str = "a" * 64, data: bool = True) -> Report:
    """A report with every section; no budget is held against it."""
    return Report(
        made_by="edge-ser 0.1.0",
        made_at="2026-01-01T00:00:00+00:00",
        seconds=321.0,
        resumed=0,
        settings=Settings(
            precisions=tuple(p for _, p in VARIANTS),
            backends=("onnxruntime",),
            threads=(1, 2),
            streams=(1, 4),
            decisions=120,
            processes=3,
            sign_off=tuple(p for _, p in VARIANTS),
            budgets={},
            clips=500,
            seed=0,
        ),
        bundle=BundleFacts(
            name="tiny",
            version="0.0.1",
            hash="c" * 64,
            labels=LABELS,
            precisions={"acoustic": "fp32"},
            trained_on=("nothing",),
            pairing="none",
            intended_use="tests",
            not_for="anything else",
        ),
        host=HostFacts(
            processor="Invented <Processor> & Co",
            device=None,
            cores=2,
            memory_mb=8000.0,
            system="Linux x86_64",
            virtual=False,
            simd="avx2",
            versions={"python": "3.11", "edge-ser": "0.1.0"},
            parts=(MachinePart(part="python", state="there", detail="3.11"),),
        ),
        watch=HostWatch(
            before=state(),
            after=state(),
            other_load_percent=3.0,
            stolen_percent=0.0,
            throttled=False,
            warnings=("The processor's frequency governor is ondemand.",),
        ),
        passed=None,
        verdicts=(),
        latency=latency(scale, clip),
        footprint=footprints(scale),
        energy=energies(known=True),
        accuracy=accuracy_section() if data else None,
        no_accuracy=None if data else "no clips",
        robustness=(robustness_section(),) if data else (),
        comparison=None,
    )
