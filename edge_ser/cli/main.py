"""The `edge-ser` command: verbs, exit codes, and one clear line for a user's error."""

from __future__ import annotations

import errno
import io
import os
import sys
from contextlib import suppress
from typing import Annotated

import typer

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
    export_triton,
    fleet,
    profile,
    recognize,
    report,
    score,
    serve,
    train,
    tune,
)
from edge_ser.cli.live.command import live
from edge_ser.errors import EdgeSerError
from edge_ser.shown.terminal import Terminal

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
app.command("score")(score.score)
app.command("demo")(demo.demo)
app.command("live")(live)
app.command("serve")(serve.serve)
app.command("devices")(devices.devices)
app.command("doctor")(doctor.doctor)
app.command("train")(train.train)
app.command("tune")(tune.tune)
app.command("evaluate")(evaluate.evaluate)
app.command("export")(export.export)
app.command("export-triton")(export_triton.export_triton)
app.command("build-engine")(build_engine.build_engine)
app.command("compare")(compare.compare)
app.command("calibrate")(calibrate.calibrate)
app.command("report")(report.report)
app.add_typer(bundle.app, name="bundle")
app.add_typer(fleet.app, name="fleet")
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
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            # A terminal's encoding may lack a letter of a name or a word: that is no reason to end.
            stream.reconfigure(errors="backslashreplace")
    try:
        code = _run(arguments)
    except BrokenPipeError:
        code = 0  # the reader of a pipe went away (for instance `| head`): nothing is wrong here
    sys.exit(_flushed(code))


def _run(arguments: list[str] | None) -> str | int | None:
    """Run a verb; give its exit code."""
    try:
        app(args=arguments, prog_name="edge-ser")
    except SystemExit as leaving:
        # typer and rich make an exit code 1 of a pipe that nobody reads.
        if isinstance(leaving.__context__, BrokenPipeError):
            raise leaving.__context__ from None
        return leaving.code
    except EdgeSerError as error:
        return _refused(str(error))
    except OSError as error:
        if error.errno != errno.ENOSPC or error.filename is not None:
            raise
        return _refused(f"the output cannot be written: {error.strerror}")
    return 0


def _flushed(code: str | int | None) -> str | int | None:
    """Flush now what the interpreter would flush, and complain about, at its end."""
    for stream in filter(None, (sys.__stdout__, sys.__stderr__)):
        try:
            stream.flush()
        except OSError as error:
            os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())
            if not isinstance(error, BrokenPipeError):
                code = _refused(f"the output cannot be written: {error.strerror}")
    return code


def _refused(why: str) -> int:
    """Tell why in one line; give the exit code."""
    with suppress(OSError, SystemExit):  # where nobody reads it the exit code still tells
        Terminal(stderr=True, soft_wrap=True).print(
            f"edge-ser: {' '.join(why.split())}", style="red"
        )
    return EXIT_USER_ERROR
