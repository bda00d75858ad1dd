"""From a bundle and clips to its next version, without the command line."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from fixtures.bundle_factory import make_bundle
from fixtures.labelled_clips import write_labelled_folder

from edge_ser.bundles.loading import load_bundle
from edge_ser.calibration.fitting.new_version import CalibrationRequest, calibrate_bundle
from edge_ser.errors import ConfigError


@pytest.mark.parametrize(
    "wrong",
    [
        {"risk": 0.1, "abstain_share": 0.2},
        {"in_place": True, "output": Path("x")},
    ],
)
def test_what_does_not_go_together_is_refused_at_once(wrong: dict[str, Any]) -> None:
    with pytest.raises(ConfigError, match="not both"):
        CalibrationRequest(Path("clips"), **wrong)


def test_a_share_of_nothing_is_not_taken_for_the_default() -> None:
    with pytest.raises(ConfigError, match="between 0 and 1"):
        _ = CalibrationRequest(Path("clips"), abstain_share=0.0).wanted


@pytest.mark.parametrize("in_place", [False, True])
def test_the_next_version_is_written(tmp_path: Path, in_place: bool) -> None:
    bundle = load_bundle(make_bundle(tmp_path / "tiny"))
    clips = write_labelled_folder(tmp_path / "clips", people=5, clips=4)
    steps: list[str] = []
    request = CalibrationRequest(
        clips, in_place=in_place, risk=0.3, diagrams=False, speech_gate=False
    )
    written, report = calibrate_bundle(
        bundle, request, lambda step, _done, _total: steps.append(step)
    )
    assert written.folder == tmp_path / ("tiny" if in_place else "tiny-0.0.2")
    assert load_bundle(written.folder).manifest.version == report.new_version == "0.0.2"
    assert "reliability" not in written.manifest.documents
    assert report.wanted == "risk"
    assert steps
