"""The honest score of a search: every fold is trained with what its own people chose."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from rich.console import Console

from edge_ser.export.search.grid import Search
from edge_ser.export.search.tables import Found, choices
from edge_ser.export.training.predictions import FoldResult, RunResult
from edge_ser.export.training.run import train


def score_choices(
    search: Search,
    found: Sequence[Found],
    data: Path,
    output: Path,
    *,
    cache: Path | None = None,
    console: Console | None = None,
) -> RunResult:
    """Train each fold with its own choice on training people, and predict its test people.

    Args:
        search: that was run.
        found: what it found.
        data: folder with the data sets.
        output: folder of the search; the runs go into ``chosen`` below it, and are read back when
            they are there.
        cache: folder of encoded tokens.
        console: for progress.
    """
    folds: list[FoldResult] = []
    labels: tuple[str, ...] = ()
    for fold, one in choices(found).items():
        result = train(
            one.point.config,
            data,
            output / "chosen" / one.point.name,
            cache=cache,
            folds=[fold],
            console=console,
        )
        labels = result.labels
        folds += result.folds
    return RunResult(f"{search.config.name}, each fold's choice", labels, tuple(folds))
