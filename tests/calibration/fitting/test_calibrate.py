"""Calibration: cross-fitted, held back by few people, written as a new version, refused in time."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from fixtures.bundle_factory import make_bundle
from fixtures.labelled_clips import logits_of_people, write_labelled_folder

from edge_ser.bundles.loading import Bundle, load_bundle
from edge_ser.bundles.schema import SubsetCalibration
from edge_ser.calibration.fitting import calibrate as module
from edge_ser.calibration.fitting.calibrate import (
    Calibration,
    Wanted,
    calibrate,
    cross_fitted,
    error_of_a_perfect_model,
    threshold_for,
    too_little,
)
from edge_ser.calibration.fitting.calibrated_bundle import write_calibrated
from edge_ser.calibration.fitting.reliability_diagrams import reliability_diagrams
from edge_ser.calibration.fitting.result import CalibrationReport
from edge_ser.errors import ConfigError
from edge_ser.export.scoring.metrics import calibration_error
from edge_ser.export.trials.data import open_evaluation_data
from edge_ser.pipeline.fusion import calibrated


def test_nobody_is_scored_by_a_fit_that_saw_them(monkeypatch: pytest.MonkeyPatch) -> None:
    found = logits_of_people()
    fit = module.fit_calibration
    seen: list[set[str]] = []

    def spy(logits, true, people, **options):
        seen.append(set(people))
        return fit(logits, true, people, **options)

    monkeypatch.setattr(module, "fit_calibration", spy)
    cross_fitted(found, with_bias=True)
    held = [{p for p, f in zip(found.people, found.folds, strict=True) if f == k} for k in range(4)]
    assert [everybody & part for everybody, part in zip(seen, held, strict=True)] == [set()] * 4
    assert set.union(*seen) == set(found.people)


def test_a_model_that_is_too_sure_means_what_it_says_afterwards() -> None:
    found = logits_of_people(people=40, clips=40, temperature=2.5)
    before = calibration_error(calibrated(found.logits, SubsetCalibration()), found.true)
    after = cross_fitted(found, with_bias=True)
    floor = error_of_a_perfect_model(after)
    assert before > 0.15
    assert calibration_error(after, found.true) < floor + 0.02


def test_thresholds_keep_the_risk_and_the_share() -> None:
    found = logits_of_people(people=20, clips=50)
    answers = cross_fitted(found, with_bias=False)
    confidence, hit = answers.max(1), answers.argmax(1) == found.true
    for risk in (0.02, 0.1, 0.2):
        answered = confidence >= threshold_for(Wanted("risk", risk), answers, found.true)
        assert 1 - hit[answered].mean() <= risk
        assert answered.sum() >= 20
    share = threshold_for(Wanted("abstain share", 0.2), answers, found.true)
    assert (confidence < share).mean() == pytest.approx(0.2, abs=0.01)


def test_a_risk_out_of_reach_means_never_to_answer() -> None:
    rng = np.random.default_rng(0)
    answers = rng.dirichlet(np.ones(4), 300)
    assert threshold_for(Wanted("risk", 0.01), answers, rng.integers(0, 4, 300)) == 1.0


@pytest.mark.parametrize("value", [0.0, 1.0, -0.1, float("nan")])
def test_shares_that_are_none_are_refused(value: float) -> None:
    with pytest.raises(ConfigError, match="must lie between 0 and 1"):
        Wanted("risk", value)


def test_too_little_says_what_is_lacking() -> None:
    whole = logits_of_people(people=8, clips=10)
    assert too_little(whole) == ""
    assert "60 are needed" in too_little(logits_of_people(people=8, clips=5))
    assert "only 3 people" in too_little(logits_of_people(people=3, clips=30))
    one_fold = replace(whole, folds=np.zeros_like(whole.folds))
    assert "two folds" in too_little(one_fold)
    one_label = replace(whole, true=np.zeros_like(whole.true))
    assert "one label" in too_little(one_label)


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    def change(manifest):
        manifest["scores"] = [
            {
                "task": f"emotion from {subset}",
                "metric": "accuracy",
                "value": 0.9,
                "chance": 0.5,
                "protocol": "old",
            }
            for subset in ("audio", "video")
        ]
        card = b"# tiny 0.0.1\n\n## Scores\n\nold scores\n\n## Calibration\n\nold\n\n"
        card += b"## Mine\n\nstays\n"
        (folder / "MODEL_CARD.md").write_bytes(card)
        manifest["documents"] = {
            "card": {"file": "MODEL_CARD.md", "sha256": hashlib.sha256(card).hexdigest()}
        }

    folder = tmp_path_factory.mktemp("source") / "tiny"
    folder.mkdir()
    return load_bundle(make_bundle(folder, change))


@pytest.fixture(scope="module")
def found(source: Bundle, tmp_path_factory: pytest.TempPathFactory) -> Calibration:
    folder = write_labelled_folder(tmp_path_factory.mktemp("clips"), people=5, clips=4)
    data = open_evaluation_data(source, folder, purpose="calibration", speech_gate=False)
    return calibrate(source, data, Wanted("abstain share", 0.25))


def test_what_the_data_have_is_fitted_and_the_rest_stays(found: Calibration) -> None:
    report = found.report
    assert [fit.subset for fit in report.fitted] == ["audio", "text", "audio+text"]
    assert set(report.kept) == {"video", "audio+video", "text+video", "audio+text+video"}
    audio = report.fitted[0]
    assert (audio.clips, audio.people, audio.folds) == (60, 5, 5)
    assert audio.coverage >= 0.7  # equal confidences are answered or not together
    assert audio.bias == ()  # four of the bundle's labels never occur in the data
    assert "only 0 clips" in (audio.no_bias or "")
    assert CalibrationReport.model_validate_json(report.model_dump_json()) == report


def test_a_new_version_is_written_beside_the_old_one(
    source: Bundle, found: Calibration, tmp_path: Path
) -> None:
    before = (source.folder / "bundle.json").read_bytes()
    picture = reliability_diagrams(found.report)
    assert picture.startswith(b"\x89PNG")
    assert picture == reliability_diagrams(found.report)
    new = write_calibrated(source, tmp_path / "new", found, people=["p1", "p0"], diagram=picture)
    assert (source.folder / "bundle.json").read_bytes() == before
    manifest = new.manifest
    assert (source.manifest.version, manifest.version) == ("0.0.1", "0.0.2")
    assert manifest.calibration == found.subsets
    assert manifest.calibration["video"] == source.manifest.calibration["video"]
    assert people_listed(new) == ["p0", "p1"]
    assert {s.protocol for s in manifest.scores if s.task == "emotion from video"} == {"old"}
    assert "old" not in {s.protocol for s in manifest.scores if s.task == "emotion from audio"}
    card = new.path(manifest.documents["card"]).read_text()
    assert card.startswith("# tiny 0.0.2")
    assert "old scores" not in card
    assert card.endswith("## Mine\n\nstays\n")
    stored = CalibrationReport.model_validate_json(
        new.path(manifest.documents["calibration"]).read_text()
    )
    assert stored == found.report
    assert [p.name for p in tmp_path.iterdir()] == ["new"]


def people_listed(bundle: Bundle) -> list[str]:
    return next(v for k, v in bundle.manifest.splits.items() if k.endswith(", calibration"))


def test_the_source_is_replaced_only_when_that_is_asked_for(
    found: Calibration, tmp_path: Path
) -> None:
    source = load_bundle(make_bundle(tmp_path / "tiny"))
    with pytest.raises(ConfigError, match="is the bundle itself"):
        write_calibrated(source, source.folder, found)
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.txt").write_text("years of work")
    with pytest.raises(ConfigError, match="is no bundle"):
        write_calibrated(source, tmp_path / "mine", found)
    assert load_bundle(source.folder).manifest.version == "0.0.1"
    write_calibrated(source, source.folder, found, in_place=True)
    assert load_bundle(source.folder).manifest.version == "0.0.2"
    assert sorted(p.name for p in tmp_path.iterdir()) == ["mine", "tiny"]


def test_an_interrupted_write_leaves_the_old_bundle(
    found: Calibration, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = load_bundle(make_bundle(tmp_path / "tiny"))

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "write_bytes", full)
    with pytest.raises(ConfigError, match="No space left on device"):
        write_calibrated(source, source.folder, found, in_place=True)
    assert load_bundle(source.folder).manifest.version == "0.0.1"
    assert [p.name for p in tmp_path.iterdir()] == ["tiny"]


def test_data_that_are_too_little_are_refused(source: Bundle, tmp_path: Path) -> None:
    data = open_evaluation_data(
        source, write_labelled_folder(tmp_path, people=2, clips=2), speech_gate=False
    )
    with pytest.raises(ConfigError, match="too little to calibrate on: audio: only 12 clips"):
        calibrate(source, data, Wanted("risk", 0.1))
