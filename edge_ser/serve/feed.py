"""`GET /v1/decisions`: what is decided in every conversation, to whoever watches."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Final

from starlette.responses import StreamingResponse

from edge_ser.result import LiveDecision
from edge_ser.serve.refusals import Refusal

WAITING: Final = 16
"""Decisions that may wait for a slow reader before the oldest gives way."""
HEARTBEAT: Final = 15.0
"""Seconds; proxies and browsers hang up on what says nothing."""

_Waiting = asyncio.Queue[bytes | None]


class Feed:
    """A slow reader misses some and stops nobody. Thread contract: belongs to the event loop."""

    def __init__(self, limit: int) -> None:
        """`limit` readers may listen at once."""
        self.readers: dict[_Waiting, str | None] = {}
        """Who waits, and for which conversation; None: for all."""
        self._limit = limit
        self._count = 0

    def publish(self, conversation: str, decision: LiveDecision) -> None:
        """Hand a decision to every reader."""
        if not self.readers:
            return
        self._count += 1
        text = json.dumps({"conversation": conversation, **decision.to_dict()}, allow_nan=False)
        event = f"id: {self._count}\nevent: decision\ndata: {text}\n\n".encode()
        for waiting, wanted in self.readers.items():
            if wanted in (None, conversation):
                _put(waiting, event)

    def answer(self, conversation: str | None) -> StreamingResponse:
        """Begin to tell a reader.

        Args:
            conversation: the one that is asked for; None: all.

        Raises:
            Refusal: if too many read already (503).
        """
        if len(self.readers) >= self._limit:
            raise Refusal(503, "too many readers: come again later")
        waiting: _Waiting = asyncio.Queue(WAITING)
        self.readers[waiting] = conversation
        return StreamingResponse(self._events(waiting), media_type="text/event-stream")

    def close(self) -> None:
        """Let every reader go."""
        for waiting in self.readers:
            _put(waiting, None)

    async def _events(self, waiting: _Waiting) -> AsyncIterator[bytes]:
        try:
            yield b"retry: 1000\n\n"
            while True:
                try:
                    event = await asyncio.wait_for(waiting.get(), HEARTBEAT)
                except asyncio.TimeoutError:
                    event = b": nothing is decided at present\n\n"
                if event is None:
                    return
                yield event
        finally:
            del self.readers[waiting]


def _put(waiting: _Waiting, event: bytes | None) -> None:
    if waiting.full():
        waiting.get_nowait()
    waiting.put_nowait(event)
