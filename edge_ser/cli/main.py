"""The `edge-ser` command: verbs, exit codes, and one clear line for a user's error."""

from __future__ import annotations

import sys
from typing import Annotated

import typer
from rich.console import Console

from edge_ser import __version__
from edge_ser.cli import (
    bench,
    build_engine,
    bundle,
    calibrate,
    compare,
    demo,
    devices,
    doctor,
    engines,
    evaluate,
    export,
    profile,
    recognize,
    report,
    train,
    tune,
)
from edge_ser.cli.live.command import live
from edge_ser.errors import EdgeSerError

EXIT_USER_ERROR = 2

app = typer.Typer(
    name="edge-ser",
    help="Multimodal speech emotion recognition on the edge: sound, words and face together.",
    epilog="A complete command: edge-ser recognize clip.mp4 --transcript 'so glad' --json",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=False,
)
app.command("recognize")(recognize.recognize)
app.command("demo")(demo.demo)
app.command("live")(live)
app.command("devices")(devices.devices)
app.command("doctor")(doctor.doctor)
app.command("train")(train.train)
app.command("tune")(tune.tune)
app.command("evaluate")(evaluate.evaluate)
app.command("export")(export.export)
app.command("build-engine")(build_engine.build_engine)
app.command("compare")(compare.compare)
app.command("calibrate")(calibrate.calibrate)
app.command("report")(report.report)
app.add_typer(bundle.app, name="bundle")
app.add_typer(profile.app, name="profile")
app.add_typer(engines.app, name="engines")
app.add_typer(bench.app, name="bench")


def _version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"edge-ser {__version__}")
        raise typer.Exit


@app.callback()
def _options(
    version: Annotated[
        bool,
        typer.Option("--version", callback=_version, is_eager=True, help="Print the version."),
    ] = False,
) -> None:
    """Options that stand before the verb."""


def main(arguments: list[str] | None = None) -> None:
    """Run the command line; exit code 2 for a user's error (one line), 1 for a bug."""
    try:
        app(args=arguments, prog_name="edge-ser")
    except EdgeSerError as error:
        line = " ".join(str(error).split())
        Console(stderr=True, soft_wrap=True, highlight=False).print(
            f"edge-ser: {line}", markup=False, style="red"
        )
        sys.exit(EXIT_USER_ERROR)
    except BrokenPipeError:
        # The reader of a pipe went away (for instance `| head`): nothing is wrong here.
        sys.stderr.close()
        sys.exit(0)
