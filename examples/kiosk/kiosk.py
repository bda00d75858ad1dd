"""A kiosk: a web page that shows what the person in front of it seems to express.

python examples/kiosk/kiosk.py --replay clip.mp4 --loop
python examples/kiosk/kiosk.py --yes-i-have-consent

Only the standard library serves: one page, and server-sent events with a decision each. The server
listens on this machine alone unless `--host` says otherwise, and sends numbers and words, never
sound or pictures. It runs until it is interrupted; a browser that comes back gets the newest.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import signal
import sys
from pathlib import Path
from typing import Any

from edge_ser import (
    CameraSource,
    EdgeRecognizer,
    EdgeSerError,
    EmotionStream,
    LiveDecision,
    MicrophoneSource,
    ReplaySource,
)
from edge_ser.capture.sources import LiveSource

PAGE = Path(__file__).with_name("page.html")
MOST_READERS = 16
"""Browsers at once; more are told to come back later."""
WAITING = 8
"""Decisions that may wait for a slow browser before the oldest gives way."""
PATIENCE = 10.0
"""Seconds that a browser may take to say what it wants, or to take an event."""
HEARTBEAT = 15.0

# Until Python 3.11 asyncio's own is not the builtin one.
GONE = (OSError, ValueError, asyncio.TimeoutError, asyncio.IncompleteReadError)
"""What happens when a browser is gone, slow, or talks nonsense."""

HEADERS = (
    "Cache-Control: no-store\r\nX-Content-Type-Options: nosniff\r\n"
    "Content-Security-Policy: default-src 'none'; style-src 'unsafe-inline'; "
    "script-src 'unsafe-inline'; connect-src 'self'\r\n"
)


def message(decision: LiveDecision) -> dict[str, Any]:
    """What the page needs of a decision."""
    return {
        "sequence": decision.sequence,
        "label": decision.steady_label,
        "probabilities": {k: round(p, 4) for k, p in decision.probabilities.items()},
        "modalities": {
            str(m): {
                "present": report.present,
                "contribution": report.contribution,
                "reason": report.reason,
            }
            for m, report in decision.modalities.items()
        },
        "latency_ms": decision.latency_ms,
        "load": decision.health.load,
    }


class Kiosk:
    """Hands decisions to every browser that listens; a slow one misses some and stops nobody."""

    def __init__(self, names: frozenset[str]) -> None:
        """`names` are the hosts that a browser may ask for; others are turned away.

        Without that any page on the internet could read this server by way of the visitor's own
        browser, once its name is made to lead here (DNS rebinding).
        """
        self._names = names
        self._readers: set[asyncio.Queue[bytes]] = set()
        self._serving: set[asyncio.Task[None]] = set()
        self._newest = b""

    async def tell(self, stream: EmotionStream) -> None:
        """Pass on decisions until the stream ends."""
        async for decision in stream:
            text = json.dumps(message(decision), allow_nan=False)
            self._newest = f"id: {decision.sequence}\ndata: {text}\n\n".encode()
            for waiting in self._readers:
                if waiting.full():
                    waiting.get_nowait()
                waiting.put_nowait(self._newest)

    def accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """A browser has come."""
        task = asyncio.ensure_future(self._serve(reader, writer))
        self._serving.add(task)
        task.add_done_callback(self._serving.discard)

    async def close(self) -> None:
        """Hang up on every browser."""
        for task in self._serving:
            task.cancel()
        await asyncio.gather(*self._serving, return_exceptions=True)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Answer one browser."""
        # Browsers come and go: that one is gone is no error of ours.
        with contextlib.suppress(*GONE):
            head = await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), PATIENCE)
            line, *rest = head.decode("latin-1").split("\r\n")
            method, target, _ = line.split(" ")
            fields = dict(field.split(":", 1) for field in rest if ":" in field)
            host = {k.lower(): v.strip() for k, v in fields.items()}.get("host", "")
            await self._answer(writer, method, target.split("?")[0], _name_of(host))
            await writer.drain()
        writer.close()

    async def _answer(
        self, writer: asyncio.StreamWriter, method: str, path: str, host: str
    ) -> None:
        if host not in self._names:
            await _send(writer, "403 Forbidden", b"this server is for this machine\n")
        elif method != "GET":
            await _send(writer, "405 Method Not Allowed", b"only GET\n")
        elif path == "/":
            await _send(writer, "200 OK", PAGE.read_bytes(), "text/html; charset=utf-8")
        elif path != "/events":
            await _send(writer, "404 Not Found", b"there is / and /events\n")
        elif len(self._readers) >= MOST_READERS:
            await _send(writer, "503 Service Unavailable", b"too many browsers\n")
        else:
            await self._events(writer)

    async def _events(self, writer: asyncio.StreamWriter) -> None:
        waiting: asyncio.Queue[bytes] = asyncio.Queue(WAITING)
        self._readers.add(waiting)
        try:
            head = f"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n{HEADERS}\r\n"
            writer.write(head.encode() + b"retry: 1000\n\n" + self._newest)
            while True:
                await asyncio.wait_for(writer.drain(), PATIENCE)
                try:
                    event = await asyncio.wait_for(waiting.get(), HEARTBEAT)
                except asyncio.TimeoutError:
                    event = b": still here\n\n"
                writer.write(event)
        finally:
            self._readers.discard(waiting)


