"""The process: a socket, uvicorn on it, and an orderly end."""

from __future__ import annotations

import socket
import time
from collections.abc import Callable
from typing import Any, Final

import uvicorn
from starlette.types import ASGIApp

from edge_ser.errors import ConfigError
from edge_ser.recognizer import EdgeRecognizer
from edge_ser.serve.app import Service, make_app
from edge_ser.serve.options import ServeOptions

_BACKLOG: Final = 512
_HEADER_BYTES: Final = 16384
_FILES: Final = 65536
_TICKS: Final = 10
"""uvicorn ticks ten times a second."""


class Server(uvicorn.Server):
    """uvicorn, with what it leaves out: conversations end before their connections do."""

    def __init__(self, recognizer: EdgeRecognizer, options: ServeOptions) -> None:
        """Begin to listen; `serve_until_told` answers.

        Args:
            recognizer: decides; it stays open.
            options: where to listen, whom to hear, and the limits.

        Raises:
            ConfigError: if the address cannot be listened on, or the token file or the certificate
                cannot be used.
        """
        self.service = Service(recognizer, options)
        super().__init__(_configuration(make_app(self.service, options.tokens()), options))
        try:
            self.config.load()
        except OSError as error:
            raise ConfigError(f"the certificate or its key cannot be used: {error}") from error
        self._silent_since: dict[Any, float] = {}
        self._listener = _listening(options)
        host = f"[{options.host}]" if ":" in options.host else options.host
        scheme = "https" if options.certificate else "http"
        self.address = f"{scheme}://{host}:{self._listener.getsockname()[1]}"
        """What a client on this machine asks, without a path."""

    def serve_until_told(self) -> None:
        """Answer until a signal, or whoever sets `should_exit`, ends it."""
        _raise_file_limit()
        with self._listener:
            self.run(sockets=[self._listener])

    def handle_exit(self, sig: int, frame: Any) -> None:
        """End in order at the first signal, at once at the second; exit code 0 either way."""
        del sig, frame
        self.force_exit = self.should_exit
        self.should_exit = True

    async def on_tick(self, counter: int) -> bool:
        """Once a second hang up on connections that ask for nothing."""
        if counter % _TICKS == 0:
            self._hang_up_on_silence()
        return await super().on_tick(counter)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Give open conversations their last decision, then close everything."""
        await self.service.drain()
        await super().shutdown(sockets)

    def _hang_up_on_silence(self) -> None:
        """A connection that never completes a request has no timeout in uvicorn."""
        now = time.monotonic()
        silent = {}
        for connection in self.server_state.connections:
            cycle = getattr(connection, "cycle", connection)  # a WebSocket has none
            if cycle is None or getattr(cycle, "response_complete", False):
                silent[connection] = self._silent_since.get(connection, now)
        self._silent_since = silent
        for connection, since in silent.items():
            if now - since > self.service.options.limits.idle_seconds:
                connection.transport.close()


def serve(
    recognizer: EdgeRecognizer,
    options: ServeOptions | None = None,
    *,
    tell: Callable[[str], None] = print,
) -> None:
    """Serve until SIGTERM or SIGINT; open conversations get their last decision first.

    Args:
        recognizer: decides; it stays open.
        options: where to listen, whom to hear, and the limits; None: this machine alone.
        tell: takes the server's address once it listens.

    Raises:
        ConfigError: as for `Server`.
    """
    server = Server(recognizer, options or ServeOptions())
    tell(f"{server.address}/")
    server.serve_until_told()


def _configuration(app: ASGIApp, options: ServeOptions) -> uvicorn.Config:
    return uvicorn.Config(
        app,
        http="h11",
        ws="websockets-sansio",
        loop="asyncio",
        lifespan="on",
        ws_max_size=options.limits.message_bytes,
        # Sound and JPEG pictures do not get smaller.
        ws_per_message_deflate=False,
        # The address of a client is of a person: none is written down.
        access_log=False,
        log_level="error",
        log_config=None,
        server_header=False,
        proxy_headers=False,
        h11_max_incomplete_event_size=_HEADER_BYTES,
        timeout_graceful_shutdown=max(1, round(options.limits.ending_seconds)),
        ssl_certfile=options.certificate,
        ssl_keyfile=options.key,
    )


def _listening(options: ServeOptions) -> socket.socket:
    family = socket.AF_INET6 if ":" in options.host else socket.AF_INET
    try:
        return socket.create_server((options.host, options.port), family=family, backlog=_BACKLOG)
    except OSError as error:
        raise ConfigError(
            f"{options.host} port {options.port} cannot be listened on: "
            f"{error.strerror or error}; choose another with --host and --port (0: any free one)"
        ) from error


def _raise_file_limit() -> None:
    """A connection takes a file: many idle ones must not use them up."""
    try:
        import resource
    except ImportError:  # Windows has no such limit
        return
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = _FILES if hard == resource.RLIM_INFINITY else min(hard, _FILES)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
