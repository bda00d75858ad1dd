"""Loads `edge-ser serve` on this machine, over the loopback address alone, and says what it bore.

    python -m tools.bench_serve --clients 50 --seconds 20

It starts the server itself and ends by itself:

1. the library's stream and one client of the server side by side over the same sound and pictures:
   what the server adds to a decision;
2. half of the clients hold conversations, alone;
3. the same beside the other half, which never reads, dies, talks nonsense, or connects and says
   nothing, and beside 500 connections that never complete a request.

Latency is from the end of a decision's window, as it was captured, to its arrival at the client;
client and server read the same clock. A client is disturbed if it was ended before it wanted to, or
got no decision.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import os
import signal
import struct
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from itertools import count
from pathlib import Path
from typing import Any, Final

import cv2
import numpy as np
import psutil
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, WebSocketException

from edge_ser.clock import milliseconds, monotonic_samples
from edge_ser.constants import SAMPLE_RATE
from edge_ser.media.media import read_clip
from edge_ser.recognizer import EdgeRecognizer
from edge_ser.serve.messages import PICTURE, SOUND

CHUNK: Final = 720
"""Samples: 45 ms. A hop is no multiple of it: nobody is lucky with where the chunks end."""
PICTURE_EVERY: Final = 4
"""Chunks: between five and six pictures a second."""
HALF_OPEN: Final = 500
CLIP: Final = Path(__file__).parent.parent / "edge_ser" / "demo_clip" / "astronaut.mp4"


class Media:
    """Sound and pictures that go round and round."""

    def __init__(self, clip: Path) -> None:
        read = read_clip(clip)
        whole = len(read.samples) // CHUNK * CHUNK
        self.sound = (np.clip(read.samples[:whole], -1, 1) * 32767).astype("<i2").reshape(-1, CHUNK)
        self.pictures = [frame.image for frame in read.frames]
        self.jpegs = [
            cv2.imencode(".jpg", cv2.cvtColor(p, cv2.COLOR_RGB2BGR))[1].tobytes()
            for p in self.pictures
        ]

    async def chunks(self, seconds: float) -> AsyncIterator[tuple[int, int]]:
        """A number and the capture time of a chunk, at the moment at which it is complete."""
        start = monotonic_samples()
        for index in count():
            if index * CHUNK >= seconds * SAMPLE_RATE:
                return
            ready = start + (index + 1) * CHUNK
            await asyncio.sleep(max(0, ready - monotonic_samples()) / SAMPLE_RATE)
            yield index, start + index * CHUNK


@contextmanager
def served(*arguments: str) -> Iterator[tuple[str, psutil.Process]]:
    """`edge-ser serve` in a process of its own: where it listens, and the process."""
    command = [sys.executable, "-m", "edge_ser", "serve", "--port", "0", *arguments]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)  # noqa: S603
    try:
        if process.stdout is None or not (address := process.stdout.readline().strip(" /\n")):
            raise SystemExit("the server did not start")
        yield address.removeprefix("http://"), psutil.Process(process.pid)
        process.send_signal(signal.SIGTERM)
        if process.wait(60) != 0:
            raise SystemExit(f"the server ended with {process.returncode}")
    finally:
        process.kill()
        process.wait()


@asynccontextmanager
async def begun(address: str, hop: float) -> AsyncIterator[ClientConnection]:
    """A conversation that has begun."""
    async with connect(f"ws://{address}/v1/stream", open_timeout=60, ping_interval=None) as client:
        start = {"type": "start", "consent": True, "hop": hop}
        await client.send(json.dumps(start))
        await client.recv()
        yield client


async def send(client: ClientConnection, media: Media, index: int, moment: int) -> None:
    """A chunk of sound, and now and then a picture."""
    chunk = media.sound[index % len(media.sound)].tobytes()
    await client.send(struct.pack("<Bq", SOUND, moment) + chunk)
    if index % PICTURE_EVERY == 0:
        jpeg = media.jpegs[index % len(media.jpegs)]
        await client.send(struct.pack("<Bq", PICTURE, moment + CHUNK) + jpeg)


async def good(address: str, media: Media, seconds: float, hop: float) -> list[float] | None:
    """A conversation as it should be: latencies in ms; None if it was disturbed."""
    latencies: list[float] = []

    async def listen(client: ClientConnection) -> bool:
        while True:
            message = json.loads(await client.recv())
            if message["type"] == "end":
                return bool(latencies)
            # The last one comes when nothing more is sent: it waits for no sound.
            if message["type"] == "decision":
                ended = message["live"]["capture_time"]
                latencies.append(milliseconds(monotonic_samples() - ended))

    try:
        async with begun(address, hop) as client:
            listening = asyncio.ensure_future(listen(client))
            async for index, moment in media.chunks(seconds):
                await send(client, media, index, moment)
            await client.send('{"type": "end"}')
            whole = await asyncio.wait_for(listening, 60)
    except (WebSocketException, OSError, asyncio.TimeoutError):
        return None
    return latencies[:-1] if whole else None


async def never_reads(address: str, media: Media, seconds: float, hop: float) -> None:
    """Sends, and takes nothing of what it is sent."""
    async with begun(address, hop) as client:
        client.transport.pause_reading()
        async for index, moment in media.chunks(seconds):
            await send(client, media, index, moment)
        client.transport.abort()


async def dies(address: str, media: Media, seconds: float, hop: float) -> None:
    """Hangs up in the middle, and comes again."""
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        async with begun(address, hop) as client:
            async for index, moment in media.chunks(1.0):
                await send(client, media, index, moment)
            client.transport.abort()


async def talks_nonsense(address: str, _: Media, seconds: float, hop: float) -> None:
    """Sends what means nothing, and comes again when it is shown the door."""
    random = np.random.default_rng(7)
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        with contextlib.suppress(ConnectionClosed):
            async with begun(address, hop) as client:
                for _again in range(5):
                    broken = struct.pack("<Bq", PICTURE, 0) + random.bytes(1000)
                    await client.send(broken)
                await client.send(random.bytes(200))
                await asyncio.sleep(0.2)
        await asyncio.sleep(0.2)


async def says_nothing(address: str, _: Media, seconds: float, hop: float) -> None:
    """Connects and never begins."""
    del hop
    async with connect(f"ws://{address}/v1/stream", open_timeout=60):
        await asyncio.sleep(seconds)


BAD: Final[tuple[Callable[[str, Media, float, float], Awaitable[None]], ...]] = (
    *(never_reads, dies, talks_nonsense, says_nothing),
)


async def crowd(
    address: str,
    media: Media,
    seconds: float,
    hop: float,
    clients: int,
    *,
    bad: int,
    half_open: int,
) -> dict[str, Any]:
    """Good clients, bad ones beside them, and connections that never complete a request."""
    host, port = address.rsplit(":", 1)
    idle = [await asyncio.open_connection(host, int(port)) for _ in range(half_open)]
    for _, writer in idle[::2]:
        writer.write(b"GET /healthz HTTP/1.1\r\n")
    spoiling = [
        asyncio.ensure_future(BAD[i % len(BAD)](address, media, seconds, hop)) for i in range(bad)
    ]
    outcomes = await asyncio.gather(*(good(address, media, seconds, hop) for _ in range(clients)))
    for task in spoiling:
        task.cancel()
    await asyncio.gather(*spoiling, return_exceptions=True)
    for _, writer in idle:
        writer.close()
    latencies = [ms for outcome in outcomes if outcome for ms in outcome]
    return {"disturbed": outcomes.count(None), "decisions": len(latencies), **quantiles(latencies)}


async def library(
    recognizer: EdgeRecognizer, media: Media, seconds: float, hop: float
) -> list[float]:
    """The same conversation without a server: latencies in ms."""
    latencies: list[float] = []
    with recognizer.stream(
        hop=hop,
        consent=True,
        on_decision=lambda d: latencies.append(milliseconds(monotonic_samples() - d.capture_time)),
    ) as stream:
        async for index, moment in media.chunks(seconds):
            stream.push_audio(media.sound[index % len(media.sound)], moment)
            if index % PICTURE_EVERY == 0:
                stream.push_video(media.pictures[index % len(media.pictures)], moment + CHUNK)
    return latencies[:-1]


async def side_by_side(
    recognizer: EdgeRecognizer, address: str, media: Media, seconds: float
) -> tuple[list[float], list[float]]:
    """The library and a client of the server at once: what disturbs one disturbs the other."""
    direct, through = await asyncio.gather(
        library(recognizer, media, seconds, 0.5), good(address, media, seconds, 0.5)
    )
    return direct, through or []


def quantiles(latencies: list[float]) -> dict[str, float | None]:
    """Median and 99th percentile in ms."""
    if not latencies:
        return {"p50_ms": None, "p99_ms": None}
    p50, p99 = np.quantile(latencies, (0.5, 0.99))
    return {"p50_ms": round(float(p50), 1), "p99_ms": round(float(p99), 1)}


def megabytes(process: psutil.Process) -> float:
    """Resident memory."""
    return round(float(process.memory_info().rss) / 1e6, 1)


def measure(arguments: argparse.Namespace) -> dict[str, Any]:
    """Run the three parts; figures by name."""
    media = Media(CLIP)
    half = arguments.clients // 2
    options = ["--conversations", str(2 * arguments.clients)]
    if arguments.bundle is not None:
        options += ["--bundle", str(arguments.bundle)]
    seconds, hop = arguments.seconds, arguments.hop
    figures: dict[str, Any] = {"cores": os.cpu_count(), "clients": arguments.clients}
    with served(*options) as (address, process), EdgeRecognizer(arguments.bundle) as recognizer:
        direct, through = asyncio.run(side_by_side(recognizer, address, media, seconds))
        figures["library"], figures["one client"] = quantiles(direct), quantiles(through)
        figures["memory_mb_before"] = megabytes(process)
        for name, bad, half_open in (("good alone", 0, 0), ("good beside bad", half, HALF_OPEN)):
            run = crowd(address, media, seconds, hop, half, bad=bad, half_open=half_open)
            figures[name] = asyncio.run(run)
            figures[f"memory_mb {name}"] = megabytes(process)
    return figures


def main() -> None:
    """Measure, and print the figures as JSON; exit code 1 if a good client was disturbed."""
    parser = argparse.ArgumentParser(description="Load edge-ser serve over the loopback address.")
    parser.add_argument("--clients", type=int, default=50, help="half of them good")
    parser.add_argument("--seconds", type=float, default=20.0, help="of each conversation")
    parser.add_argument("--hop", type=float, default=2.0, help="seconds between decisions")
    parser.add_argument("--bundle", type=Path, help="default: the one that ships")
    figures = measure(parser.parse_args())
    print(json.dumps(figures, indent=2))
    sys.exit(1 if figures["good beside bad"]["disturbed"] else 0)


if __name__ == "__main__":
    main()
