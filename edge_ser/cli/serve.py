"""`edge-ser serve`: one recognizer for many clients, over HTTP and WebSocket."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from edge_ser.cli.options import BackendName, BundleFolder, Risk
from edge_ser.errors import MissingExtraError
from edge_ser.serve.options import Limits, ServeOptions

_DEFAULT = ServeOptions()
_LIMITS = Limits()


def serve(
    host: Annotated[str, typer.Option(help="Address to listen on.")] = _DEFAULT.host,
    port: Annotated[int, typer.Option(help="0 takes any that is free.")] = _DEFAULT.port,
    token_file: Annotated[
        Path | None, typer.Option(help="File with a token a line; a client must send one.")
    ] = None,
    allow_name: Annotated[
        list[str] | None, typer.Option(help="A further name of this server (may be repeated).")
    ] = None,
    allow_origin: Annotated[
        list[str] | None,
        typer.Option(help="A further web page that may talk to it (may be repeated)."),
    ] = None,
    certificate: Annotated[Path | None, typer.Option(help="Certificate for https (PEM).")] = None,
    key: Annotated[Path | None, typer.Option(help="The certificate's private key (PEM).")] = None,
    upload_megabytes: Annotated[
        int, typer.Option(min=1, help="Longest request.")
    ] = _LIMITS.upload_bytes >> 20,
    workers: Annotated[
        int, typer.Option(min=1, help="Clips that are decided at once.")
    ] = _LIMITS.workers,
    queue: Annotated[int, typer.Option(min=0, help="Clips that may wait.")] = _LIMITS.queue,
    conversations: Annotated[
        int, typer.Option(min=1, help="Live conversations at once.")
    ] = _LIMITS.conversations,
    risk: Risk = None,
    bundle: BundleFolder = None,
    backend: BackendName = "onnxruntime",
) -> None:
    """Serve decisions to programs and browsers, on this machine alone unless --host says otherwise.

    A complete command: edge-ser serve --port 8080 --conversations 4
    """
    from edge_ser.recognizer import EdgeRecognizer

    try:
        from edge_ser.serve.server import serve as serve_until_told
    except ModuleNotFoundError as error:
        raise MissingExtraError("serve", "serve") from error

    options = ServeOptions(
        host=host,
        port=port,
        token_file=token_file,
        names=tuple(allow_name or ()),
        origins=tuple(allow_origin or ()),
        certificate=certificate,
        key=key,
        limits=Limits(
            upload_bytes=upload_megabytes << 20,
            workers=workers,
            queue=queue,
            conversations=conversations,
        ),
    )
    with EdgeRecognizer(bundle, backend=backend, risk=risk) as recognizer:
        serve_until_told(recognizer, options, tell=typer.echo)
