"""`WS /v1/stream`: one live conversation of one client, from its start to its last decision."""

from __future__ import annotations

import asyncio
import json
import logging
import secrets
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, Final

from starlette.websockets import WebSocket, WebSocketDisconnect

from edge_ser.clock import monotonic_samples
from edge_ser.constants import SAMPLE_RATE
from edge_ser.errors import EdgeSerError, MediaError
from edge_ser.media.clip import PictureSampler
from edge_ser.recognizer import EdgeRecognizer
from edge_ser.result import LiveDecision
from edge_ser.serve.client_clock import ClientClock
from edge_ser.serve.messages import (
    SOUND,
    End,
    Start,
    Words,
    read_binary,
    read_picture,
    read_samples,
    read_text,
)
from edge_ser.serve.options import Limits
from edge_ser.serve.refusals import Refusal
from edge_ser.stream import EmotionStream

PROTOCOL: Final = "edge-ser"
"""Subprotocol that is chosen where a client offers one."""
START_SECONDS: Final = 10.0
"""A client must begin within them."""

_LOG = logging.getLogger("edge_ser.serve")
_POLL: Final = 0.02
_LONGEST_REASON: Final = 123
"""Bytes that a close frame holds."""

# Close codes (RFC 6455, 7.4.1, and IANA's registry).
NORMAL, GOING_AWAY, UNUSABLE, POLICY, FAILED, TRY_LATER = 1000, 1001, 1003, 1008, 1011, 1013


@dataclass(frozen=True)
class Ending:
    """Why a conversation ends."""

    code: int
    reason: str


class _EndedError(Exception):
    def __init__(self, code: int, reason: str) -> None:
        super().__init__(reason)
        self.ending = Ending(code, reason)


class Conversation:
    """Thread contract: belongs to the event loop; pictures are decoded on `threads`."""

    def __init__(
        self,
        websocket: WebSocket,
        recognizer: EdgeRecognizer,
        limits: Limits,
        threads: ThreadPoolExecutor,
        decided: Callable[[Conversation, LiveDecision], None],
    ) -> None:
        """Make one that has not begun.

        Args:
            websocket: accepted already.
            recognizer: makes the stream.
            limits: how long nothing may come.
            threads: for what would hold the loop up.
            decided: is told of every decision.
        """
        self.name = secrets.token_hex(4)
        """Drawn anew for each; it tells nothing of anybody."""
        self._websocket = websocket
        self._recognizer = recognizer
        self._limits = limits
        self._threads = threads
        self._decided = decided
        self._clock = ClientClock()
        self._told_to_end: asyncio.Future[Ending] = asyncio.get_running_loop().create_future()
        self._complaint = ""
        rate = recognizer.bundle.manifest.frontend.video.frames_per_second
        self._sampler = PictureSampler(rate)

    async def start(self) -> Start | None:
        """Wait for the client to begin; None if it does not, or not as it must."""
        try:
            first = await asyncio.wait_for(self._next(), START_SECONDS)
            if not isinstance(first, Start):
                raise _EndedError(UNUSABLE, "the first message must be of the type start")
            if not first.consent:
                raise _EndedError(POLICY, "without the consent of everybody nothing is begun")
            return first
        except asyncio.TimeoutError:
            await self._end(Ending(POLICY, f"no start came within {START_SECONDS:g} s"))
        except _EndedError as error:
            await self._end(error.ending)
        except WebSocketDisconnect:
            pass
        return None

    async def run(self, start: Start) -> None:
        """Go on until the client, the server or a limit ends it; the last decision is sent."""
        try:
            stream = self._recognizer.stream(
                window=start.window,
                hop=start.hop,
                smoothing=start.smoothing,
                speech_gate=start.speech_gate,
                consent=True,
            )
        except EdgeSerError as error:
            await self._end(Ending(UNUSABLE, str(error)))
            return
        sending = asyncio.ensure_future(self._send_decisions(stream))
        reading = asyncio.ensure_future(self._read(stream, start.sample_rate))
        try:
            await self._tell(
                {
                    "type": "ready",
                    "conversation": self.name,
                    "labels": list(self._recognizer.labels),
                    "pictures_per_second": self._sampler.frames_per_second,
                }
            )
            running: set[asyncio.Future[Any]] = {sending, reading, self._told_to_end}
            await asyncio.wait(running, return_when=asyncio.FIRST_COMPLETED)
        except WebSocketDisconnect:
            pass
        finally:
            ending = await self._finished(stream, sending, reading)
        if ending is not None:
            health = stream.health().to_dict()
            await self._end(ending, health)

    def end(self, code: int, reason: str) -> None:
        """Let it come to its end: what waits is decided, and the last decision is sent."""
        if not self._told_to_end.done():
            self._told_to_end.set_result(Ending(code, reason))

    async def refuse(self, code: int, reason: str) -> None:
        """End it before it began."""
        await self._end(Ending(code, reason))

    async def _finished(
        self, stream: EmotionStream, sending: asyncio.Future[None], reading: asyncio.Future[Ending]
    ) -> Ending | None:
        """Bring both directions to an end; None when the client is gone."""
        ending = self._told_to_end.result() if self._told_to_end.done() else None
        reading.cancel()
        loop = asyncio.get_running_loop()
        closing = loop.run_in_executor(self._threads, stream.close, self._limits.ending_seconds)
        (read,) = await asyncio.gather(reading, return_exceptions=True)
        (sent,) = await asyncio.gather(sending, return_exceptions=True)
        await closing
        for outcome in (read, sent):
            if isinstance(outcome, WebSocketDisconnect):
                return None
            if isinstance(outcome, Exception):
                _LOG.error("a conversation failed", exc_info=outcome)
                return Ending(FAILED, f"the server failed: {type(outcome).__name__}")
        return ending or (read if isinstance(read, Ending) else None)

    async def _send_decisions(self, stream: EmotionStream) -> None:
        async for decision in stream:
            self._decided(self, decision)
            await self._tell({"type": "decision", **decision.to_dict()})

    async def _read(self, stream: EmotionStream, sample_rate: int) -> Ending:
        """Push what comes, until nothing more does."""
        loop = asyncio.get_running_loop()
        deadline = loop.time() + self._limits.idle_seconds
        while True:
            try:
                message = await asyncio.wait_for(self._next(), deadline - loop.time())
                if isinstance(message, End):
                    return Ending(NORMAL, "the client ended it")
                used = await self._push(stream, message, sample_rate)
            except asyncio.TimeoutError:
                seconds = self._limits.idle_seconds
                return Ending(POLICY, f"nothing that can be used came for {seconds:g} s")
            except _EndedError as error:
                return error.ending
            if used:
                deadline = loop.time() + self._limits.idle_seconds

    async def _push(
        self, stream: EmotionStream, message: Start | Words | bytes, sample_rate: int
    ) -> bool:
        """Push a message; whether anything in it could be used."""
        if isinstance(message, Start):
            raise _EndedError(UNUSABLE, "a conversation begins once")
        try:
            if isinstance(message, Words):
                spoken = message.end - message.start
                begin = self._clock.arrived(message.start, max(spoken, 0))
                return stream.push_text(message.text, begin, begin + spoken, final=message.final)
            kind, moment, content = read_binary(message)
            if kind == SOUND:
                samples = read_samples(content)
                duration = len(samples) * SAMPLE_RATE // sample_rate
                return stream.push_audio(
                    samples, self._clock.arrived(moment, duration), sample_rate
                )
        except MediaError as error:
            raise _EndedError(UNUSABLE, str(error)) from None
        captured = self._clock.arrived(moment)
        # By when it came: a time that a client got wrong must not make all that follow too early.
        if not self._sampler.wants(monotonic_samples()):
            return True
        loop = asyncio.get_running_loop()
        try:
            picture = await loop.run_in_executor(self._threads, read_picture, content)
        except MediaError as error:  # one broken picture is no reason to end
            await self._complain(str(error))
            return False
        return stream.push_video(picture, captured)

    async def _next(self) -> Start | Words | End | bytes:
        message = await self._websocket.receive()
        if message["type"] == "websocket.disconnect":
            raise WebSocketDisconnect(message["code"])
        data = message.get("bytes")
        if data is not None:
            return bytes(data)
        try:
            return read_text(message["text"])
        except MediaError as error:
            raise _EndedError(UNUSABLE, str(error)) from None

    async def _complain(self, message: str) -> None:
        """Tell what is wrong, once."""
        if message != self._complaint:
            self._complaint = message
            await self._tell({"type": "error", "message": message})

    async def _tell(self, message: dict[str, Any]) -> None:
        await self._websocket.send_text(json.dumps(message, allow_nan=False))

    async def _end(self, ending: Ending, health: dict[str, Any] | None = None) -> None:
        """Say why it ends, and hang up."""
        try:
            await self._tell({"type": "end", "reason": ending.reason, "health": health})
            reason = ending.reason.encode()[:_LONGEST_REASON].decode(errors="ignore")
            await self._websocket.close(ending.code, reason)
        except (WebSocketDisconnect, RuntimeError, OSError):
            pass  # the client was quicker


