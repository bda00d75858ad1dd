"""The bar that verbs which take minutes show."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TypeAlias

from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from edge_ser.shown.terminal import Terminal

Tell: TypeAlias = Callable[[str, int, int], None]
"""Takes the name of a step, how much is done, and out of how much."""


@contextmanager
def step_progress(console: Terminal) -> Iterator[Tell]:
    """Show a bar where the console is a terminal, and give what moves it."""
    columns = (TextColumn("{task.description}", markup=False), BarColumn(), MofNCompleteColumn())
    with Progress(
        *columns,
        TimeElapsedColumn(),
        console=console,
        transient=True,
        redirect_stdout=False,  # what is printed meanwhile is no part of the bar
        disable=not console.is_terminal,
    ) as progress:
        task = progress.add_task("beginning", total=1)

        def tell(step: str, done: int, total: int) -> None:
            progress.update(task, description=step, completed=done, total=max(total, 1))

        yield tell
