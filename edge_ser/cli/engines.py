"""`edge-ser engines list|clean`: the cache of compiled graphs."""

from __future__ import annotations

import json
from datetime import datetime, timezone
from pathlib import Path
from typing import Annotated

import typer
from rich.table import Table

from edge_ser.cli.options import AsJson
from edge_ser.runtime.engine_cache import EngineCache
from edge_ser.shown.terminal import Terminal

app = typer.Typer(help="Look into the cache of engines, or empty it.", no_args_is_help=True)

FolderOption = Annotated[
    Path | None, typer.Option("--engines", help="The cache's folder (default: the user's).")
]


@app.command("list", epilog="A complete command: edge-ser engines list")
def list_(
    engines: FolderOption = None,
    as_json: AsJson = False,
) -> None:
    """List what was compiled, for which device and by which release, newest first."""
    cache = EngineCache(engines)
    entries = cache.entries()
    if as_json:
        rows = [
            {
                "graph": entry.key.graph,
                "graph_sha256": entry.key.graph_sha256,
                "backend": entry.key.backend,
                "backend_version": entry.key.backend_version,
                "device": entry.key.device,
                "size": entry.size,
                "sha256": entry.sha256,
                "created": datetime.fromtimestamp(entry.created, timezone.utc).isoformat(),
                "facts": dict(entry.facts),
            }
            for entry in entries
        ]
        typer.echo(json.dumps(rows, indent=2))
        return
    console = Terminal()
    graphs = cache.graphs()
    size = sum(path.stat().st_size for path in graphs) / 1e6
    console.print(
        f"{cache.folder}: {len(entries)} engines, {len(graphs)} optimised graphs ({size:.1f} MB)",
        soft_wrap=True,
    )
    if not entries:
        return
    table = Table("graph", "hash", "precision", "backend", "device")
    table.add_column("MB", justify="right")
    table.add_column("built")
    for entry in entries:
        table.add_row(
            entry.key.graph,
            entry.key.graph_sha256[:8],
            str(entry.facts.get("precision", entry.facts.get("kind", ""))),
            f"{entry.key.backend} {entry.key.backend_version}",
            entry.key.device,
            f"{entry.size / 1e6:.2f}",
            datetime.fromtimestamp(entry.created).astimezone().strftime("%Y-%m-%d %H:%M"),
        )
    console.print(table)


@app.command(epilog="A complete command: edge-ser engines clean")
def clean(engines: FolderOption = None) -> None:
    """Delete every engine and optimised graph; they are built again when they are needed."""
    cache = EngineCache(engines)
    count, size = cache.clean()
    typer.echo(f"{cache.folder}: {count} files deleted, {size / 1e6:.1f} MB freed")
