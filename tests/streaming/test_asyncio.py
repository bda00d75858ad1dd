"""Decisions in asyncio: timeouts, cancellation, several readers, closing, async callbacks."""

from __future__ import annotations

import asyncio
import functools
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import chain
from typing import Any

import pytest
from fixtures.threaded_stream import make, push_seconds

from edge_ser.errors import ConfigError
from edge_ser.result import LiveDecision
from edge_ser.stream import EmotionStream


def test_asyncio() -> None:
    async def read() -> list[int]:
        async with make() as stream:
            loop = asyncio.get_running_loop()

            def source() -> None:
                push_seconds(stream, 6)
                stream.close()

            pushing = loop.run_in_executor(None, source)
            got = [d.sequence async for d in stream]
            await pushing
            return got

    assert asyncio.run(read()) == list(range(1, 13))


def test_asyncio_reader_that_is_cancelled_loses_nothing() -> None:
    async def read() -> list[int]:
        stream = make()
        waiting = asyncio.ensure_future(anext(aiter(stream)))
        await asyncio.sleep(0.05)
        waiting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting
        push_seconds(stream, 2)
        stream.close()
        return [d.sequence async for d in stream]

    assert asyncio.run(read()) == [1, 2, 3, 4]


def test_an_event_loop_that_is_gone_does_not_stop_the_stream() -> None:
    stream = make()

    async def give_up() -> None:
        with pytest.raises(asyncio.TimeoutError):
            await asyncio.wait_for(anext(aiter(stream)), 0.05)

    asyncio.run(give_up())
    push_seconds(stream, 2)
    assert stream.close()
    assert len(list(stream)) == 4


def test_a_timeout_around_the_next_decision_does_not_end_the_iteration() -> None:
    async def read() -> list[int]:
        got = []
        async with make() as stream:
            decisions = aiter(stream)
            for begin in range(3):
                with pytest.raises(asyncio.TimeoutError):
                    await asyncio.wait_for(anext(decisions), 0.02)
                push_seconds(stream, 0.5, start=8000 * begin)
                got.append((await asyncio.wait_for(anext(decisions), 5)).sequence)
        return got

    assert asyncio.run(read()) == [1, 2, 3]


async def _read_impatiently(stream: EmotionStream, got: list[int]) -> None:
    """Read to the end with timeouts that fall before, after and into the moments of decisions."""
    decisions, patience = aiter(stream), 0
    while True:
        patience = patience % 40 + 1
        try:
            got.append((await asyncio.wait_for(anext(decisions), patience / 4000)).sequence)
        except asyncio.TimeoutError:
            continue
        except StopAsyncIteration:
            return


@pytest.mark.parametrize("readers", [1, 3])
def test_impatient_readers_together_get_every_decision_once(readers: int) -> None:
    shares: list[list[int]] = [[] for _ in range(readers)]

    async def read() -> None:
        stream = make(hop=0.05)

        def source() -> None:
            for begin in range(0, 6 * 16000, 1600):
                push_seconds(stream, 0.1, start=begin)
                stop.wait(0.003)
            stream.close()

        pushing = asyncio.get_running_loop().run_in_executor(None, source)
        await asyncio.gather(*(_read_impatiently(stream, share) for share in shares))
        await pushing

    stop = threading.Event()
    asyncio.run(read())
    assert sorted(chain(*shares)) == list(range(1, 121))
    assert all(share == sorted(share) for share in shares)


def test_closing_from_another_task_ends_every_reader() -> None:
    async def read() -> list[list[int]]:
        stream = make()

        async def reader() -> list[int]:
            return [d.sequence async for d in stream]

        readers = [asyncio.ensure_future(reader()) for _ in range(3)]
        await asyncio.sleep(0.02)
        await asyncio.to_thread(push_seconds, stream, 2)
        assert await asyncio.to_thread(stream.close)
        return await asyncio.wait_for(asyncio.gather(*readers), 5)

    assert sorted(chain(*asyncio.run(read()))) == [1, 2, 3, 4]


