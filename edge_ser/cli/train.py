"""`edge-ser train`: one configuration over its folds."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.table import Table

from edge_ser.cli.options import DataSets, TokenCache
from edge_ser.errors import MissingExtraError
from edge_ser.shown.terminal import Terminal


def train(
    config: Annotated[Path, typer.Argument(help="A training configuration (YAML).")],
    data: DataSets,
    output: Annotated[Path | None, typer.Option(help="Folder of the run.")] = None,
    cache: TokenCache = None,
) -> None:
    """Train every fold of a configuration and score it on people it never saw.

    The configuration names one data set, or several corpora with weights, label maps and what they
    lack; `split: corpora` leaves each of them out once. A run that was stopped goes on.

    A complete command: edge-ser train configs/my-run.yaml --data my-data
    """
    require_training()
    from edge_ser.export.evaluation.tables import scores
    from edge_ser.export.training.run import train as run

    console = Terminal(stderr=True)
    result = run(config, data, output, cache=cache, console=console)
    scored = scores(result)
    table = Table("", "mean ± deviation over folds [95 % over people]", "chance")
    table.add_row("accuracy", str(scored.accuracy), f"{scored.chance_accuracy:.3f}")
    table.add_row("unweighted average recall", str(scored.recall), f"{scored.chance_recall:.3f}")
    shown = Terminal()
    shown.print(f"{scored.name}: {scored.protocol}")
    if scored.warning:
        shown.print(scored.warning, style="bold red")
    shown.print(table)


def require_training(what: str = "Training") -> None:
    """Refuse a verb that needs torch where the extra ``train`` is missing."""
    try:
        import lightning  # noqa: F401
        import torch  # noqa: F401
    except ImportError:
        raise MissingExtraError(what, "train") from None
