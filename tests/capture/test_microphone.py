"""A microphone that overflows, vanishes and comes back, and PortAudio's view of it."""

from __future__ import annotations

import sys
import threading
import types
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from edge_ser.capture.microphone import (
    Block,
    Microphone,
    MicrophoneSource,
    PortAudioDevices,
    choose,
)
from edge_ser.clock import monotonic_samples
from edge_ser.errors import CaptureError, MissingExtraError

HEADSET = Microphone(0, "USB Headset", 1, 44100, default=False)
DESK = Microphone(3, "Desk microphone", 2, 48000, default=True)


class FakeRecording:
    def __init__(self, microphone: Microphone, on_block: Callable[[Block], None]) -> None:
        self.rate = microphone.rate
        self.microphone = microphone
        self.on_block = on_block
        self.plugged_in = True
        self.closed = False

    def alive(self) -> bool:
        return self.plugged_in

    def close(self) -> None:
        self.closed = True


class FakeDevices:
    """A machine whose microphones the test plugs in and out."""

    def __init__(self, *microphones: Microphone) -> None:
        self.microphones = list(microphones)
        self.recordings: list[FakeRecording] = []
        self.looks = 0

    def list(self) -> list[Microphone]:
        self.looks += 1
        return self.microphones

    def open(
        self, microphone: Microphone, block_seconds: float, on_block: Callable[[Block], None]
    ) -> FakeRecording:
        assert 0 < block_seconds <= 0.1
        self.recordings.append(FakeRecording(microphone, on_block))
        return self.recordings[-1]


def block(value: int, at: int = 0, *, overflow: bool = False) -> Block:
    return Block(np.full((882, 1), value, np.int16), at, overflow)


def test_blocks_arrive_with_rate_and_capture_time(sink: Any, eventually: Any) -> None:
    devices = FakeDevices(HEADSET, DESK)
    with MicrophoneSource("headset", devices=devices) as source:
        source.start(sink)
        assert source.name == "microphone USB Headset"
        for i in range(5):
            devices.recordings[0].on_block(block(i, 320 * i))
        eventually(lambda: len(sink.audio) == 5)
        assert source.health.state == "running"
        assert source.health.audio_samples == 5 * 882
    assert [(s[0, 0], t, rate) for s, t, rate in sink.audio] == [
        (i, 320 * i, 44100) for i in range(5)
    ]
    assert source.health.state == "stopped"
    assert devices.recordings[0].closed


@pytest.mark.parametrize(
    ("wanted", "found"),
    [(None, DESK), (0, HEADSET), ("desk", DESK), ("USB Headset", HEADSET), ("MICRO", DESK)],
)
def test_the_microphone_that_is_meant(wanted: str | int | None, found: Microphone) -> None:
    assert choose([HEADSET, DESK], wanted) == found


def test_a_microphone_that_is_not_there_is_told_with_those_that_are(sink: Any) -> None:
    with pytest.raises(CaptureError, match="no microphone 'x'; there are: 0: USB Headset; 3: "):
        choose([HEADSET, DESK], "x")
    with pytest.raises(CaptureError, match="no microphone 7"):
        choose([HEADSET], 7)
    source = MicrophoneSource(devices=FakeDevices())
    with pytest.raises(CaptureError, match="no microphone was found: plug one in"):
        source.start(sink)
    assert source.health.state == "failed"
    with pytest.raises(CaptureError, match="started before"):
        source.start(sink)
    source.stop()


def test_overflow_of_device_and_queue_is_counted(sink: Any, eventually: Any) -> None:
    devices = FakeDevices(DESK)
    gate = threading.Event()
    push = sink.push_audio

    def slow(*what: Any, **how: Any) -> bool:
        gate.wait(10)
        return bool(push(*what, **how))

    sink.push_audio = slow
    with MicrophoneSource(devices=devices) as source:
        source.start(sink)
        devices.recordings[0].on_block(block(0, overflow=True))
        eventually(lambda: source.health.audio_overflows == 1)
        # Whatever waits, the device's own thread is never held up.
        for i in range(150):
            devices.recordings[0].on_block(block(i))
        assert source.health.audio_overflows == 1 + 50
        gate.set()
        eventually(lambda: len(sink.audio) == 151 - 50)


def test_what_the_sink_refuses_is_counted(sink: Any, eventually: Any) -> None:
    devices = FakeDevices(DESK)
    sink.takes = False
    with MicrophoneSource(devices=devices) as source:
        source.start(sink)
        devices.recordings[0].on_block(block(1))
        eventually(lambda: source.health.audio_refused == 1)


@pytest.mark.parametrize("how", ["stops", "falls silent"])
def test_a_microphone_is_unplugged_and_plugged_in_elsewhere(
    sink: Any, eventually: Any, how: str
) -> None:
    devices = FakeDevices(DESK, HEADSET)
    source = MicrophoneSource(devices=devices, first_retry=0.01, silent_seconds=0.2)
    with source:
        source.start(sink)
        devices.microphones = [HEADSET]
        devices.recordings[0].on_block(block(1))
        if how == "stops":
            devices.recordings[0].plugged_in = False
            devices.recordings[0].on_block(block(2))
        eventually(lambda: source.health.state == "lost")
        looks = devices.looks
        eventually(lambda: devices.looks > looks + 2)
        # The default is another one now; the microphone that was chosen is waited for.
        assert len(devices.recordings) == 1
        assert devices.recordings[0].closed
        assert "no microphone 'Desk microphone'" in str(source.health.error)
        devices.microphones = [HEADSET, Microphone(9, "Desk microphone", 1, 16000, default=False)]
        eventually(lambda: source.health.reconnects == 1)
        devices.recordings[1].on_block(block(3, 77))
        eventually(lambda: sink.audio[-1][1:] == (77, 16000))
        assert devices.recordings[1].microphone.index == 9


