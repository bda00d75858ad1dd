"""`edge-ser doctor`: what this machine has, what it lacks, and the command that would bring it."""

from __future__ import annotations

import json

import typer
from rich.table import Table
from rich.text import Text

from edge_ser.cli.options import AsJson
from edge_ser.shown.terminal import Terminal

_STYLES = {"there": "green", "missing": "yellow", "broken": "red"}


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
            state = Text(finding.state, _STYLES[finding.state])
            table.add_row(finding.part, state, finding.detail, finding.advice)
        Terminal().print(table)
    unusable = [f.part for f in findings if f.needed and f.state != "there"]
    if unusable:
        raise ConfigError(f"edge-ser cannot run here: {', '.join(unusable)}; see the list")
