"""The stream with its threads: any thread in, callback or iteration out, nothing stops it."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from fixtures.stream_simulation import SECOND, FakeEncoders, TestClock, fake_bundle
from fixtures.threaded_stream import make, noise, picture, push_seconds

from edge_ser.clock import MonotonicClock, monotonic_samples
from edge_ser.errors import ConfigError, MediaError
from edge_ser.result import LiveDecision
from edge_ser.stream import AUDIO_QUEUE, EmotionStream
from edge_ser.streaming.options import StreamOptions
from edge_ser.streaming.outbox import MAILBOX


@pytest.fixture(autouse=True)
def _no_thread_is_left() -> Iterator[None]:
    before = set(threading.enumerate())
    yield
    deadline = time.monotonic() + 5
    while time.monotonic() < deadline:
        left = [t for t in set(threading.enumerate()) - before if t.name.startswith("edge-ser")]
        if not left:
            return
        time.sleep(0.01)
    raise AssertionError(f"threads were left behind: {left}")


# ---- decisions out ------------------------------------------------------------------------------


def test_iteration_ends_when_the_stream_is_closed_and_drained() -> None:
    stream = make()
    push_seconds(stream, 5.2)
    assert stream.close()
    decisions = list(stream)
    assert [d.window.end for d in decisions] == [*range(8000, 81000, 8000), 83200]
    assert decisions[-1].present == ("audio", "video")
    assert all(d.steady_label is not None for d in decisions)
    assert stream.close()
    assert list(stream) == []


def test_iteration_while_another_thread_pushes() -> None:
    with make() as stream:

        def source() -> None:
            push_seconds(stream, 10)
            stream.close()

        thread = threading.Thread(target=source)
        thread.start()
        sequences = [d.sequence for d in stream]
        thread.join()
    assert sequences == list(range(1, 21))


def test_a_callback_gets_every_decision_in_order() -> None:
    got: list[LiveDecision] = []
    with make(on_decision=got.append) as stream:
        push_seconds(stream, 10)
        with pytest.raises(ConfigError, match="on_decision"):
            iter(stream)
    assert [d.sequence for d in got] == list(range(1, 21))
    assert all(d.latency_ms is not None and d.latency_ms >= 0 for d in got)


def test_next_decision_with_a_timeout() -> None:
    with make() as stream:
        assert stream.next_decision(timeout=0.05) is None
        push_seconds(stream, 0.5)
        decision = stream.next_decision(timeout=5)
        assert decision is not None
        assert decision.sequence == 1


def test_decisions_that_nobody_takes_are_counted() -> None:
    stream = make(hop=0.05)
    push_seconds(stream, 6)
    assert stream.close()
    left = list(stream)
    assert len(left) == MAILBOX
    assert left[-1].sequence == 120
    assert stream.health().decisions_dropped == 120 - MAILBOX


# ---- callbacks that misbehave -------------------------------------------------------------------


def test_a_callback_that_raises(caplog: pytest.LogCaptureFixture) -> None:
    calls: list[int] = []

    def broken(decision: LiveDecision) -> None:
        calls.append(decision.sequence)
        raise KeyError("nobody home")

    with make(on_decision=broken) as stream:
        push_seconds(stream, 4)
    assert calls == list(range(1, 9))
    health = stream.health()
    assert health.callback_errors == 8
    assert "nobody home" in (health.last_error or "")
    assert len(caplog.records) == 1, "a callback that always raises must not flood the log"


def test_a_slow_callback_never_stops_capture_or_decisions() -> None:
    gate = threading.Event()
    got: list[int] = []

    def slow(decision: LiveDecision) -> None:
        gate.wait(30)
        got.append(decision.sequence)

    stream = make(on_decision=slow, hop=0.05)
    began = time.monotonic()
    push_seconds(stream, 10)
    assert time.monotonic() - began < 20
    deadline = time.monotonic() + 20
    while stream.health().decisions_dropped < 200 - MAILBOX - 1 and time.monotonic() < deadline:
        time.sleep(0.01)
    gate.set()
    assert stream.close()
    assert got[0] == 1
    assert got[-1] == 200
    assert len(got) == MAILBOX + 1
    assert stream.health().audio_overflow_samples == 0


def test_a_callback_that_hangs_is_left_behind() -> None:
    gate = threading.Event()
    stream = make(on_decision=lambda _: gate.wait(60))
    push_seconds(stream, 1)
    began = time.monotonic()
    assert not stream.close(timeout=0.3)
    assert time.monotonic() - began < 5
    gate.set()
    assert stream.close()


def test_a_callback_may_close_the_stream() -> None:
    streams: list[EmotionStream] = []
    with make(on_decision=lambda _: streams[0].close(timeout=1)) as stream:
        streams.append(stream)
        for begin in range(0, 4 * SECOND, 1600):
            stream.push_audio(noise(1600), begin, timeout=1)
    assert stream.closed


# ---- pushes -------------------------------------------------------------------------------------


def test_pushes_after_close_are_refused_and_raise_nothing() -> None:
    stream = make()
    stream.close()
    assert not stream.push_audio(noise(160), 0)
    assert not stream.push_video(picture(), 0)
    assert not stream.push_text("too late", 0, 100)
    assert stream.health().audio_overflow_samples == 0


def test_sources_that_push_while_the_stream_is_closed() -> None:
    stream = make()
    errors: list[BaseException] = []

    def source(kind: int) -> None:
        try:
            for i in range(300):
                if kind == 0:
                    stream.push_audio(noise(160), i * 160)
                elif kind == 1:
                    stream.push_video(picture(), i * 160)
                else:
                    stream.push_text("word", i * 160, i * 160 + 100)
        except BaseException as error:
            errors.append(error)

    threads = [threading.Thread(target=source, args=(i % 3,)) for i in range(6)]
    for thread in threads:
        thread.start()
    time.sleep(0.02)
    assert stream.close()
    for thread in threads:
        thread.join()
    assert errors == []


def test_a_full_queue_refuses_and_counts() -> None:
    encoders = FakeEncoders()
    gate, reached = threading.Event(), threading.Event()

    def stall(name: str) -> None:
        if name == "acoustic":
            reached.set()
            gate.wait(30)

    encoders.before = stall
    stream = make(encoders)
    stream.push_audio(noise(8000), 0)
    assert reached.wait(10)
    taken = refused = 0
    for begin in range(8000, 8000 + 2 * AUDIO_QUEUE, 1600):
        if stream.push_audio(noise(1600), begin):
            taken += 1600
        else:
            refused += 1600
    assert taken == AUDIO_QUEUE
    assert stream.health().audio_overflow_samples == refused == AUDIO_QUEUE
    gate.set()
    push_seconds(stream, 4, start=8000 + 2 * AUDIO_QUEUE)
    assert stream.close()
    last = list(stream)[-1]
    assert last.present == ("audio", "video")
    assert last.health.audio_overflow_samples == AUDIO_QUEUE
    assert last.health.audio_lost_samples >= AUDIO_QUEUE - 1600


def test_of_pictures_only_the_newest_waits() -> None:
    encoders = FakeEncoders()
    gate, reached = threading.Event(), threading.Event()

    def stall(_: str) -> None:
        reached.set()
        gate.wait(30)

    encoders.before = stall
    stream = make(encoders)
    stream.push_video(picture(), 0)
    assert reached.wait(10)
    for i in range(1, 11):
        assert stream.push_video(picture(), i * SECOND)
    gate.set()
    stream.close()
    assert encoders.calls["face"] == 2
    assert stream.health().pictures_replaced == 9


def test_the_caller_may_use_its_buffers_again() -> None:
    encoders = FakeEncoders()
    stream = make(encoders)
    buffer = np.empty(1600, np.float32)
    image = np.empty((8, 8, 3), np.uint8)
    for begin in range(0, SECOND // 2, 1600):
        buffer[:] = noise(1600)
        image[:] = picture()
        stream.push_video(image, begin, timeout=5)
        stream.push_audio(buffer, begin, timeout=5)
        buffer[:] = 5.0
        image[:] = 0
    stream.close()
    (decision,) = list(stream)
    assert decision.present == ("audio", "video")
    assert float(np.abs(encoders.windows[-1]).max()) < 1


@pytest.mark.parametrize("dtype", [np.int16, np.float32, np.float64])
@pytest.mark.parametrize("channels", [None, 1, 6])
def test_every_kind_of_samples(dtype: Any, channels: int | None) -> None:
    encoders = FakeEncoders()
    stream = make(encoders)
    level = 0.25 * (32768 if dtype is np.int16 else 1)
    shape = (8000,) if channels is None else (8000, channels)
    assert stream.push_audio(np.full(shape, level).astype(dtype), 0)
    stream.close()
    assert len(list(stream)) == 1
    np.testing.assert_allclose(encoders.windows[-1], 0.25, atol=1e-6)


@pytest.mark.parametrize(
    ("samples", "rate", "said"),
    [
        (np.zeros(100, np.int64), 16000, "int64"),
        (np.zeros(100, np.uint8), 16000, "uint8"),
        (np.zeros((2, 3, 4), np.float32), 16000, "shape"),
        (np.zeros((2, 48000), np.float32), 16000, "shape"),
        (np.zeros(100, np.float32), 10, "between"),
        (np.zeros(100, np.float32), 10**7, "between"),
        ("sound", 16000, "must be"),
    ],
)
def test_what_can_be_no_sound_is_refused(samples: Any, rate: int, said: str) -> None:
    with make() as stream, pytest.raises(MediaError, match=said):
        stream.push_audio(samples, 0, rate)


@pytest.mark.parametrize(
    "frame",
    [
        np.zeros((8, 8), np.uint8),
        np.zeros((8, 8, 4), np.uint8),
        np.zeros((0, 8, 3), np.uint8),
        np.zeros((8, 8, 3), np.float32),
    ],
)
def test_what_can_be_no_picture_is_refused(frame: Any) -> None:
    with make() as stream, pytest.raises(MediaError, match="RGB"):
        stream.push_video(frame, 0)


def test_what_can_be_no_words_is_refused() -> None:
    with make() as stream:
        with pytest.raises(MediaError, match="end"):
            stream.push_text("backwards", 10, 5)
        with pytest.raises(MediaError, match="text"):
            stream.push_text(b"bytes", 0, 5)  # type: ignore[arg-type]
        assert stream.push_text("   ", 0, 5)


def test_no_samples_are_no_mistake() -> None:
    with make() as stream:
        assert stream.push_audio(np.zeros(0, np.float32), 0)


# ---- clocks -------------------------------------------------------------------------------------


@pytest.mark.parametrize("jump", [3600 * SECOND, -3600 * SECOND, 1_700_000_000 * SECOND])
def test_stamps_that_cannot_be_true_are_replaced(jump: int) -> None:
    clock = TestClock(start=10**6 * SECOND)
    got: list[LiveDecision] = []
    stream = make(clock=clock, on_decision=got.append)
    for i in range(40):
        clock.time += 1600
        wrong = jump if 10 <= i < 20 else 0
        assert stream.push_audio(noise(1600), clock.time - 1600 + wrong)
        assert stream.push_video(picture(), clock.time - 1600 + wrong)
        deadline = time.monotonic() + 5
        while len(got) < (i + 1) // 5 and time.monotonic() < deadline:
            time.sleep(0.002)
    stream.close()
    assert [d.sequence for d in got] == list(range(1, 9))
    assert got[-1].health.stamps_replaced == 20
    assert got[-1].health.audio_lost_samples == 0
    assert got[-1].present == ("audio", "video")


def test_in_real_time_on_the_system_clock() -> None:
    got: list[LiveDecision] = []
    stream = make(clock=MonotonicClock(), on_decision=got.append, hop=0.1)
    until = time.monotonic() + 1.5
    begin = monotonic_samples()
    while time.monotonic() < until:
        time.sleep(0.02)
        samples = monotonic_samples() - begin
        stream.push_audio(noise(samples), begin)
        stream.push_video(picture())
        begin += samples
    assert stream.close()
    assert len(got) + got[-1].health.hops_skipped >= 13
    latencies = [d.latency_ms for d in got if d.latency_ms is not None]
    assert min(latencies) >= 0
    assert np.median(latencies) < 200
    assert got[-1].oldest_age_ms is not None
    assert got[-1].oldest_age_ms >= 1000


def test_sound_stamped_on_arrival() -> None:
    clock = TestClock(start=SECOND)
    encoders = FakeEncoders()
    stream = make(encoders, clock=clock)
    for _ in range(5):
        clock.time += 1600
        stream.push_audio(noise(1600))
    stream.close()
    (decision,) = list(stream)
    assert decision.capture_time == SECOND + 8000


def test_many_streams_share_one_set_of_encoders() -> None:
    encoders = FakeEncoders()
    streams = [make(encoders) for _ in range(8)]
    threads = [threading.Thread(target=push_seconds, args=(s, 4)) for s in streams]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for stream in streams:
        assert stream.close()
        assert len(list(stream)) == 8


def test_consent_is_known_to_whoever_opens_a_device() -> None:
    options = StreamOptions.checked(3.0, 0.5, "off", 10 * SECOND, speech_gate=False)
    with EmotionStream(fake_bundle(), FakeEncoders(), options, consent=True) as stream:
        assert stream.consent
    with make() as stream:
        assert not stream.consent
