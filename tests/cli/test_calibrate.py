"""`edge-ser calibrate`: one clear line for mistakes, and a whole run on real data."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from fixtures.bundle_factory import make_bundle
from fixtures.labelled_clips import write_labelled_folder

from edge_ser.bundles.loading import default_bundle_path, load_bundle
from edge_ser.calibration.fitting.result import CalibrationReport
from edge_ser.cli.main import main


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--risk", "0.1", "--abstain-share", "0.2"], "not both"),
        (["--risk", "1.5"], "must lie between 0 and 1"),
        (["--in-place", "--output", "x"], "not both"),
        ([], "too little to calibrate on"),
    ],
)
def test_mistakes_are_one_line_and_exit_code_two(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], options: list[str], said: str
) -> None:
    bundle = make_bundle(tmp_path / "tiny")
    clips = write_labelled_folder(tmp_path / "clips", people=2, clips=1)
    with pytest.raises(SystemExit) as stopped:
        main(["calibrate", str(bundle), "--data", str(clips), "--no-diagrams", *options])
    assert stopped.value.code == 2
    told = capsys.readouterr().err.strip().splitlines()[-1]
    assert told.startswith("edge-ser: ")
    assert said in told
    assert sorted(p.name for p in tmp_path.iterdir()) == ["clips", "tiny"]


def test_a_new_version_appears_beside_the_bundle(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    bundle = make_bundle(tmp_path / "tiny")
    clips = write_labelled_folder(tmp_path / "clips", people=5, clips=4)
    with pytest.raises(SystemExit) as stopped:
        main(["calibrate", str(bundle), "--data", str(clips), "--risk", "0.3", "--json"])
    assert stopped.value.code == 0
    report = CalibrationReport.model_validate_json(capsys.readouterr().out)
    assert report.wanted == "risk"
    written = load_bundle(tmp_path / "tiny-0.0.2")
    assert written.manifest.version == "0.0.2"
    assert "reliability" in written.manifest.documents
    assert load_bundle(bundle).manifest.version == "0.0.1"


@pytest.mark.data
def test_the_default_bundle_is_calibrated_on_people_it_never_saw(
    data_folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    target = tmp_path / "calibrated"
    options = ["--limit", "300", "--output", str(target), "--json"]
    with pytest.raises(SystemExit) as stopped:
        main(["calibrate", str(default_bundle_path()), "--data", str(data_folder), *options])
    assert stopped.value.code == 0
    report = json.loads(capsys.readouterr().out)
    assert len(report["fitted"]) == 7
    old, new = load_bundle(None).manifest, load_bundle(target).manifest
    trained = {*old.splits["RAVDESS actors, train"], *old.splits["RAVDESS actors, validation"]}
    fitted_on = next(v for k, v in new.splits.items() if k.endswith(", calibration"))
    assert fitted_on
    assert not trained & set(fitted_on)
    for fit in report["fitted"]:
        # Small folds of few people: the fit must not make things much worse for new ones.
        before, after = fit["before"], fit["after"]
        assert after["negative_log_likelihood"] < before["negative_log_likelihood"] + 0.1
        assert after["accuracy"] > 0.35
        assert fit["pairing"] == ("label-paired" if "+" in fit["subset"] else "single")
