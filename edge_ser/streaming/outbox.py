"""Decisions on their way out: to a callback, or to whoever iterates, blocking or in asyncio.

The mailbox is bounded: when nobody takes decisions the oldest gives way and is counted, so a slow
reader sees what is new and never holds the stream up.
"""

from __future__ import annotations

import asyncio
import contextlib
import inspect
import logging
import threading
import time
from collections import deque
from collections.abc import AsyncIterator, Callable, Coroutine, Generator
from dataclasses import dataclass, replace
from typing import Final

from edge_ser.clock import StreamClock, milliseconds
from edge_ser.errors import ConfigError
from edge_ser.result import LiveDecision
from edge_ser.streaming.tally import Tally

MAILBOX: Final = 64
"""Decisions that may wait to be taken."""

Callback = Callable[[LiveDecision], object]

_NOT_AWAITED: Final = (
    "it is called on a thread of its own, where nothing awaits it; make the stream without "
    "on_decision and use `async for decision in stream`, or give a function that hands over to "
    "your loop with loop.call_soon_threadsafe"
)

_LOG = logging.getLogger("edge_ser.stream")


@dataclass(frozen=True)
class Ready:
    """A decision and the capture times of the newest and the oldest thing it rests on."""

    decision: LiveDecision
    newest: int | None
    oldest: int | None


class Outbox(AsyncIterator[LiveDecision]):
    """Thread contract: every method from any thread, `__anext__` in any event loop.

    Whoever asks first gets a decision, and nobody gets it again. A wait that is cancelled or times
    out takes none, and the next one goes on.
    """

    def __init__(self, clock: StreamClock, tally: Tally, callback: Callback | None) -> None:
        """Make an empty outbox.

        Args:
            clock: tells when a decision is handed over.
            tally: counts decisions that nobody took, and errors of the callback.
            callback: gets every decision, in order, on a thread of its own; None leaves them to
                whoever iterates.

        Raises:
            ConfigError: if the callback cannot be called, or calling it would run nothing.
        """
        self._clock = clock
        self._tally = tally
        self._changed = threading.Condition()
        self._waiting: deque[Ready] = deque()
        self._closed = False
        self._sleepers: list[tuple[asyncio.AbstractEventLoop, asyncio.Event]] = []
        self._thread: threading.Thread | None = None
        if callback is not None:
            _check(callback)
            self._thread = threading.Thread(
                target=self._deliver, args=(callback,), name="edge-ser-decisions", daemon=True
            )
            self._thread.start()

    @property
    def calls_back(self) -> bool:
        """Whether decisions go to a callback."""
        return self._thread is not None

    def put(self, ready: Ready) -> None:
        """Add a decision; never waits."""
        with self._changed:
            if len(self._waiting) >= MAILBOX:
                self._waiting.popleft()
                self._tally.add("decisions_dropped")
            self._waiting.append(ready)
            self._wake()

    def take(self, timeout: float | None = None) -> LiveDecision | None:
        """Give the oldest decision; None at the end, or after `timeout` seconds without one."""
        with self._changed:
            self._changed.wait_for(lambda: self._waiting or self._closed, timeout)
            if not self._waiting:
                return None
            ready = self._waiting.popleft()
        return self._handed_over(ready)

    async def __anext__(self) -> LiveDecision:
        """Give the oldest decision; the iteration ends when the stream is closed."""
        sleeper = (asyncio.get_running_loop(), asyncio.Event())
        while True:
            with self._changed:
                if self._waiting:
                    ready = self._waiting.popleft()
                    break
                if self._closed:
                    raise StopAsyncIteration
                sleeper[1].clear()
                self._sleepers.append(sleeper)
            try:
                await sleeper[1].wait()
            finally:
                with self._changed, contextlib.suppress(ValueError):
                    self._sleepers.remove(sleeper)
        return self._handed_over(ready)

    def close(self) -> None:
        """Add nothing more; what waits is still delivered."""
        with self._changed:
            self._closed = True
            self._wake()

    def join(self, timeout: float) -> bool:
        """Wait until the callback has had everything; False if that took longer."""
        thread = self._thread
        if thread is None or thread is threading.current_thread():
            return True
        thread.join(timeout)
        return not thread.is_alive()

    def _wake(self) -> None:
        self._changed.notify_all()
        for loop, woken in self._sleepers:
            # A loop that was closed has nobody left who waits.
            with contextlib.suppress(RuntimeError):
                loop.call_soon_threadsafe(woken.set)
        self._sleepers.clear()

    def _handed_over(self, ready: Ready) -> LiveDecision:
        now = self._clock.now()
        return replace(
            ready.decision,
            latency_ms=None if ready.newest is None else milliseconds(now - ready.newest),
            oldest_age_ms=None if ready.oldest is None else milliseconds(now - ready.oldest),
        )

    def _deliver(self, callback: Callback) -> None:
        complained = -float("inf")
        while (decision := self.take()) is not None:
            try:
                returned = callback(decision)
                if isinstance(returned, (Coroutine, Generator)):
                    returned.close()
                    raise ConfigError(f"the callback returned what has not run yet: {_NOT_AWAITED}")
            # The stream outlives its callback's mistakes; sys.exit() would end this thread alone.
            except BaseException as error:
                self._tally.error("callback_errors", "the callback raised", error)
                # A callback that always raises must not fill a disk with log lines over the days.
                if time.monotonic() - complained > 60:
                    complained = time.monotonic()
                    _LOG.exception("the callback of a stream raised; the stream goes on")


def _check(callback: Callback) -> None:
    """Refuse what would drop every decision unseen: a call that only makes an object."""
    if not callable(callback):
        raise ConfigError(f"on_decision must be a function, not {type(callback).__name__}")
    called = getattr(callback, "__call__", callback)  # noqa: B004 - an object's own method
    kinds = (inspect.iscoroutinefunction, inspect.isgeneratorfunction, inspect.isasyncgenfunction)
    if any(kind(f) for kind in kinds for f in (callback, called)):
        raise ConfigError(f"on_decision is an async function or a generator: {_NOT_AWAITED}")
