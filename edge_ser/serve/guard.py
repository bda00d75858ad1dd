"""Who may ask: checked before anything of a request is read.

A page on the internet could talk to a server on this machine by way of its visitor's own browser:
directly (its Origin tells), or once its name is made to lead here (DNS rebinding; Host tells).
"""

from __future__ import annotations

import asyncio
import hmac
from collections.abc import Callable
from typing import Final
from urllib.parse import urlsplit

from starlette.datastructures import MutableHeaders
from starlette.requests import HTTPConnection
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from edge_ser.serve.options import ServeOptions
from edge_ser.serve.refusals import Refusal

OPEN_PATHS: Final = ("/", "/healthz", "/readyz")
"""They hold nothing of anybody: no token is asked for; nor for the files of the page."""
PAGE_FILES: Final = "/page/"
TOKEN_PROTOCOL: Final = "edge-ser.token."  # noqa: S105 - the name of what holds one
"""A browser cannot give a WebSocket a header; it offers its token as a subprotocol after this."""

# Everything that the page uses comes from this server.
_HEADERS: Final = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; "
    "img-src 'self'; connect-src 'self'; base-uri 'none'; form-action 'none'; "
    "frame-ancestors 'none'",
    "Permissions-Policy": "camera=(self), microphone=(self)",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}


class Guard:
    """ASGI middleware: turns strangers away, and lets nobody take an answer for ever."""

    def __init__(
        self,
        app: ASGIApp,
        options: ServeOptions,
        tokens: tuple[str, ...],
        responded: Callable[[int], None],
    ) -> None:
        """Guard an application.

        Args:
            app: gets what is let through.
            options: whom to hear.
            tokens: a client must send one of them; none: nobody is asked.
            responded: is told the status of every answer.
        """
        self._app = app
        self._responded = responded
        self._names = options.accepted_names
        self._origins = frozenset(origin.lower().rstrip("/") for origin in options.origins)
        self._tokens = tokens
        self._patience = options.limits.idle_seconds

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on, or refuse it."""
        if scope["type"] not in ("http", "websocket"):
            await self._app(scope, receive, send)
            return

        async def answer(message: Message) -> None:
            if message["type"].endswith("response.start"):
                self._responded(message["status"])
                headers = MutableHeaders(scope=message)
                for name, value in _HEADERS.items():
                    headers.setdefault(name, value)
            # A client that takes nothing would hold what it was given for ever.
            try:
                await asyncio.wait_for(send(message), self._patience)
            except asyncio.TimeoutError:
                raise OSError("the client takes nothing") from None

        refusal = self._refusal(HTTPConnection(scope))
        if refusal is not None:
            await refusal.response()(scope, receive, answer)
            return
        await self._app(scope, receive, answer)

    def _refusal(self, connection: HTTPConnection) -> Refusal | None:
        host = connection.headers.get("host", "")
        if name_of(host) not in self._names:
            return Refusal(
                403, "this server has another name: start it with --allow-name if it is yours"
            )
        origin = connection.headers.get("origin")
        if origin is not None and not self._known(origin, host):
            return Refusal(
                403, "a page elsewhere may not talk to this server: --allow-origin lets one"
            )
        path = connection.url.path
        if self._tokens and path not in OPEN_PATHS and not path.startswith(PAGE_FILES):
            given = _token_of(connection)
            # Each is compared: how long it takes tells nothing of any of them.
            known = [hmac.compare_digest(given.encode(), t.encode()) for t in self._tokens]
            if not any(known):
                return Refusal(401, "a token is needed: Authorization: Bearer TOKEN")
        return None

    def _known(self, origin: str, host: str) -> bool:
        origin = origin.lower()
        return origin in self._origins or (
            origin.startswith(("http://", "https://")) and urlsplit(origin).netloc == host.lower()
        )


def name_of(host: str) -> str:
    """The host of a header without its port: ``localhost:8080`` and ``[::1]:8080`` have one."""
    if "@" in host:
        return ""
    try:
        return urlsplit(f"//{host}").hostname or ""
    except ValueError:
        return ""


def _token_of(connection: HTTPConnection) -> str:
    scheme, _, token = connection.headers.get("authorization", "").partition(" ")
    if scheme.lower() == "bearer":
        return token.strip()
    for offered in connection.scope.get("subprotocols", ()):
        if offered.startswith(TOKEN_PROTOCOL):
            return str(offered).removeprefix(TOKEN_PROTOCOL)
    return ""
