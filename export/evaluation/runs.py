"""Runs of training, read back."""

from __future__ import annotations

from pathlib import Path

from edge_ser.errors import ConfigError
from edge_ser.export.training.predictions import RunResult, read_fold
from edge_ser.export.training.run import PREDICTIONS, read_configuration


def read_run(folder: Path) -> RunResult:
    """Read the predictions of a finished run.

    Raises:
        ConfigError: if the folder holds no run, or one without a finished fold.
    """
    config = read_configuration(folder)
    files = sorted(
        folder.glob(f"*/{PREDICTIONS}"), key=lambda p: (len(p.parent.name), p.parent.name)
    )
    if not files:
        raise ConfigError(f"{folder} has no finished fold; go on with edge-ser train")
    folds = tuple(read_fold(file) for file in files)
    return RunResult(config.name, folds[0].labels, folds)
