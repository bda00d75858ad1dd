"""`edge-ser bundle show|verify|sign|new-key`: what is in a bundle, is it whole, and whose is it."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.table import Table
from rich.text import Text

from edge_ser.cli.options import AsJson
from edge_ser.shown.terminal import Terminal

if TYPE_CHECKING:
    from edge_ser.bundles.schema import Score

app = typer.Typer(help="Look into a model bundle, verify or sign it.", no_args_is_help=True)

PathArgument = Annotated[
    Path | None,
    typer.Argument(metavar="[PATH]", help="The bundle's folder (default: shipped one)."),
]


def _folder(path: Path | None) -> Path:
    from edge_ser.bundles.loading import default_bundle_path

    return default_bundle_path() if path is None else path


@app.command(epilog="A complete command: edge-ser bundle show")
def show(
    path: PathArgument = None,
    as_json: AsJson = False,
) -> None:
    """Print what a bundle holds, what it was trained on, and how well it does."""
    from edge_ser.bundles.loading import read_manifest

    bundle = read_manifest(_folder(path))
    manifest = bundle.manifest
    if as_json:
        typer.echo(
            json.dumps({**manifest.model_dump(mode="json"), "hash": bundle.digest}, indent=2)
        )
        return
    console = Terminal()
    console.print(
        Text.assemble((manifest.name, "bold"), f" {manifest.version}  hash {bundle.digest[:16]}")
    )
    console.print(f"labels: {', '.join(manifest.labels)}")
    graphs = Table(
        "graph", "file", "precision", "MB", "licence", title="Graphs", title_justify="left"
    )
    for name, entry in manifest.graphs.items():
        file = bundle.path(entry)
        size = f"{file.stat().st_size / 1e6:.1f}" if file.exists() else "missing"
        graphs.add_row(name, entry.file, entry.precision, size, entry.licence)
    console.print(graphs)
    adapted = (
        "no" if manifest.adaptation is None else f"with {manifest.adaptation.enrol_with} speech"
    )
    console.print(f"people can enrol: {adapted}")
    if manifest.scores:
        _show_scores(manifest.scores, console)
    training = manifest.training
    console.print(f"trained on: {', '.join(training.data)} ({training.pairing})")
    console.print(f"held out: {training.held_out}")
    console.print(f"licence: {manifest.licence}")
    console.print(f"intended use: {manifest.intended_use}")
    console.print(f"not for: {manifest.not_for}")


def _show_scores(scores: Sequence[Score], console: Terminal) -> None:
    """Print a row a score; protocols are long and shared, so they stand below with a number."""
    protocols = list(dict.fromkeys(score.protocol for score in scores))
    table = Table("task", "metric", "value", "spread", "chance", "protocol", title="Scores")
    table.title_justify = "left"
    for score in scores:
        table.add_row(
            score.task,
            score.metric,
            f"{score.value:.3f}",
            "" if score.spread is None else f"± {score.spread:.3f}",
            f"{score.chance:.3f}",
            str(protocols.index(score.protocol) + 1),
        )
    console.print(table)
    for number, protocol in enumerate(protocols, 1):
        console.print(f"protocol {number}: {protocol}")


@app.command(epilog="A complete command: edge-ser bundle verify")
def verify(
    path: PathArgument = None,
    key: Annotated[
        list[Path] | None,
        typer.Option(help="Public key, or folder of them, of which one must have signed."),
    ] = None,
) -> None:
    """Check a bundle's files, and its signature where keys are trusted; exit code 2 if not good."""
    from edge_ser.bundles.loading import check_files, read_manifest
    from edge_ser.bundles.trust import check_trusted
    from edge_ser.errors import BundleError

    bundle = read_manifest(_folder(path))
    checks = check_files(bundle)
    table = Table("file", "state", "bytes")
    for check in checks:
        table.add_row(check.file, check.state + check.advice, f"{check.size:,}")
    Terminal().print(table)
    bad = [check.file for check in checks if check.state != "ok"]
    if bad:
        raise BundleError(
            f"bundle {bundle.folder} is damaged: {', '.join(bad)}; get it again from its source"
        )
    signers = check_trusted(bundle, key)
    typer.echo(
        f"{bundle.manifest.name} {bundle.manifest.version}: {len(checks)} files, all as listed"
        + "".join(f"; signed by {signer.path}" for signer in signers)
    )


@app.command(epilog="A complete command: edge-ser bundle sign my_bundle --key owner.key")
def sign(
    path: Annotated[Path, typer.Argument(metavar="PATH", help="The bundle's folder.")],
    key: Annotated[Path, typer.Option(help="Private key (edge-ser bundle new-key).")],
) -> None:
    """Sign all files of a bundle, in the format of OpenSSF's model signing."""
    from edge_ser.bundles.signing import sign_bundle

    public = sign_bundle(path, key)
    typer.echo(f"{path} is signed; fingerprint of the public key: {public.fingerprint}")


@app.command(epilog="A complete command: edge-ser bundle new-key owner.key")
def new_key(
    path: Annotated[Path, typer.Argument(metavar="FILE", help="File of the private key.")],
) -> None:
    """Make an Ed25519 key to sign bundles with, and the public key that devices trust beside it."""
    from edge_ser.bundles.signing import make_key

    public = make_key(path)
    typer.echo(
        f"private key, to be kept where bundles are signed and nowhere else: {path}\n"
        f"public key, for the trusted_keys of devices: {public.path}"
    )