class Conversations:
    """All that are open, and room for no more than the limit. Belongs to the event loop."""

    def __init__(
        self,
        recognizer: EdgeRecognizer,
        limits: Limits,
        decided: Callable[[Conversation, LiveDecision], None],
    ) -> None:
        self.open: set[Conversation] = set()
        """Those that have begun."""
        self._recognizer = recognizer
        self._limits = limits
        self._decided = decided
        self._ending = False
        self._threads = ThreadPoolExecutor(limits.conversations, "edge-ser-conversation")

    def has_room(self) -> bool:
        """Whether another may begin."""
        return not self._ending and len(self.open) < self._limits.conversations

    async def answer(self, websocket: WebSocket) -> None:
        """Hold a conversation with a client.

        One that says nothing takes no room: only who begins does.
        """
        if not self.has_room():
            refusal = Refusal(503, "too many conversations: come again later")
            await websocket.send_denial_response(refusal.response())
            return
        offered = websocket.scope.get("subprotocols", ())
        await websocket.accept(PROTOCOL if PROTOCOL in offered else None)
        conversation = Conversation(
            websocket, self._recognizer, self._limits, self._threads, self._decided
        )
        start = await conversation.start()
        if start is None:
            return
        if not self.has_room():
            await conversation.refuse(TRY_LATER, "too many conversations: come again later")
            return
        self.open.add(conversation)
        try:
            await conversation.run(start)
        finally:
            self.open.remove(conversation)

    async def drain(self) -> None:
        """Begin none, and give those that are open their last decision."""
        self._ending = True
        for conversation in self.open:
            conversation.end(GOING_AWAY, "the server ends")
        deadline = time.monotonic() + self._limits.ending_seconds
        while self.open and time.monotonic() < deadline:
            await asyncio.sleep(_POLL)

    def close(self) -> None:
        """End the threads."""
        self._threads.shutdown(wait=False, cancel_futures=True)
