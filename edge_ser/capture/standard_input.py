"""Raw PCM from a pipe: sound of any program, such as arecord or FFmpeg, on standard input."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any, BinaryIO, Final, Literal

import numpy as np
import numpy.typing as npt

from edge_ser.capture.sources import LiveSource, Sink
from edge_ser.clock import monotonic_samples
from edge_ser.constants import SAMPLE_RATE
from edge_ser.errors import CaptureError, ConfigError
from edge_ser.media.samples import HIGHEST_RATE, LOWEST_RATE

PcmFormat = Literal["s16le", "f32le"]
"""Names as FFmpeg and ALSA have them."""

_TYPES: Final[dict[str, np.dtype[Any]]] = {"s16le": np.dtype("<i2"), "f32le": np.dtype("<f4")}

# Sound is delivered in pieces of this length.
_PIECE_SECONDS: Final = 0.02

# How long sound from a pipe that is not live waits for room in the sink.
_ROOM_SECONDS: Final = 0.25


class PcmSource(LiveSource):
    """Delivers interleaved PCM from a binary stream, to its end."""

    def __init__(
        self,
        stream: BinaryIO | None = None,
        *,
        sample_rate: int = SAMPLE_RATE,
        channels: int = 1,
        sample_format: PcmFormat = "s16le",
        live: bool = True,
        now: Callable[[], int] = monotonic_samples,
    ) -> None:
        """Choose a stream of PCM.

        Args:
            stream: where to read; None is standard input.
            sample_rate: in Hz, 1000 to 384000.
            channels: interleaved channels, 1 to 64.
            sample_format: ``s16le`` or ``f32le`` (full scale 1).
            live: whether what is read has just been captured. Otherwise capture times count the
                samples from the start on, and reading waits for room in the sink.
            now: the clock of live capture times.

        Raises:
            ConfigError: if an argument is out of range.
        """
        super().__init__("standard input")
        if not LOWEST_RATE <= sample_rate <= HIGHEST_RATE:
            raise ConfigError(
                f"sample_rate must lie between {LOWEST_RATE} and {HIGHEST_RATE}, not {sample_rate}"
            )
        if not 1 <= channels <= 64:
            raise ConfigError(f"channels must lie between 1 and 64, not {channels}")
        if sample_format not in _TYPES:
            raise ConfigError(
                f"sample_format must be one of {', '.join(_TYPES)}, not {sample_format!r}"
            )
        self._stream = stream
        self._rate = sample_rate
        self._channels = channels
        self._type = _TYPES[sample_format]
        self._live = live
        self._now = now
        self._begin = 0
        self._read = 0
        self._rest = b""

    def _open(self) -> None:
        if self._stream is None:
            if sys.stdin is None or sys.stdin.closed:
                raise CaptureError("there is no standard input: pipe PCM into this program")
            if sys.stdin.isatty():
                raise CaptureError(
                    "standard input is a terminal: pipe PCM into this program, for instance "
                    f"arecord -t raw -f S16_LE -r {self._rate} -c {self._channels} | ..."
                )
            self._stream = sys.stdin.buffer
        self._begin = self._now()

    def _deliver(self, sink: Sink) -> bool:
        if self._stream is None:
            return False
        frame = self._type.itemsize * self._channels
        wanted = round(self._rate * _PIECE_SECONDS) * frame
        try:
            # What is there, not all that is wanted: a pipe must not be waited for needlessly.
            data = getattr(self._stream, "read1", self._stream.read)(wanted)
        except (OSError, ValueError) as error:
            raise CaptureError(f"standard input cannot be read: {error}") from error
        if not data:
            if self._rest:
                self._count(damaged=1)
            return False
        data = self._rest + data
        whole = len(data) // frame * frame
        self._rest = data[whole:]
        if whole == 0:
            return True
        samples = np.frombuffer(data[:whole], dtype=self._type).reshape(-1, self._channels)
        native = samples.astype(self._type.newbyteorder("="), copy=False)
        if self._live:
            age = len(native) * SAMPLE_RATE // self._rate
            self._push_audio(sink, native, self._now() - age, self._rate)
        else:
            self._push_when_there_is_room(sink, native)
        return True

    def _push_when_there_is_room(self, sink: Sink, samples: npt.NDArray[Any]) -> None:
        capture_time = self._begin + self._read * SAMPLE_RATE // self._rate
        self._read += len(samples)
        taken = False
        while not taken and not self._stopping.is_set():
            taken = sink.push_audio(samples, capture_time, self._rate, timeout=_ROOM_SECONDS)
        self._count(audio_samples=len(samples), audio_refused=0 if taken else 1)

    def _close(self) -> None:
        # The stream belongs to the caller, and standard input to the process.
        self._stream = None
