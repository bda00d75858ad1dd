"""Microphones through PortAudio (PyAudio), from the extra ``mic``."""

from __future__ import annotations

import queue
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final, Protocol

import numpy as np
import numpy.typing as npt

from edge_ser.capture.quiet import quiet_stderr
from edge_ser.capture.sources import DeviceLostError, LiveSource, Sink
from edge_ser.clock import monotonic_samples
from edge_ser.constants import SAMPLE_RATE
from edge_ser.errors import CaptureError, MissingExtraError

# Sound is delivered in pieces of this length.
_BLOCK_SECONDS: Final = 0.02

# Blocks that may wait for the delivering thread: two seconds.
_QUEUE: Final = 100

# Sound comes without pause, so a device that is silent for this long is gone.
_SILENT_SECONDS: Final = 2.0


@dataclass(frozen=True)
class Microphone:
    """A device that sound can be recorded from."""

    index: int
    name: str
    channels: int
    rate: int
    """Its own rate in Hz."""
    default: bool


@dataclass(frozen=True, eq=False)
class Block:
    """A piece of sound as the device gives it."""

    samples: npt.NDArray[np.int16]
    """int16 [n, channels]."""
    capture_time: int
    """Of the first sample, on the clock of `monotonic_samples`."""
    overflow: bool
    """Whether the device let sound go before this block."""


class Recording(Protocol):
    """An open microphone; its thread hands every block to the callback that it was opened with."""

    rate: int

    def alive(self) -> bool:
        """Whether the device still records."""

    def close(self) -> None:
        """Let go of the device; a second call does nothing."""


class AudioDevices(Protocol):
    """The machine's sound devices."""

    def list(self) -> list[Microphone]:
        """Look for microphones; those that were plugged in since are found, too."""

    def open(
        self, microphone: Microphone, block_seconds: float, on_block: Callable[[Block], None]
    ) -> Recording:
        """Start to record; raises CaptureError."""


class MicrophoneSource(LiveSource):
    """Delivers the sound of a microphone at its own rate.

    A microphone that is unplugged is looked for, under the same name, until it is back.
    """

    def __init__(
        self,
        device: str | int | None = None,
        *,
        devices: AudioDevices | None = None,
        first_retry: float = 0.5,
        silent_seconds: float = _SILENT_SECONDS,
    ) -> None:
        """Choose a microphone; it is opened by `start`.

        Args:
            device: its index, or a part of its name; None takes the system's default.
            devices: the machine's sound devices; None takes PortAudio's.
            first_retry: seconds until a lost device is looked for.
            silent_seconds: without a block for so long, the device is taken for lost.

        Raises:
            MissingExtraError: if the extra ``mic`` is not installed.
        """
        super().__init__("microphone", first_retry=first_retry)
        self._wanted = device
        self._devices = devices if devices is not None else PortAudioDevices()
        self._silent_seconds = silent_seconds
        self._blocks: queue.Queue[Block | None] = queue.Queue(_QUEUE)
        self._recording: Recording | None = None

    def _open(self) -> None:
        microphone = choose(self._devices.list(), self._wanted)
        # From now on this one is meant, whatever becomes the default while it is gone.
        self._wanted = microphone.name
        self._name = f"microphone {microphone.name}"
        while not self._blocks.empty():
            self._blocks.get_nowait()
        self._recording = self._devices.open(microphone, _BLOCK_SECONDS, self._take)

    def _take(self, block: Block) -> None:
        """Queue a block; runs on the device's own thread and must never wait."""
        try:
            self._blocks.put_nowait(block)
        except queue.Full:
            self._count(audio_overflows=1)

    def _deliver(self, sink: Sink) -> bool:
        recording = self._recording
        if recording is None:
            raise DeviceLostError("it is not open")
        try:
            block = self._blocks.get(timeout=self._silent_seconds)
        except queue.Empty:
            raise DeviceLostError(f"no sound for {self._silent_seconds:g} s") from None
        if block is None:
            return True
        if block.overflow:
            self._count(audio_overflows=1)
        self._push_audio(sink, block.samples, block.capture_time, recording.rate)
        if self._blocks.empty() and not recording.alive():
            raise DeviceLostError("it stopped recording")
        return True

    def _interrupt(self) -> None:
        try:
            self._blocks.put_nowait(None)
        except queue.Full:
            # The delivering thread is not waiting then.
            return

    def _close(self) -> None:
        recording, self._recording = self._recording, None
        if recording is not None:
            recording.close()


