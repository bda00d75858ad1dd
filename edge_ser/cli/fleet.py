"""`edge-ser fleet publish|join|update|status|rollback`: bundles for many devices."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from edge_ser.cli.options import AsJson

app = typer.Typer(help="Bundles for many devices.", no_args_is_help=True)

DeviceFolder = Annotated[Path, typer.Argument(metavar="FOLDER", help="The device's own folder.")]


@app.command(epilog="A complete command: edge-ser fleet publish site my-bundle --key owner.key")
def publish(
    repository: Annotated[Path, typer.Argument(help="Folder that a web server offers.")],
    key: Annotated[Path, typer.Option(help="Private key (edge-ser bundle new-key).")],
    bundle: Annotated[
        Path | None, typer.Argument(help="The bundle's folder; without: renew the repository.")
    ] = None,
    channel: Annotated[str, typer.Option(help="Which devices shall take it.")] = "stable",
    percent: Annotated[int, typer.Option(min=0, max=100, help="Share of these devices.")] = 100,
    clip: Annotated[list[Path] | None, typer.Option(help="Golden clip of the self-test.")] = None,
    days: Annotated[int, typer.Option(min=1, help="How long devices believe all this.")] = 30,
) -> None:
    """Put a bundle into a repository, as plain files for any web server."""
    from edge_ser.fleet.publishing import publish as publish_bundle

    done = publish_bundle(
        repository, key, bundle, channel=channel, percent=percent, clips=clip or (), days=days
    )
    typer.echo(done)


@app.command(
    epilog="A complete command: edge-ser fleet join /var/lib/edge-ser --url https://example.org "
    "--root 1.root.json"
)
def join(
    folder: DeviceFolder,
    url: Annotated[str, typer.Option(help="Where the repository is served.")],
    root: Annotated[Path, typer.Option(help="Its metadata/1.root.json, from the owner's hand.")],
    channel: Annotated[str, typer.Option(help="Whose bundles are taken.")] = "stable",
    budget: Annotated[
        float | None, typer.Option(help="Most seconds that a golden clip may take.")
    ] = None,
) -> None:
    """Make this device a member of a fleet."""
    from edge_ser.fleet.device import join_fleet

    join_fleet(folder, url, root, channel=channel, budget=budget)
    typer.echo(f"{folder} takes bundles of {channel} from {url}")


@app.command(epilog="A complete command: edge-ser fleet update /var/lib/edge-ser")
def update(folder: DeviceFolder) -> None:
    """Fetch, verify and try the newest bundle, and take it into use if it does well."""
    from edge_ser.fleet.device import update as update_device

    typer.echo(update_device(folder))


@app.command(epilog="A complete command: edge-ser fleet status /var/lib/edge-ser")
def status(folder: DeviceFolder, as_json: AsJson = False) -> None:
    """Tell which bundle is in use."""
    from edge_ser.fleet.device import status as device_status

    found = device_status(folder)
    used = None if found.bundle is None else found.bundle.reference
    if as_json:
        bundle = None if used is None else asdict(used)
        typer.echo(json.dumps({"bundle": bundle, **asdict(found.settings)}))
        return
    typer.echo(
        f"in use: {'none' if used is None else f'{used.name} {used.version}'} ({found.path})"
    )
    typer.echo(f"before: {found.settings.previous or 'none'}")
    typer.echo(f"channel {found.settings.channel} of {found.settings.url}")
    typer.echo(f"not tried again: {len(found.settings.refused)}")


@app.command(epilog="A complete command: edge-ser fleet rollback /var/lib/edge-ser")
def rollback(folder: DeviceFolder) -> None:
    """Take the bundle into use again that was in use before."""
    from edge_ser.fleet.device import rollback as roll_back

    typer.echo(roll_back(folder))
