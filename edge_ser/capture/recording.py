"""Writes what a stream is given to a folder: only when somebody asked for it, never by itself."""

from __future__ import annotations

import os
import threading
import wave
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from typing import IO, Any, Final

import numpy as np
import numpy.typing as npt

from edge_ser.capture.passing_sink import PassingSink
from edge_ser.capture.sources import Sink
from edge_ser.constants import SAMPLE_RATE
from edge_ser.errors import ConfigError, MediaError
from edge_ser.files import is_there, make_folder, refusal, writing
from edge_ser.media.channels import mono_full_scale
from edge_ser.media.clip import Picture
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
        if is_there(folder / DECISIONS) or is_there(folder / AUDIO):
            raise ConfigError(f"{folder} holds a recording already; name another folder")
        # Whoever may read the folder's parent need not be able to read what people said.
        make_folder(folder, mode=0o700)
        make_folder(folder / PICTURES, mode=0o700)
        with writing(folder):
            # A line at a time: what was decided is there, however the process ends.
            self._decisions = open(  # noqa: SIM115 - it stays open until close
                folder / DECISIONS, "x", buffering=1, encoding="utf-8", opener=_private
            )
        super().__init__(sink)
        self._folder = folder
        self._lock = threading.Lock()
        self._audio: wave.Wave_write | None = None
        self._audio_file: IO[bytes] | None = None
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
            for file in (self._decisions, self._audio, self._audio_file):
                if file is not None:
                    self._attempt(file.close)

    def _write(self, work: Callable[[], object]) -> None:
        with self._lock:
            if not self._closed and self.error is None:
                self._attempt(work)

    def _attempt(self, work: Callable[[], object]) -> None:
        try:
            work()
        except OSError as error:
            self.error = self.error or f"the recording stopped: {refusal(self._folder, error)}"
        except (MediaError, wave.Error) as error:
            self.error = self.error or f"the recording stopped: {error}"

    def _write_audio(self, samples: npt.NDArray[Any], rate: int) -> None:
        mono = mono_full_scale(samples)
        if self._audio is None:
            self._rate = rate
            self._audio_file = open(self._folder / AUDIO, "xb", opener=_private)  # noqa: SIM115
            self._audio = wave.open(self._audio_file, "wb")  # noqa: SIM115
            self._audio.setnchannels(1)
            self._audio.setsampwidth(2)
            self._audio.setframerate(rate)
        if rate != self._rate:
            raise MediaError(f"the sound changed from {self._rate} to {rate} Hz")
        clipped = np.clip(np.nan_to_num(mono), -1, 1) * 32767
        self._audio.writeframes(clipped.astype("<i2").tobytes())

    def _write_picture(self, frame: Picture, capture_time: int) -> None:
        path = self._folder / PICTURES / f"{capture_time}.jpg"
        data = _jpeg(frame)
        with open(path, "wb", opener=_private) as file:
            file.write(data)


def _jpeg(frame: Picture) -> bytes:
    import av

    picture = av.VideoFrame.from_ndarray(np.ascontiguousarray(frame), format="rgb24")
    encoder = av.CodecContext.create("mjpeg", "w")
    encoder.height, encoder.width = frame.shape[:2]
    encoder.pix_fmt, encoder.time_base = "yuvj444p", Fraction(1, 1)
    # The finest steps: what is recorded is looked at by machines again.
    encoder.options = {"qmin": "1", "qmax": "1"}
    try:
        return b"".join(bytes(packet) for packet in [*encoder.encode(picture), *encoder.encode()])
    except av.FFmpegError as error:
        raise MediaError(f"a picture could not be encoded: {error}") from error


def _private(path: str, flags: int) -> int:
    """Opens files that their owner alone may read."""
    return os.open(path, flags, 0o600)
