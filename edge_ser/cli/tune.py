"""`edge-ser tune`: grid search with people held out to choose by."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from edge_ser.cli.options import DataSets, TokenCache
from edge_ser.cli.train import require_training
from edge_ser.shown.terminal import Terminal


def tune(
    search: Annotated[Path, typer.Argument(help="A search (YAML): base, grid, cross_validation.")],
    data: DataSets,
    output: Annotated[Path | None, typer.Option(help="Folder of the search.")] = None,
    cache: TokenCache = None,
    address: Annotated[
        str | None,
        typer.Option(help="Of an existing Ray cluster (default: Ray on this machine alone)."),
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
    from edge_ser.export.evaluation.tables import markdown
    from edge_ser.export.search.run import search_grid
    from edge_ser.export.search.tables import rich_table

    console = Terminal(stderr=True)
    outcome = search_grid(
        search,
        data,
        output,
        cache=cache,
        address=address,
        jobs=jobs,
        score=score,
        console=console,
    )
    Terminal().print(rich_table(outcome.search, outcome.found))
    if outcome.scores is not None:
        typer.echo(markdown(outcome.scores))
    for file in outcome.files:
        console.print(f"written: {file}", soft_wrap=True)
