from __future__ import annotations

import json
from pathlib import Path

import pytest
from fixtures.run_factory import LABELS, make_run

from edge_ser.cli.main import main
from edge_ser.errors import ConfigError
from edge_ser.export.evaluation.plots import write_report
from edge_ser.export.evaluation.tables import scores
from edge_ser.export.training.config import ManifestData, TrainingConfig
from edge_ser.export.training.predictions import FoldResult, RunResult, write_fold


def _with_subsets(run: RunResult) -> RunResult:
    folds = tuple(
        FoldResult(**{**f.__dict__, "subsets": {"audio": f.log_probabilities}}) for f in run.folds
    )
    return RunResult(run.name, LABELS, folds)


def test_a_report_holds_numbers_and_pictures(tmp_path: Path) -> None:
    files = write_report(scores(_with_subsets(make_run(0.7))), tmp_path / "out")
    assert {f.name for f in files} == {
        "scores.md",
        "scores.json",
        "confusion.png",
        "labels.png",
        "people.png",
        "ablation.png",
    }
    for file in files:
        if file.suffix == ".png":
            assert file.read_bytes().startswith(b"\x89PNG")
    assert json.loads((tmp_path / "out" / "scores.json").read_text())["count"] == 72
    (tmp_path / "file").write_text("")
    with pytest.raises(ConfigError, match="a part of its path is a file"):
        write_report(scores(make_run(0.7)), tmp_path / "file" / "out")


def test_the_command_scores_a_finishedmake_run(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    config = TrainingConfig(name="a-run", data=ManifestData(manifest="clips.csv"))
    run = tmp_path / "run"
    run.mkdir()
    (run / "config.json").write_text(config.model_dump_json())
    for fold in _with_subsets(make_run(0.7)).folds:
        write_fold(run / fold.fold / "predictions.json", fold)
    for arguments, wanted in (
        (["--output", str(tmp_path / "out")], "| macro F1 |"),
        (["--json"], '"name": "a-run"'),
    ):
        with pytest.raises(SystemExit) as ended:
            main(["evaluate", str(run), *arguments])
        assert ended.value.code == 0
        assert wanted in capsys.readouterr().out
    assert (tmp_path / "out" / "ablation.png").is_file()
    for arguments, reason in (
        ([str(run), "--protocol", "ravdess"], "name one of its checkpoints"),
        ([str(tmp_path)], "no checkpoint"),
        ([str(run), "--modalities", "smell"], "--modalities takes some of"),
    ):
        with pytest.raises(SystemExit) as ended:
            main(["evaluate", *arguments])
        assert ended.value.code == 2
        assert reason in capsys.readouterr().err
