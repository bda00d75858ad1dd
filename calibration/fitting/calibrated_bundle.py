"""Writes a bundle with a new calibration: a new version, whole or not at all."""

from __future__ import annotations

import hashlib
import json
import re
import shutil
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from edge_ser.bundles.loading import Bundle, load_bundle
from edge_ser.bundles.schema import MANIFEST_NAME, BundleManifest, FileEntry, Score
from edge_ser.calibration.fitting.calibrate import Calibration
from edge_ser.calibration.fitting.result import SubsetFit
from edge_ser.errors import ConfigError
from edge_ser.export.bundles.card import model_card
from edge_ser.export.bundles.derived import check_output
from edge_ser.export.trials.held_out import CALIBRATION_PART

REPORT_NAME: Final = "calibration.json"
DIAGRAM_NAME: Final = "reliability.png"

_CARD_SECTIONS: Final = ("## Scores", "## Calibration")


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
    output = output.absolute()
    try:
        output.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=output.parent, prefix=".bundle-") as folder:
            fresh = Path(folder) / "new"
            _fill(source, fresh, calibration, people, diagram)
            load_bundle(fresh)
            old = Path(folder) / "old"
            if output.exists():
                output.rename(old)
            try:
                fresh.rename(output)
            except OSError:
                if old.exists():
                    old.rename(output)
                raise
    except OSError as error:
        raise ConfigError(
            f"{output} cannot be written: {error.strerror or error}; check permissions and room"
        ) from error
    return load_bundle(output)


def _fill(
    source: Bundle,
    folder: Path,
    calibration: Calibration,
    people: Sequence[str],
    diagram: bytes | None,
) -> None:
    folder.mkdir()
    manifest = source.manifest
    for entry in manifest.files():
        target = folder / entry.file
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(source.path(entry), target)
    report = calibration.report
    documents = dict(manifest.documents)
    documents["calibration"] = _written(
        folder, REPORT_NAME, (report.model_dump_json(indent=1) + "\n").encode()
    )
    documents.pop("reliability", None)
    if diagram is not None:
        documents["reliability"] = _written(folder, DIAGRAM_NAME, diagram)
    tasks = {_task(fit.subset) for fit in report.fitted}
    scores = [score for score in manifest.scores if score.task not in tasks]
    for fit in report.fitted:
        scores += _scores(fit)
    splits = {
        **manifest.splits,
        f"{report.data.name}, {CALIBRATION_PART}": sorted(people) or [report.data.protocol],
    }
    document: dict[str, Any] = manifest.model_dump(mode="json")
    document |= {
        "version": report.new_version,
        "calibration": {s: c.model_dump(mode="json") for s, c in calibration.subsets.items()},
        "splits": splits,
        "scores": [score.model_dump(mode="json") for score in scores],
        "documents": {name: entry.model_dump(mode="json") for name, entry in documents.items()},
    }
    checked = BundleManifest.model_validate(document)
    card = documents.get("card")
    if card is not None:
        sizes = {e.file: (folder / e.file).stat().st_size for e in checked.files()}
        text = _renewed_card((folder / card.file).read_text("utf-8"), checked, sizes)
        documents["card"] = _written(folder, card.file, text.encode())
        document["documents"]["card"] = documents["card"].model_dump(mode="json")
    content = json.dumps(document, indent=2, ensure_ascii=False, allow_nan=False) + "\n"
    (folder / MANIFEST_NAME).write_text(content, "utf-8")


def _written(folder: Path, name: str, content: bytes) -> FileEntry:
    (folder / name).write_bytes(content)
    return FileEntry(file=name, sha256=hashlib.sha256(content).hexdigest())


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


def _renewed_card(card: str, manifest: BundleManifest, sizes: Mapping[str, int]) -> str:
    """The card with title, scores and calibration of now; whatever else it says stays."""
    new = _sections(model_card(manifest, sizes))
    kept = _sections(card)
    kept[""] = re.sub(r"\A# .*", f"# {manifest.name} {manifest.version}", kept.get("", ""))
    for head in _CARD_SECTIONS:
        kept[head] = new[head]
    return "".join(kept.values()).rstrip("\n") + "\n"


def _sections(text: str) -> dict[str, str]:
    """The parts of a Markdown text by their second-level headings, each ending in an empty line."""
    found: dict[str, str] = {}
    for part in re.split(r"(?m)^(?=## )", text):
        head = part.split("\n", 1)[0] if part.startswith("## ") else ""
        found[head] = part.rstrip("\n") + "\n\n"
    return found
