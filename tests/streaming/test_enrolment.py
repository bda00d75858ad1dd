"""Enrolment while the stream runs: the statistics that a clip gives, and decisions go on."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from fixtures.bundle_factory import make_bundle, with_adaptation

from edge_ser import EdgeRecognizer, EmotionStream, Profile
from edge_ser.clock import PushedClock
from edge_ser.errors import CaptureError, ConfigError, EngineError
from edge_ser.media.media import read_clip

CHUNK = 1600


@pytest.fixture(scope="module")
def recognizer(tmp_path_factory: pytest.TempPathFactory) -> EdgeRecognizer:
    return EdgeRecognizer(make_bundle(tmp_path_factory.mktemp("bundle"), with_adaptation))


@pytest.fixture(scope="module")
def speech(demo_clip: Path) -> np.ndarray:
    samples = read_clip(demo_clip, want_video=False).samples
    assert samples is not None
    return np.concatenate([samples, np.zeros(16000, np.float32)])


@pytest.fixture
def stream(recognizer: EdgeRecognizer) -> Iterator[EmotionStream]:
    with recognizer.stream(consent=True, clock=PushedClock()) as made:
        yield made


def push(stream: EmotionStream, samples: np.ndarray, begin: int = 0) -> int:
    for at in range(0, len(samples), CHUNK):
        assert stream.push_audio(samples[at : at + CHUNK], begin + at, timeout=10)
    return begin + len(samples)


def test_live_and_from_a_clip_are_the_same_person(
    recognizer: EdgeRecognizer, stream: EmotionStream, speech: np.ndarray
) -> None:
    from_clip = recognizer.enroll([(speech, 16000)])
    enrolment = stream.enroll(from_clip.seconds)
    assert not enrolment.done
    push(stream, speech)
    live = enrolment.result(20)
    assert enrolment.done
    assert live.samples == from_clip.samples
    np.testing.assert_allclose(live.mean, from_clip.mean, rtol=1e-5)
    np.testing.assert_allclose(live.deviation, from_clip.deviation, rtol=1e-4, atol=1e-6)


def test_the_stream_adapts_from_then_on(stream: EmotionStream, speech: np.ndarray) -> None:
    enrolment = stream.enroll(1.0)
    end = push(stream, speech)
    profile = enrolment.result(20)
    push(stream, speech, end)
    stream.close()
    decisions = list(stream)
    notes = [d.modalities["audio"].notes for d in decisions if d.modalities["audio"].present]
    assert not any("profile" in note for note in notes[0])
    assert any(f"profile ({profile.seconds:.0f} s" in note for note in notes[-1])
    assert stream.profile == profile
    assert [d.sequence for d in decisions] == list(range(1, len(decisions) + 1))


def test_a_profile_can_be_taken_up_and_let_go(
    recognizer: EdgeRecognizer, speech: np.ndarray
) -> None:
    profile = recognizer.enroll([(speech, 16000)])
    with recognizer.stream(clock=PushedClock(), profile=profile) as stream:
        end = push(stream, speech)
        first = stream.next_decision(20)
        while (later := stream.next_decision(0.5)) is not None:
            first = later
        stream.adapt_to(None)
        push(stream, speech, end)
    last = [d for d in stream if d.modalities["audio"].present][-1]
    assert first is not None
    assert any("profile" in note for note in first.modalities["audio"].notes)
    assert not any("profile" in note for note in last.modalities["audio"].notes)


def test_going_on_from_an_earlier_profile(
    recognizer: EdgeRecognizer, stream: EmotionStream, speech: np.ndarray
) -> None:
    earlier = recognizer.enroll([(speech, 16000)])
    enrolment = stream.enroll(earlier.seconds, extend=earlier)
    assert enrolment.heard_seconds == 0
    push(stream, speech)
    assert enrolment.result(20).samples == 2 * earlier.samples


def test_nobody_is_enrolled_without_consent(recognizer: EdgeRecognizer) -> None:
    with recognizer.stream(clock=PushedClock()) as stream, pytest.raises(ConfigError) as raised:
        stream.enroll(5)
    assert "consent=True" in str(raised.value)


@pytest.mark.parametrize("seconds", [0, -1, float("nan")])
def test_no_speech_makes_no_profile(stream: EmotionStream, seconds: float) -> None:
    with pytest.raises(ConfigError, match="seconds"):
        stream.enroll(seconds)


def test_silence_and_noise_are_nobody(stream: EmotionStream) -> None:
    enrolment = stream.enroll(1)
    end = push(stream, np.zeros(32000, np.float32))
    push(stream, (0.05 * np.random.default_rng(1).standard_normal(64000)).astype(np.float32), end)
    with pytest.raises(CaptureError, match=r"only 0\.0 of 1 s"):
        enrolment.result(0.2)
    assert not enrolment.done


def test_a_stream_that_is_closed_ends_the_enrolment(
    stream: EmotionStream, speech: np.ndarray
) -> None:
    enrolment = stream.enroll(600)
    push(stream, speech)
    stream.close()
    with pytest.raises(CaptureError, match="closed after"):
        enrolment.result(5)
    with pytest.raises(CaptureError, match="closed"):
        stream.enroll(5).result(5)


def test_a_cancelled_enrolment_gives_way_to_the_next(
    stream: EmotionStream, speech: np.ndarray
) -> None:
    first, second = stream.enroll(600), stream.enroll(1)
    first.cancel()
    push(stream, speech)
    assert second.result(20).seconds >= 1
    with pytest.raises(CaptureError, match="cancelled"):
        first.result(1)
    assert first.profile is None


def test_an_encoder_that_raises_costs_the_enrolment_alone(
    recognizer: EdgeRecognizer, speech: np.ndarray, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object) -> None:
        raise EngineError("the acoustic graph broke")

    monkeypatch.setattr(recognizer.encoders, "audio", broken)
    with recognizer.stream(consent=True, clock=PushedClock()) as stream:
        enrolment = stream.enroll(1)
        push(stream, speech)
        with pytest.raises(CaptureError, match="the acoustic graph broke"):
            enrolment.result(20)
    decisions = list(stream)
    assert len(decisions) > 5
    assert decisions[-1].health.encoder_errors == 1


def test_it_can_be_awaited(recognizer: EdgeRecognizer, speech: np.ndarray) -> None:
    async def enroll() -> Profile:
        async with recognizer.stream(consent=True, clock=PushedClock()) as stream:
            enrolment = stream.enroll(1)
            thread = threading.Thread(target=push, args=(stream, speech))
            thread.start()
            profile = await enrolment
            thread.join()
            return profile

    assert asyncio.run(enroll()).seconds >= 1


def test_a_wait_that_times_out_does_not_end_the_enrolment(
    recognizer: EdgeRecognizer, speech: np.ndarray
) -> None:
    async def enroll() -> Profile:
        async with recognizer.stream(consent=True, clock=PushedClock()) as stream:
            enrolment = stream.enroll(1)
            for _ in range(2):
                with pytest.raises(asyncio.TimeoutError):
                    await asyncio.wait_for(enrolment, 0.02)
            await asyncio.to_thread(push, stream, speech)
            return await asyncio.wait_for(enrolment, 20)

    assert asyncio.run(enroll()).seconds >= 1


def test_a_cancelled_enrolment_says_so_to_who_awaits_it(stream: EmotionStream) -> None:
    async def enroll() -> None:
        enrolment = stream.enroll(600)
        asyncio.get_running_loop().call_later(0.02, enrolment.cancel)
        with pytest.raises(CaptureError, match="was cancelled"):
            await asyncio.wait_for(enrolment, 5)

    asyncio.run(enroll())


def test_a_loop_that_is_gone_does_not_disturb_the_enrolment(
    stream: EmotionStream, speech: np.ndarray, caplog: pytest.LogCaptureFixture
) -> None:
    enrolment = stream.enroll(1)

    async def give_up() -> None:
        with pytest.raises(asyncio.TimeoutError):
            await asyncio.wait_for(enrolment, 0.02)

    asyncio.run(give_up())
    push(stream, speech)
    assert enrolment.result(20).seconds >= 1
    assert caplog.records == []
