"""The application: which path answers what."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import FileResponse, JSONResponse, PlainTextResponse, Response
from starlette.routing import BaseRoute, Mount, Route, WebSocketRoute
from starlette.staticfiles import StaticFiles
from starlette.websockets import WebSocket

from edge_ser.errors import EdgeSerError
from edge_ser.recognizer import EdgeRecognizer
from edge_ser.result import LiveDecision
from edge_ser.serve.conversation import Conversation, Conversations
from edge_ser.serve.feed import Feed
from edge_ser.serve.guard import Guard
from edge_ser.serve.metrics import CONTENT_TYPE, Metrics
from edge_ser.serve.openapi import openapi
from edge_ser.serve.options import ServeOptions
from edge_ser.serve.recognition import Recognitions
from edge_ser.serve.refusals import Refusal, answer_refusal

PAGE: Final = Path(__file__).with_name("page")
"""The page's files; it asks for nothing else, here or elsewhere."""


class Service:
    """What the paths share. Thread contract: belongs to the event loop."""

    def __init__(self, recognizer: EdgeRecognizer, options: ServeOptions) -> None:
        self.options = options
        self.recognizer = recognizer
        self.recognitions = Recognitions(recognizer, options.limits)
        self.conversations = Conversations(recognizer, options.limits, self._decided)
        self.feed = Feed(options.limits.readers)
        self.metrics = Metrics(
            recognizer.bundle.reference,
            lambda: len(self.conversations.open),
            lambda: self.recognitions.admitted,
        )
        self.ending = False

    def routes(self) -> list[BaseRoute]:
        """Every path."""
        return [
            Route("/", self.page),
            Mount("/page", StaticFiles(directory=PAGE)),
            Route("/healthz", self.healthz),
            Route("/readyz", self.readyz),
            Route("/v1/bundle", self.bundle),
            Route("/v1/recognize", self.recognize, methods=["POST"]),
            Route("/v1/decisions", self.decisions),
            Route("/metrics", self.tell_metrics),
            Route("/openapi.json", self.tell_openapi),
            WebSocketRoute("/v1/stream", self.stream),
        ]

    async def page(self, _: Request) -> Response:
        """The page for people: it asks before it listens or looks."""
        return FileResponse(PAGE / "index.html")

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
        self.metrics.decided(decision)
        return Response(decision.to_json(), media_type="application/json")

    async def stream(self, websocket: WebSocket) -> None:
        """Sound, pictures and words in, decisions out."""
        await self.conversations.answer(websocket)

    async def decisions(self, request: Request) -> Response:
        """Decisions of all conversations as they are made."""
        self._check_not_ending()
        return self.feed.answer(request.query_params.get("conversation"))

    async def tell_metrics(self, _: Request) -> Response:
        """Counts and times for Prometheus."""
        return Response(self.metrics.text(), headers={"Content-Type": CONTENT_TYPE})

    async def tell_openapi(self, _: Request) -> Response:
        """What the paths take and give."""
        return JSONResponse(openapi())

    async def drain(self) -> None:
        """Take nothing new, and let what runs come to its end."""
        self.ending = True
        await self.conversations.drain()
        self.feed.close()

    def close(self) -> None:
        """End the threads."""
        self.recognitions.close()
        self.conversations.close()

    def _decided(self, conversation: Conversation, decision: LiveDecision) -> None:
        """A decision was made in a conversation."""
        self.metrics.decided_live(conversation, decision)
        self.feed.publish(conversation.name, decision)

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
        middleware=[
            Middleware(
                Guard,
                options=service.options,
                tokens=tokens,
                responded=service.metrics.responded,
            )
        ],
        exception_handlers=dict.fromkeys((Refusal, EdgeSerError, HTTPException), answer_refusal),
        lifespan=lifespan,
    )
