"""Live sources: they open a device, deliver from a thread of their own, and survive its loss."""

from __future__ import annotations

import logging
import threading
from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any, Final, Literal, Protocol

import numpy.typing as npt

from edge_ser.constants import SAMPLE_RATE
from edge_ser.errors import CaptureError, MediaError
from edge_ser.media.clip import Picture

SourceState = Literal["new", "running", "lost", "ended", "stopped", "failed"]
"""`lost`: the device vanished and is being looked for; `failed`: given up, see `error`."""

_LOG = logging.getLogger("edge_ser.capture")

# Seconds to wait for a source's thread; a driver may hang, and must not hang its caller.
_PATIENCE: Final = 15.0


class Sink(Protocol):
    """Where sources deliver to, from any thread: `edge_ser.stream.EmotionStream`."""

    def push_audio(
        self,
        samples: npt.ArrayLike,
        capture_time: int | None = None,
        sample_rate: int = SAMPLE_RATE,
        *,
        timeout: float = 0.0,
    ) -> bool:
        """Take sound; `capture_time` is that of its first sample. False if it was not taken."""

    def push_video(
        self, frame: Picture, capture_time: int | None = None, *, timeout: float = 0.0
    ) -> bool:
        """Take a picture; False if it was not taken."""

    def push_text(self, words: str, start: int, end: int, *, final: bool = True) -> bool:
        """Take words that were said from `start` to `end`; False if they were not taken."""

    def push_notes(self, notes: Sequence[str]) -> None:
        """Take what a person should know of what is delivered, in place of what was told before."""


@dataclass(frozen=True)
class SourceHealth:
    """What a source did so far."""

    state: SourceState = "new"
    error: str | None = None
    """What happened last, if the device was lost or the source failed."""
    reconnects: int = 0
    """How often a lost device was found again."""
    audio_samples: int = 0
    """Samples delivered, at the source's own rate."""
    audio_overflows: int = 0
    """Times that the device, or the queue behind it, had to let sound go."""
    audio_refused: int = 0
    """Chunks that the sink did not take."""
    pictures: int = 0
    """Pictures delivered."""
    pictures_stale: int = 0
    """Pictures left out because they were too old when they came."""
    pictures_unwanted: int = 0
    """Pictures left out because fewer a second are wanted."""
    damaged: int = 0
    """Packets or pieces that could not be decoded."""
    picture_rate: float | None = None
    """Pictures a second that the device really gives; None until it is known."""

    def __repr__(self) -> str:
        told = (f"{name} {value}" for name, value in asdict(self).items() if value)
        return f"<SourceHealth: {', '.join(told)}>"


class Source(Protocol):
    """Something that delivers sound, pictures or both. Thread contract: any thread."""

    @property
    def name(self) -> str:
        """What a user calls it."""

    @property
    def health(self) -> SourceHealth:
        """What it did so far."""

    def start(self, sink: Sink) -> None:
        """Open the device and begin to deliver; raises CaptureError if it cannot be opened."""

    def stop(self) -> None:
        """Stop delivering and let go of the device; a second call does nothing."""


class DeviceLostError(Exception):
    """An open device stopped answering; raised by sources to themselves."""


class LiveSource(ABC):
    """A source whose device is opened again when it was lost.

    Thread contract: `start`, `stop` and `health` from any thread. A source is started once.
    """

    def __init__(self, name: str, *, first_retry: float = 0.5, longest_retry: float = 5.0) -> None:
        self._name = name
        self._retries = (first_retry, longest_retry)
        self._health = SourceHealth()
        self._lock = threading.Lock()
        self._stopping = threading.Event()
        self._thread: threading.Thread | None = None

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self._name}: {self.health.state}>"

    @property
    def name(self) -> str:
        """What a user calls the source."""
        return self._name

    @property
    def health(self) -> SourceHealth:
        """What the source did so far."""
        with self._lock:
            return self._health

    def start(self, sink: Sink) -> None:
        """Open the device and deliver to `sink` from now on.

        Raises:
            CaptureError: if the device cannot be opened, or the source was started before.
        """
        with self._lock:
            if self._thread is not None or self._stopping.is_set():
                raise CaptureError(f"{self._name} was started before; make a new source")
            self._thread = threading.Thread(
                target=self._run, args=(sink,), name=f"edge-ser-{self._name}", daemon=True
            )
        try:
            self._open()
        except BaseException:
            self._stopping.set()
            self._note(state="failed")
            raise
        self._note(state="running")
        self._thread.start()

    def stop(self) -> None:
        """Stop delivering and let go of the device; a second call does nothing."""
        self._stopping.set()
        self._interrupt()
        thread = self._thread
        if thread is not None and thread.is_alive() and thread is not threading.current_thread():
            thread.join(_PATIENCE)
        if self.health.state in ("new", "running", "lost"):
            self._note(state="stopped")

    def wait(self, timeout: float | None = None) -> bool:
        """Wait for a source that ends by itself; False if it still runs after `timeout` seconds."""
        thread = self._thread
        if thread is not None and thread.is_alive():
            thread.join(timeout)
            return not thread.is_alive()
        return True

    def __enter__(self) -> LiveSource:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    @abstractmethod
    def _open(self) -> None:
        """Open the device; raises CaptureError."""

    @abstractmethod
    def _deliver(self, sink: Sink) -> bool:
        """Deliver what comes next; False at the end; raises DeviceLostError."""

    @abstractmethod
    def _close(self) -> None:
        """Let go of the device, in whatever state it is."""

    def _interrupt(self) -> None:  # noqa: B027 - most wait no longer than a chunk lasts
        """Make a `_deliver` that waits return soon."""

    def _note(self, **changes: Any) -> None:
        with self._lock:
            self._health = replace(self._health, **changes)

    def _count(self, **amounts: int) -> None:
        with self._lock:
            self._health = replace(
                self._health, **{k: getattr(self._health, k) + v for k, v in amounts.items()}
            )

    def _push_audio(
        self, sink: Sink, samples: npt.NDArray[Any], capture_time: int, rate: int
    ) -> bool:
        taken = sink.push_audio(samples, capture_time, rate)
        self._count(audio_samples=len(samples), audio_refused=0 if taken else 1)
        return taken

    def _run(self, sink: Sink) -> None:
        try:
            while not self._stopping.is_set():
                try:
                    if not self._deliver(sink):
                        if not self._stopping.is_set():
                            self._note(state="ended")
                        break
                except DeviceLostError as error:
                    self._note(state="lost", error=str(error))
                    _LOG.warning("%s was lost: %s", self._name, error)
                    self._close()
                    if not self._open_again():
                        break
        except (CaptureError, MediaError) as error:
            self._note(state="failed", error=str(error))
        except Exception as error:
            # A thread has nobody to raise to: the state tells, and the log has the traceback.
            self._note(state="failed", error=f"{type(error).__name__}: {error}")
            _LOG.exception("%s failed", self._name)
        finally:
            self._close()

    def _open_again(self) -> bool:
        delay, longest = self._retries
        while not self._stopping.wait(delay):
            try:
                self._open()
            except CaptureError as error:
                self._note(error=str(error))
                delay = min(2 * delay, longest)
                continue
            self._note(state="running")
            self._count(reconnects=1)
            return True
        return False
