"""Writes a bundle with a new calibration: a new version, whole or not at all."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Final

from edge_ser.bundles.loading import Bundle
from edge_ser.bundles.schema import BundleManifest, Score
from edge_ser.calibration.fitting.calibrate import Calibration
from edge_ser.calibration.fitting.result import SubsetFit
from edge_ser.export.bundles.derived import check_output, write_changed, written
from edge_ser.export.trials.held_out import CALIBRATION_PART

REPORT_NAME: Final = "calibration.json"
DIAGRAM_NAME: Final = "reliability.png"


def write_calibrated(
    source: Bundle,
    output: Path,
    calibration: Calibration,
    *,
    people: Sequence[str] = (),
    diagram: bytes | None = None,
    in_place: bool = False,
) -> Bundle:
    """Write the next version of a bundle.

    The graphs stay as they are; calibration, scores of the calibrated subsets, card and version are
    new, what the calibration rests on is added as a document, and the people of the fit are listed
    in the splits. A bundle that stands at `output` is replaced once the new one is verified.

    Args:
        source: a verified bundle; it is not touched unless `in_place`.
        output: folder of the new one.
        calibration: what `calibrate` found.
        people: names of the people of the fit.
        diagram: reliability diagrams as PNG.
        in_place: whether `output` may be the source itself.

    Raises:
        ConfigError: the output cannot be written, or must not be replaced.
    """
    if not in_place:
        check_output(output, source)

    def change(folder: Path) -> BundleManifest:
        return _changed(folder, source.manifest, calibration, people, diagram)

    return write_changed(source, output, change)


def _changed(
    folder: Path,
    manifest: BundleManifest,
    calibration: Calibration,
    people: Sequence[str],
    diagram: bytes | None,
) -> BundleManifest:
    report = calibration.report
    text = (report.model_dump_json(indent=1) + "\n").encode()
    documents = {**manifest.documents, "calibration": written(folder, REPORT_NAME, text)}
    documents.pop("reliability", None)
    if diagram is not None:
        documents["reliability"] = written(folder, DIAGRAM_NAME, diagram)
    tasks = {_task(fit.subset) for fit in report.fitted}
    scores = [score for score in manifest.scores if score.task not in tasks]
    for fit in report.fitted:
        scores += _scores(fit)
    part = f"{report.data.name}, {CALIBRATION_PART}"
    return manifest.model_copy(
        update={
            "version": report.new_version,
            "calibration": dict(calibration.subsets),
            "splits": {**manifest.splits, part: sorted(people) or [report.data.protocol]},
            "scores": scores,
            "documents": documents,
        }
    )


def _task(subset: str) -> str:
    return f"emotion from {subset}"


def _scores(fit: SubsetFit) -> list[Score]:
    protocol = f"{fit.protocol}; cross-fitted over {fit.folds} folds of people"

    def made(metric: str, value: float, chance: float = 0.0, note: str = "") -> Score:
        return Score(
            task=_task(fit.subset),
            metric=metric,
            value=round(value, 4),
            chance=round(chance, 4),
            protocol=protocol + note,
        )

    commonest = fit.chance_accuracy
    found = [made("accuracy", fit.after.accuracy, commonest)]
    if fit.accuracy_answered is not None:
        note = f"; {fit.coverage:.0%} of the items are answered"
        found.append(made("accuracy where not abstained", fit.accuracy_answered, commonest, note))
    return [
        *found,
        made("calibration error before", fit.before.calibration_error.value),
        made("calibration error after", fit.after.calibration_error.value),
    ]
