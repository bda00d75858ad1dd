"""A finished run is read back without its data; a fold that is not there is named."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest
from fixtures.manifest_factory import make_config, make_manifest

from edge_ser.errors import ConfigError
from edge_ser.export.training.run import train
from recipes.command_line import run as run_command
from recipes.documents.results import command

OPTIMISATION = {"epochs": 1, "batch_size": 4, "learning_rate": 0.01}
DATA = {"name": "manifest", "manifest": "clips.csv", "modalities": ["audio"], "folds": 2}


@pytest.mark.timeout(600)
def test_a_finished_run_needs_its_data_no_longer(tmp_path: Path) -> None:
    data = make_manifest(tmp_path / "data", faces=False).parent
    config = make_config(tmp_path / "small.yaml", optimisation=OPTIMISATION, data=DATA)
    run, cache = tmp_path / "run", tmp_path / "cache"
    with pytest.raises(ConfigError, match=r"no fold fold-9; there are fold-1, fold-2"):
        train(config, data, run, cache=cache, folds=["fold-1", "fold-9"])
    first = train(config, data, run, cache=cache, folds=["fold-1"])
    kept = shutil.move(data, tmp_path / "elsewhere")
    again = train(config, data, run, cache=cache, folds=["fold-1"])
    assert [fold.fold for fold in again.folds] == ["fold-1"]
    assert again.labels == first.labels
    assert np.allclose(
        again.folds[0].log_probabilities, first.folds[0].log_probabilities, atol=1e-5
    )
    with pytest.raises(ConfigError, match="data"):
        train(config, data, run, cache=cache)
    whole = train(config, Path(kept), run, cache=cache)
    assert [fold.fold for fold in train(config, data, run, cache=cache).folds] == [
        fold.fold for fold in whole.folds
    ]


def test_results_are_written_from_finished_runs(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    data = make_manifest(tmp_path / "data", faces=False).parent
    (tmp_path / "configs").mkdir()
    make_config(tmp_path / "configs" / "small.yaml", optimisation=OPTIMISATION, data=DATA)
    arguments = ["--configs", str(tmp_path / "configs"), "--runs", str(tmp_path / "runs")]
    arguments += ["--data", str(data), "--output", str(tmp_path / "docs" / "results.md")]
    assert run_command(command, arguments) == 0
    written = (tmp_path / "docs" / "results.md").read_text("utf-8")
    assert "| small | " in written
    shutil.rmtree(data)
    (tmp_path / "docs" / "results.md").unlink()
    assert run_command(command, arguments) == 0
    again = (tmp_path / "docs" / "results.md").read_text("utf-8")
    assert again.splitlines()[:12] == written.splitlines()[:12]
    shutil.rmtree(tmp_path / "runs")
    assert run_command(command, arguments) == 2
    assert "clips.csv" in capsys.readouterr().err
