"""The application: which path answers what."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import BaseRoute, Route

from edge_ser.errors import EdgeSerError
from edge_ser.recognizer import EdgeRecognizer
from edge_ser.serve.guard import Guard
from edge_ser.serve.options import ServeOptions
from edge_ser.serve.recognition import Recognitions
from edge_ser.serve.refusals import Refusal, answer_refusal


class Service:
    """What the paths share. Thread contract: belongs to the event loop."""

    def __init__(self, recognizer: EdgeRecognizer, options: ServeOptions) -> None:
        self.options = options
        self.recognizer = recognizer
        self.recognitions = Recognitions(recognizer, options.limits)
        self.ending = False

    def routes(self) -> list[BaseRoute]:
        """Every path."""
        return [
            Route("/healthz", self.healthz),
            Route("/readyz", self.readyz),
            Route("/v1/bundle", self.bundle),
            Route("/v1/recognize", self.recognize, methods=["POST"]),
        ]

    async def healthz(self, _: Request) -> Response:
        """The process lives and its loop turns."""
        return PlainTextResponse("ok\n")

    async def readyz(self, _: Request) -> Response:
        """Whether something new is taken: not while the server ends."""
        self._check_not_ending()
        return PlainTextResponse("ready\n")

    async def bundle(self, _: Request) -> Response:
        """What decides: the bundle's manifest and hash."""
        bundle = self.recognizer.bundle
        manifest = bundle.manifest.model_dump(mode="json")
        return JSONResponse({**manifest, "hash": bundle.digest})

    async def recognize(self, request: Request) -> Response:
        """A clip in, its decision out."""
        self._check_not_ending()
        decision = await self.recognitions.answer(request)
        return Response(decision.to_json(), media_type="application/json")

    async def drain(self) -> None:
        """Take nothing new, and let what runs come to its end."""
        self.ending = True

    def close(self) -> None:
        """End the threads."""
        self.recognitions.close()

    def _check_not_ending(self) -> None:
        if self.ending:
            raise Refusal(503, "the server is about to end")


def make_app(service: Service, tokens: tuple[str, ...]) -> Starlette:
    """Put the paths behind the guard.

    Args:
        service: answers; closed when the application ends.
        tokens: a client must send one of them; none: nobody is asked.
    """

    @asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[None]:
        try:
            yield
        finally:
            service.close()

    return Starlette(
        routes=service.routes(),
        middleware=[Middleware(Guard, options=service.options, tokens=tokens)],
        exception_handlers=dict.fromkeys((Refusal, EdgeSerError, HTTPException), answer_refusal),
        lifespan=lifespan,
    )
