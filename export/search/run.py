"""A whole search: every job, the tables, the best configuration, and its honest score."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console

from edge_ser.export.evaluation.plots import write_report
from edge_ser.export.evaluation.tables import RunScores, scores
from edge_ser.export.search.grid import Search, write_best
from edge_ser.export.search.ray_jobs import run_search
from edge_ser.export.search.score import score_choices
from edge_ser.export.search.tables import Found, ranked, write_search


@dataclass(frozen=True)
class SearchOutcome:
    """What a search found.

    Attributes:
        search: what was searched.
        found: every point, the best mean first.
        files: that were written.
        scores: of every fold trained with its own choice; None where they were not wanted.
    """

    search: Search
    found: Sequence[Found]
    files: Sequence[Path]
    scores: RunScores | None = None


def search_grid(
    file: Path,
    data: Path,
    output: Path | None = None,
    *,
    cache: Path | None = None,
    address: str | None = None,
    jobs: int = 1,
    score: bool = False,
    console: Console | None = None,
) -> SearchOutcome:
    """Run a search, and write its tables and its best configuration.

    Args:
        file: as for `run_search`, like `data`, `output`, `cache`, `address`, `jobs` and `console`.
        data: folder with the data sets.
        output: folder of the search.
        cache: folder of encoded tokens.
        address: of an existing Ray cluster.
        jobs: trained at the same time.
        score: whether to train each fold with its own choice, too, and to score that.
        console: for progress.

    Raises:
        ConfigError, MissingExtraError: as `run_search`.
    """
    search, results, folder = run_search(
        file, data, output, cache=cache, address=address, jobs=jobs, console=console
    )
    found = ranked(search, results)
    files = [*write_search(search, found, folder), write_best(folder, found[0].point)]
    if not score:
        return SearchOutcome(search, found, files)
    scored = scores(score_choices(search, found, data, folder, cache=cache, console=console))
    return SearchOutcome(search, found, [*files, *write_report(scored, folder / "scores")], scored)