def test_a_lost_microphone_can_be_stopped_at_once(sink: Any, eventually: Any) -> None:
    devices = FakeDevices(DESK)
    source = MicrophoneSource(devices=devices, first_retry=60, silent_seconds=0.05)
    source.start(sink)
    eventually(lambda: source.health.state == "lost")
    source.stop()
    assert source.wait(5)
    assert source.health.state == "stopped"
    source.stop()


def test_a_sink_that_raises_ends_the_source_and_lets_go_of_the_device(
    sink: Any, eventually: Any, caplog: pytest.LogCaptureFixture
) -> None:
    devices = FakeDevices(DESK)

    def broken(*_: Any, **__: Any) -> bool:
        raise RuntimeError("a bug")

    sink.push_audio = broken
    with MicrophoneSource(devices=devices) as source:
        source.start(sink)
        devices.recordings[0].on_block(block(1))
        eventually(lambda: source.health.state == "failed")
    assert source.health.error == "RuntimeError: a bug"
    assert source.health.state == "failed"
    assert devices.recordings[0].closed
    assert "a bug" in caplog.text


def test_without_the_extra_the_command_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pyaudio", None)
    with pytest.raises(MissingExtraError, match=r'pip install "edge-ser\[mic\]"'):
        MicrophoneSource()


class FakePortAudio(types.ModuleType):
    """PyAudio as far as it is used; refuses one channel, as some devices do."""

    paInt16, paInputOverflow, paContinue = 8, 2, 0  # noqa: N815

    def __init__(self) -> None:
        super().__init__("pyaudio")
        self.opened: dict[str, Any] = {}
        self.terminated = 0
        outer = self

        class PyAudio:
            def get_default_input_device_info(self) -> dict[str, Any]:
                raise OSError("no default")

            def get_device_count(self) -> int:
                return 2

            def get_device_info_by_index(self, index: int) -> dict[str, Any]:
                return {
                    "index": index,
                    "name": ("speaker", "array")[index],
                    "maxInputChannels": (0, 4)[index],
                    "defaultSampleRate": 48000.0,
                }

            def open(self, **options: Any) -> Any:
                if options["channels"] == 1:
                    raise OSError("Invalid number of channels")
                outer.opened = options
                return types.SimpleNamespace(is_active=lambda: True, close=lambda: None)

            def terminate(self) -> None:
                outer.terminated += 1

        self.PyAudio = PyAudio


@pytest.fixture
def portaudio(monkeypatch: pytest.MonkeyPatch) -> FakePortAudio:
    library = FakePortAudio()
    monkeypatch.setitem(sys.modules, "pyaudio", library)
    return library


def test_portaudio_lists_inputs_and_looks_again(portaudio: FakePortAudio) -> None:
    devices = PortAudioDevices()
    expected = [Microphone(1, "array", 4, 48000, default=False)]
    assert devices.list() == devices.list() == expected
    assert portaudio.terminated == 1


@pytest.mark.parametrize(
    ("times", "age"),
    [
        ({"current_time": 10.0, "input_buffer_adc_time": 9.9}, 1600),
        ({"current_time": 0.0, "input_buffer_adc_time": 0.0}, 320),
        ({"current_time": 10.0, "input_buffer_adc_time": 99.0}, 320),
        ({"current_time": 10.0, "input_buffer_adc_time": 1.0}, 320),
    ],
)
def test_portaudio_blocks_carry_the_time_of_their_first_sample(
    portaudio: FakePortAudio, times: dict[str, float], age: int
) -> None:
    devices = PortAudioDevices()
    blocks: list[Block] = []
    recording = devices.open(devices.list()[0], 0.02, blocks.append)
    assert portaudio.opened["channels"] == 2
    assert portaudio.opened["frames_per_buffer"] == 960
    assert portaudio.opened["input_device_index"] == 1
    audio = np.arange(1920, dtype=np.int16)
    before = monotonic_samples()
    callback = portaudio.opened["stream_callback"]
    assert callback(audio.tobytes(), 960, times, portaudio.paInputOverflow) == (None, 0)
    (found,) = blocks
    assert before - age <= found.capture_time <= monotonic_samples() - age
    np.testing.assert_array_equal(found.samples, audio.reshape(-1, 2))
    assert found.overflow
    assert recording.alive()
    recording.close()


def test_a_microphone_that_portaudio_cannot_open(portaudio: FakePortAudio) -> None:
    devices = PortAudioDevices()
    devices.list()
    with pytest.raises(CaptureError, match=r"microphone mono cannot be opened: Invalid number"):
        devices.open(Microphone(1, "mono", 1, 48000, default=True), 0.02, lambda _: None)
    assert portaudio.opened == {}
