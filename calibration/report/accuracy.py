"""How right a bundle is: every precision and backend on the same clips of held-out people."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from edge_ser.bundles.loading import Bundle
from edge_ser.errors import ConfigError, EngineError, MissingExtraError
from edge_ser.export.progress import Progress, silent
from edge_ser.export.scoring.result import AccuracySection, SubsetAccuracy, VariantAccuracy
from edge_ser.export.trials.data import EvaluationData
from edge_ser.export.trials.logits import ItemReader, Measured, measure_subsets
from edge_ser.export.trials.part_store import PartStore
from edge_ser.export.trials.scores import Answers, score_subset
from edge_ser.export.trials.sessions import VariantSessions
from edge_ser.export.trials.windows import WindowReader
from edge_ser.export.variants.variant import Variant


def measure_accuracy(
    bundle: Bundle,
    data: EvaluationData,
    *,
    precisions: Sequence[str] = ("bundle",),
    backends: Sequence[str] = ("onnxruntime",),
    int8_clips: Path | None = None,
    written: Mapping[Variant, Bundle] | None = None,
    progress: Progress | None = None,
    resume_folder: Path | None = None,
    seed: int = 0,
) -> AccuracySection:
    """Measure every precision on every backend for every subset of modalities.

    Each item is encoded once a variant; the subsets run through the fusion alone. Two runs on one
    machine give the same figures: one thread a graph, fixed seeds. An interrupted run goes on from
    what lies in `resume_folder`.

    Args:
        bundle: a verified bundle.
        data: see `open_evaluation_data`.
        precisions: out of `variants.variant.PRECISIONS`; the first is the reference.
        backends: out of `edge_ser.runtime.backend.BACKENDS`.
        int8_clips: clips to calibrate int8 on, where the bundle carries no ranges.
        written: bundles that were written in their precision already.
        progress: told of every step.
        resume_folder: where parts are kept; None keeps them in memory.
        seed: of the bootstrap and of the random dealings.

    Raises:
        ConfigError: there is no variant, a name is unknown, or nothing of the data can be used.
    """
    variants = [Variant(b, p) for p in precisions for b in backends]
    ready = written or {}
    if not variants:
        raise ConfigError("name at least one precision and one backend to measure")
    reader = ItemReader(data, WindowReader(bundle, data))
    store = PartStore(resume_folder)
    measured: dict[Variant, Measured] = {}
    not_run: dict[Variant, str] = {}
    for variant in variants:
        with VariantSessions(bundle, variant, int8_clips, ready.get(variant)) as opened:
            try:
                measured[variant] = measure_subsets(data, opened, reader, store, progress or silent)
            except (EngineError, MissingExtraError) as error:
                not_run[variant] = str(error)
            except ConfigError as error:
                # int8 without clips to calibrate on; what is wrong with the data is wrong for all.
                if "int8" not in variant.precision or not measured:
                    raise
                not_run[variant] = str(error)
    reference = next(iter(measured), None)
    notes = measured[reference].notes if reference is not None else ()
    description = data.description.model_copy(
        update={"left_out": (*data.description.left_out, *notes)}
    )
    return AccuracySection(
        data=description,
        labels=data.labels,
        variants=tuple(
            VariantAccuracy(
                precision=variant.precision,
                backend=variant.backend,
                reference=variant == reference,
                not_run=not_run.get(variant),
                subsets=()
                if variant in not_run
                else _scored(
                    bundle,
                    data,
                    measured[variant],
                    None if variant == reference or reference is None else measured[reference],
                    seed,
                ),
            )
            for variant in variants
        ),
    )


def answers_of(bundle: Bundle, measured: Measured) -> Mapping[str, Answers]:
    """Calibrated answers of every subset."""
    calibration = bundle.manifest.calibration
    return {
        subset: Answers.calibrated(found, calibration[subset])
        for subset, found in measured.subsets.items()
    }


def _scored(
    bundle: Bundle,
    data: EvaluationData,
    measured: Measured,
    reference: Measured | None,
    seed: int,
) -> tuple[SubsetAccuracy, ...]:
    before = {} if reference is None else answers_of(bundle, reference)
    scored = []
    for subset, answers in answers_of(bundle, measured).items():
        beside = before.get(subset)
        # A detector in another precision may find other faces: then the clips are not the same.
        same = beside is not None and (
            measured.examples[subset] == reference.examples[subset] if reference else False
        )
        scored.append(
            score_subset(
                subset,
                answers,
                beside if same else None,
                bundle.manifest.calibration[subset],
                data.labels,
                data.pairing_of(subset),
                data.protocol_of(subset),
                seed,
            )
        )
    return tuple(scored)