def choose(microphones: list[Microphone], wanted: str | int | None) -> Microphone:
    """Give the microphone that is meant.

    Raises:
        CaptureError: if there is none; the message lists those that there are.
    """
    listed = "; ".join(f"{m.index}: {m.name}" for m in microphones)
    if not microphones:
        raise CaptureError(
            "no microphone was found: plug one in, or allow this program to use it "
            "(in a container, pass /dev/snd)"
        )
    if wanted is None:
        return next((m for m in microphones if m.default), microphones[0])
    if isinstance(wanted, int):
        found = [m for m in microphones if m.index == wanted]
    else:
        exact = [m for m in microphones if m.name == wanted]
        found = exact or [m for m in microphones if wanted.lower() in m.name.lower()]
    if not found:
        raise CaptureError(f"no microphone {wanted!r}; there are: {listed}")
    return found[0]


class PortAudioDevices:
    """The sound devices that PortAudio knows."""

    def __init__(self) -> None:
        """Load PortAudio.

        Raises:
            MissingExtraError: if PyAudio is not installed.
        """
        try:
            import pyaudio
        except ImportError as error:
            raise MissingExtraError("the microphone", "mic") from error
        self._pyaudio: Any = pyaudio
        self._library: Any = None

    def list(self) -> list[Microphone]:
        """Look for microphones.

        PortAudio looks once, when it is started: so it is started anew.
        """
        if self._library is not None:
            self._library.terminate()
        with quiet_stderr():
            self._library = self._pyaudio.PyAudio()
        try:
            default = int(self._library.get_default_input_device_info()["index"])
        except OSError:
            default = -1
        infos = [
            self._library.get_device_info_by_index(i)
            for i in range(self._library.get_device_count())
        ]
        return [
            Microphone(
                int(info["index"]),
                str(info["name"]),
                int(info["maxInputChannels"]),
                round(info["defaultSampleRate"]),
                int(info["index"]) == default,
            )
            for info in infos
            if info["maxInputChannels"] > 0
        ]

    def open(
        self, microphone: Microphone, block_seconds: float, on_block: Callable[[Block], None]
    ) -> Recording:
        """Start to record from a microphone that `list` gave last."""
        errors = []
        # Some devices cannot give one channel, and some claim channels that they do not have.
        for channels in dict.fromkeys((1, 2, microphone.channels)):
            if channels > microphone.channels:
                continue
            try:
                with quiet_stderr():
                    return _PortAudioRecording(
                        self._pyaudio, self._library, microphone, channels, block_seconds, on_block
                    )
            except (OSError, ValueError) as error:
                errors.append(str(error))
        raise CaptureError(
            f"microphone {microphone.name} cannot be opened: {'; '.join(dict.fromkeys(errors))}; "
            "another program may be using it"
        )


class _PortAudioRecording:
    def __init__(
        self,
        pyaudio: Any,
        library: Any,
        microphone: Microphone,
        channels: int,
        block_seconds: float,
        on_block: Callable[[Block], None],
    ) -> None:
        self.rate = microphone.rate
        self._pyaudio = pyaudio
        self._channels = channels
        self._on_block = on_block
        self._stream: Any = library.open(
            rate=microphone.rate,
            channels=channels,
            format=pyaudio.paInt16,
            input=True,
            input_device_index=microphone.index,
            frames_per_buffer=round(microphone.rate * block_seconds),
            stream_callback=self._called,
        )

    def alive(self) -> bool:
        try:
            return bool(self._stream.is_active())
        except OSError:
            return False

    def close(self) -> None:
        try:
            self._stream.close()
        except OSError:
            # The device is gone, and with it everything that could be let go.
            return

    def _called(
        self, data: bytes, count: int, times: dict[str, float], flags: int
    ) -> tuple[None, int]:
        samples = np.frombuffer(data, dtype=np.int16).reshape(-1, self._channels)
        self._on_block(
            Block(
                samples,
                monotonic_samples() - self._age(count, times),
                bool(flags & self._pyaudio.paInputOverflow),
            )
        )
        return None, self._pyaudio.paContinue

    def _age(self, count: int, times: dict[str, float]) -> int:
        """How long ago the first sample of a block was captured, in 16 kHz samples."""
        duration = count / self.rate
        age = times["current_time"] - times["input_buffer_adc_time"]
        # Some drivers leave the times at zero or tell another clock's.
        if not duration <= age <= duration + 1.0:
            age = duration
        return round(age * SAMPLE_RATE)
