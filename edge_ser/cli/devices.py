"""`edge-ser devices`: the microphones and cameras that `edge-ser live` can use."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import Any

import typer
from rich.table import Table

from edge_ser.cli.options import AsJson
from edge_ser.shown.terminal import Terminal


def devices(
    as_json: AsJson = False,
) -> None:
    """List microphones and cameras; none of them is opened.

    A complete command: edge-ser devices --json
    """
    from edge_ser.capture.camera import cameras
    from edge_ser.capture.microphone import PortAudioDevices
    from edge_ser.errors import EdgeSerError

    found: dict[str, Any] = {"microphones": [], "cameras": [asdict(c) for c in cameras()]}
    missing = None
    try:
        found["microphones"] = [asdict(m) for m in PortAudioDevices().list()]
    except EdgeSerError as error:
        missing = str(error)
    if as_json:
        typer.echo(json.dumps({**found, "microphones_missing": missing}, indent=2))
        return
    console = Terminal()
    table = Table("microphone", "name", "channels", "rate", box=None, padding=(0, 2, 0, 0))
    for m in found["microphones"]:
        name = f"{m['name']} (default)" if m["default"] else m["name"]
        table.add_row(str(m["index"]), name, str(m["channels"]), f"{m['rate']} Hz")
    if found["microphones"]:
        console.print(table)
    else:
        console.print(f"no microphone{'' if missing is None else f': {missing}'}")
    table = Table("camera", "name", box=None, padding=(0, 2, 0, 0))
    for camera in found["cameras"]:
        table.add_row(str(camera["index"]), camera["name"])
    console.print(table if found["cameras"] else "no camera that the system tells of")
