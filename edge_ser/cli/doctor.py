"""`edge-ser doctor`: what this machine has, what it lacks, and the command that would bring it."""

from __future__ import annotations

import json

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from edge_ser.cli.options import AsJson

_MARKS = {"there": "[green]there[/]", "missing": "[yellow]missing[/]", "broken": "[red]broken[/]"}


def doctor(
    as_json: AsJson = False,
) -> None:
    """Look at Python, backends, devices and weights; exit code 2 if the runtime cannot work.

    A complete command: edge-ser doctor --json
    """
    from edge_ser.errors import ConfigError
    from edge_ser.machine.inspection import inspect_machine

    findings = inspect_machine()
    if as_json:
        typer.echo(json.dumps({f.part: f.to_dict() for f in findings}, indent=2))
    else:
        table = Table("part", "state", "what", "to get it", box=None, padding=(0, 2, 0, 0))
        for finding in findings:
            state = _MARKS[finding.state]
            table.add_row(finding.part, state, escape(finding.detail), escape(finding.advice))
        Console(highlight=False).print(table)
    unusable = [f.part for f in findings if f.needed and f.state != "there"]
    if unusable:
        raise ConfigError(f"edge-ser cannot run here: {', '.join(unusable)}; see the list")