def test_after_the_end_every_further_call_is_the_end() -> None:
    async def read() -> None:
        stream = make()
        decisions = aiter(stream)
        push_seconds(stream, 0.5)
        stream.close()
        assert (await anext(decisions)).sequence == 1
        for _ in range(2):
            with pytest.raises(StopAsyncIteration):
                await anext(decisions)
        assert [d async for d in stream] == []

    asyncio.run(read())


def test_an_interrupted_wait_does_not_end_a_blocking_iteration(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    with make() as stream:
        decisions = iter(stream)
        with monkeypatch.context() as patch:
            patch.setattr(stream._outbox._changed, "wait_for", interrupted)
            with pytest.raises(KeyboardInterrupt):
                next(decisions)
        push_seconds(stream, 0.5)
        assert next(decisions).sequence == 1


def test_leaving_does_not_wait_for_an_executor_full_of_readers() -> None:
    async def run() -> list[LiveDecision | None]:
        loop = asyncio.get_running_loop()
        loop.set_default_executor(ThreadPoolExecutor(2))
        async with make() as stream:
            waiting = [loop.run_in_executor(None, stream.next_decision) for _ in range(2)]
            await asyncio.sleep(0.05)
        return list(await asyncio.wait_for(asyncio.gather(*waiting), 5))

    assert asyncio.run(run()) == [None, None]


# ---- callbacks that would run nothing -----------------------------------------------------------


async def _async(decision: LiveDecision) -> None:
    raise AssertionError(decision)


async def _async_generator(decision: LiveDecision) -> Any:
    yield decision


def _generator(decision: LiveDecision) -> Iterator[LiveDecision]:
    yield decision


class _Caller:
    async def __call__(self, decision: LiveDecision) -> None:
        raise AssertionError(decision)

    async def method(self, decision: LiveDecision) -> None:
        raise AssertionError(decision)


@pytest.mark.parametrize(
    "callback",
    [
        _async,
        _async_generator,
        _generator,
        functools.partial(_async),
        _Caller(),
        _Caller().method,
    ],
)
def test_an_async_callback_is_refused_with_what_to_do(callback: Any) -> None:
    with pytest.raises(ConfigError, match="async for decision in stream"):
        make(on_decision=callback)


def test_what_is_no_function_is_refused() -> None:
    with pytest.raises(ConfigError, match="must be a function, not str"):
        make(on_decision="print")


@pytest.mark.parametrize("hidden", [_async, _generator])
def test_a_callback_that_turns_out_to_be_async_is_an_error_of_the_callback(
    hidden: Any, recwarn: pytest.WarningsRecorder
) -> None:
    with make(on_decision=lambda decision: hidden(decision)) as stream:
        push_seconds(stream, 1)
    health = stream.health()
    assert health.callback_errors == 2
    assert "async for decision in stream" in (health.last_error or "")
    assert not [w for w in recwarn if "never awaited" in str(w.message)]


@pytest.mark.parametrize("leaving", [SystemExit(1), KeyboardInterrupt(), asyncio.CancelledError()])
def test_a_callback_that_wants_to_leave_does_not_end_the_deliveries(leaving: BaseException) -> None:
    got: list[int] = []

    def leave(decision: LiveDecision) -> None:
        got.append(decision.sequence)
        raise leaving

    with make(on_decision=leave) as stream:
        push_seconds(stream, 2)
    assert got == [1, 2, 3, 4]
    assert stream.health().callback_errors == 4


def test_a_callback_may_hand_over_to_a_loop() -> None:
    async def run() -> list[int]:
        loop = asyncio.get_running_loop()
        waiting: asyncio.Queue[LiveDecision] = asyncio.Queue()
        hand_over = functools.partial(loop.call_soon_threadsafe, waiting.put_nowait)
        async with make(on_decision=hand_over) as stream:
            await asyncio.to_thread(push_seconds, stream, 1)
            return [(await asyncio.wait_for(waiting.get(), 5)).sequence for _ in range(2)]

    assert asyncio.run(run()) == [1, 2]
