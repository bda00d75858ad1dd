"""A recipe as a command: one function, one line for what a user can mend."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import typer

from edge_ser.errors import EdgeSerError
from edge_ser.shown.terminal import Terminal


def run(command: Callable[..., None], arguments: Sequence[str] | None = None) -> int:
    """Run a function with what stands on the command line; gives the exit code.

    Args:
        command: its annotations are the options, its docstring is the help.
        arguments: None takes those of the process.

    Returns:
        0 done, 2 what a user can mend, told in one line.
    """
    app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)
    app.command()(command)
    try:
        app(args=None if arguments is None else list(arguments))
    except SystemExit as ended:
        return int(ended.code or 0)
    except EdgeSerError as error:
        line = " ".join(str(error).split())
        Terminal(stderr=True, soft_wrap=True).print(f"error: {line}", style="red")
        return 2
    return 0