def _name_of(host: str) -> str:
    """The host without its port: ``localhost:8080`` and ``[::1]:8080`` have one."""
    if host.startswith("["):
        return host[1:].split("]")[0]
    return host.rsplit(":", 1)[0] if ":" in host else host


async def _send(
    writer: asyncio.StreamWriter, status: str, body: bytes, kind: str = "text/plain"
) -> None:
    head = (
        f"HTTP/1.1 {status}\r\nContent-Type: {kind}\r\nContent-Length: {len(body)}\r\n"
        f"Connection: close\r\n{HEADERS}\r\n"
    )
    writer.write(head.encode() + body)
    await asyncio.wait_for(writer.drain(), PATIENCE)


def sources(given: argparse.Namespace) -> list[LiveSource]:
    """What the kiosk listens to and looks at."""
    if given.replay is not None:
        return [ReplaySource(given.replay, loop=given.loop)]
    if not given.consent:
        sys.exit("microphone and camera need everybody's consent: add --yes-i-have-consent")
    return [MicrophoneSource(), CameraSource(0)]


async def run(given: argparse.Namespace) -> None:
    """Serve until the stream ends or somebody interrupts."""
    stopping = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        with contextlib.suppress(NotImplementedError):  # Windows has no such handlers
            loop.add_signal_handler(number, stopping.set)
    kiosk = Kiosk(frozenset({"localhost", "127.0.0.1", "::1", given.host}))
    devices = sources(given)
    with EdgeRecognizer() as recognizer:
        async with recognizer.stream(smoothing="strong", speech_gate=True, consent=True) as stream:
            server = await asyncio.start_server(kiosk.accept, given.host, given.port, limit=8192)
            port = server.sockets[0].getsockname()[1]
            print(f"http://{given.host}:{port}/", flush=True)
            try:
                for device in devices:
                    await loop.run_in_executor(None, device.start, stream)
                ending = {
                    asyncio.ensure_future(kiosk.tell(stream)),
                    asyncio.ensure_future(stopping.wait()),
                }
                _, left = await asyncio.wait(ending, return_when=asyncio.FIRST_COMPLETED)
                for task in left:
                    task.cancel()
            finally:
                for device in devices:
                    await loop.run_in_executor(None, device.stop)
                server.close()
                await kiosk.close()


def main() -> int:
    """Run as a command; 2 for what a user can mend."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--replay", type=Path, help="a file, as if it happened now")
    parser.add_argument("--loop", action="store_true", help="replay it again and again")
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on")
    parser.add_argument("--port", type=int, default=8080, help="0 takes any that is free")
    parser.add_argument("--yes-i-have-consent", dest="consent", action="store_true")
    try:
        asyncio.run(run(parser.parse_args()))
    except (EdgeSerError, OSError) as error:
        print(f"kiosk: {error}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
