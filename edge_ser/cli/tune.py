"""`edge-ser tune`: grid search with people held out to choose by."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from edge_ser.cli.options import DataSets, TokenCache
from edge_ser.cli.train import require_training


def tune(
    search: Annotated[Path, typer.Argument(help="A search (YAML): base, grid, cross_validation.")],
    data: DataSets,
    output: Annotated[Path | None, typer.Option(help="Folder of the search.")] = None,
    cache: TokenCache = None,
    address: Annotated[
        str | None,
        typer.Option(help="Of an existing Ray cluster [default: Ray on this machine alone]."),
    ] = None,
    jobs: Annotated[int, typer.Option(min=1, help="Trained at the same time.")] = 1,
    score: Annotated[
        bool,
        typer.Option("--score", help="Then train each fold with its own choice, and score that."),
    ] = False,
) -> None:
    """Train every point of a grid on every fold; choose on people who are not tested.

    A search that was stopped goes on. A complete command:
    edge-ser tune export/configs/search/emodb.yaml --data my-data --jobs 2
    """
    require_training("Grid search")
    from edge_ser.export.search.grid import write_best
    from edge_ser.export.search.ray_jobs import run_search
    from edge_ser.export.search.tables import ranked, rich_table, write_search

    console = Console(stderr=True, highlight=False)
    read, results, folder = run_search(
        search, data, output, cache=cache, address=address, jobs=jobs, console=console
    )
    found = ranked(read, results)
    Console(highlight=False).print(rich_table(read, found))
    written = [*write_search(read, found, folder), write_best(folder, found[0].point)]
    if score:
        from edge_ser.export.evaluation.pictures import write_report
        from edge_ser.export.evaluation.tables import markdown, scores
        from edge_ser.export.search.score import score_choices

        scored = scores(score_choices(read, found, data, folder, cache=cache, console=console))
        typer.echo(markdown(scored))
        written += write_report(scored, folder / "scores")
    for file in written:
        console.print(f"written: {file}", soft_wrap=True)
