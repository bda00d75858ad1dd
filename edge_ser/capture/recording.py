"""Writes what a stream is given to a folder: only when somebody asked for it, never by itself."""

from __future__ import annotations

import threading
import wave
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from edge_ser.capture.passing_sink import PassingSink
from edge_ser.capture.sources import Sink
from edge_ser.constants import SAMPLE_RATE
from edge_ser.errors import ConfigError
from edge_ser.media.clip import Picture
from edge_ser.media.samples import mono_full_scale
from edge_ser.result import LiveDecision
from edge_ser.runtime.closing import ClosedOnExit

AUDIO: Final = "audio.wav"
PICTURES: Final = "pictures"
DECISIONS: Final = "decisions.jsonl"


class Recording(PassingSink, ClosedOnExit):
    """A sink that hands everything on to another and writes it down on the way.

    The folder gets ``audio.wav`` (16-bit mono at the source's rate), ``pictures/<time>.jpg`` and
    ``decisions.jsonl``, in which the words that counted stand; times are capture times in 16 kHz
    samples. Should the disk refuse, the stream goes on and `error` tells. A recording grows where
    it is, as no camera waits for a disk: of a process that is killed it holds what was written
    until then, the newest picture perhaps in part.

    Thread contract: every method from any thread.
    """

    def __init__(self, sink: Sink, folder: Path) -> None:
        """Begin a recording.

        Args:
            sink: gets everything that is pushed.
            folder: where it goes; made if it is not there, refused if it holds a recording.

        Raises:
            ConfigError: if the folder cannot be used.
        """
        if (folder / DECISIONS).exists() or (folder / AUDIO).exists():
            raise ConfigError(f"{folder} holds a recording already; name another folder")
        try:
            fresh = not folder.exists()
            (folder / PICTURES).mkdir(parents=True, exist_ok=True)
            # Whoever may read the folder's parent need not be able to read what people said.
            (folder if fresh else folder / PICTURES).chmod(0o700)
            self._decisions = (folder / DECISIONS).open("x", encoding="utf-8")
            (folder / DECISIONS).chmod(0o600)
        except OSError as error:
            raise ConfigError(f"cannot record to {folder}: {error.strerror}") from error
        super().__init__(sink)
        self._folder = folder
        self._lock = threading.Lock()
        self._audio: wave.Wave_write | None = None
        self._rate = SAMPLE_RATE
        self._closed = False
        self.error: str | None = None
        """Why writing stopped, if it did."""

    def push_audio(
        self,
        samples: npt.ArrayLike,
        capture_time: int | None = None,
        sample_rate: int = SAMPLE_RATE,
        *,
        timeout: float = 0.0,
    ) -> bool:
        """Hand sound on and write it down; sound that changes its rate is no longer written."""
        self._write(lambda: self._write_audio(np.asarray(samples), sample_rate))
        return super().push_audio(samples, capture_time, sample_rate, timeout=timeout)

    def push_video(
        self, frame: Picture, capture_time: int | None = None, *, timeout: float = 0.0
    ) -> bool:
        """Hand a picture on and write it down."""
        if capture_time is not None:
            self._write(lambda: self._write_picture(frame, capture_time))
        return super().push_video(frame, capture_time, timeout=timeout)

    def note(self, decision: LiveDecision) -> None:
        """Write a decision down."""
        self._write(lambda: self._decisions.write(decision.to_json() + "\n"))

    def close(self) -> None:
        """Finish the files; a second call does nothing. The other sink stays open."""
        with self._lock:
            if self._closed:
                return
            self._closed = True
            self._decisions.close()
            if self._audio is not None:
                self._audio.close()

    def _write(self, work: Any) -> None:
        with self._lock:
            if self._closed or self.error is not None:
                return
            try:
                work()
            except (OSError, wave.Error) as error:
                self.error = f"the recording stopped: {error}"

    def _write_audio(self, samples: npt.NDArray[Any], rate: int) -> None:
        mono = mono_full_scale(samples)
        if self._audio is None:
            self._rate = rate
            path = str(self._folder / AUDIO)
            self._audio = wave.open(path, "wb")  # noqa: SIM115 - it stays open until close
            (self._folder / AUDIO).chmod(0o600)
            self._audio.setnchannels(1)
            self._audio.setsampwidth(2)
            self._audio.setframerate(rate)
        if rate != self._rate:
            raise OSError(f"the sound changed from {self._rate} to {rate} Hz")
        clipped = np.clip(np.nan_to_num(mono), -1, 1) * 32767
        self._audio.writeframes(clipped.astype("<i2").tobytes())

    def _write_picture(self, frame: Picture, capture_time: int) -> None:
        import cv2

        written, data = cv2.imencode(".jpg", frame[:, :, ::-1])
        if not written:
            raise OSError("a picture could not be encoded")
        (self._folder / PICTURES / f"{capture_time}.jpg").write_bytes(data.tobytes())
