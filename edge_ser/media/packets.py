"""Reading one stream of a media file, counting what is damaged instead of stopping at it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from fractions import Fraction
from typing import TYPE_CHECKING, Any, Final

from edge_ser.constants import SAMPLE_RATE
from edge_ser.media.orientation import STILL_CODECS

if TYPE_CHECKING:
    from av.container import InputContainer


TICKS: Final = 705_600_000
"""Units a second in which presentation times are counted.

Every usual sample rate, picture rate and container clock divides it, so whole numbers are exact.
"""

TICKS_A_SAMPLE: Final = TICKS // SAMPLE_RATE


def in_ticks(time: int | None, time_base: Fraction | None) -> int | None:
    """Turn a time that is counted in units of `time_base` seconds into `TICKS` a second."""
    if time is None or time_base is None:
        return None
    return time * time_base.numerator * TICKS // time_base.denominator


# More packets than a decoder holds back on one thread before it gives the first frame of them.
_HELD_BACK: Final = 3


class PacketReader:
    """Gives the decoded frames of one stream; owns the container that it reads from.

    Every track has its own container: a file whose sound and pictures lie far apart would
    otherwise have to be buffered in memory. It is opened by the thread that reads it.
    """

    def __init__(self, open_stream: Callable[[], tuple[InputContainer, Any]]) -> None:
        self._open_stream = open_stream
        self._container: InputContainer | None = None
        self._stream: Any = None
        self._time_base: Fraction | None = None
        self._still = False
        self.still = b""
        """The last packet that was fed, where its codec's packets can hold EXIF."""
        self.damaged = 0
        self._fed = 0
        self._decoded = 0
        self.stopped_by: str | None = None

    def frames(self) -> Iterator[Any]:
        """Decode to the end of the stream, or to where the file cannot be read on."""
        import av

        container, stream = self._open_stream()
        self._container, self._stream = container, stream
        # The stream makes a new Fraction every time that it is asked.
        self._time_base = stream.time_base
        self._still = stream.codec_context.name in STILL_CODECS
        packets = container.demux(stream)
        corrupt = 0
        while True:
            try:
                packet = next(packets, None)
            except av.FFmpegError as error:
                self.stopped_by = error.strerror
                packet = None
            if packet is None or (packet.size == 0 and packet.dts is None):
                # The end: what the decoder still holds comes out.
                yield from self._decode(packet)
                return
            # The last packet may be short by right: recorders that pipe tell no length.
            self.damaged += corrupt
            corrupt = int(packet.is_corrupt)
            yield from self._decode(packet)

    def warnings(self, what: str) -> list[str]:
        """What was wrong with the stream so far; `what` names it."""
        told = []
        if self.damaged:
            told.append(f"{self.damaged} packets of the {what} are damaged: left out")
        if self.stopped_by is not None:
            told.append(f"the {what} cannot be read to its end ({self.stopped_by})")
        return told

    def time(self, frame: Any) -> int | None:
        """Presentation time of a decoded frame in `TICKS` a second of the file's clock."""
        return in_ticks(frame.pts, self._time_base)

    @property
    def left_out(self) -> bool:
        """Whether the decoder gave fewer frames than it can be holding back."""
        threads: int = self._stream.codec_context.thread_count
        return self._fed - self._decoded > _HELD_BACK + threads - 1

    def close(self) -> None:
        """Close the file; a second call does nothing."""
        if self._container is not None:
            self._container.close()

    def _decode(self, packet: Any) -> list[Any]:
        import av

        if self._still and packet is not None and packet.size:
            self.still = bytes(packet)
        try:
            frames: list[Any] = self._stream.codec_context.decode(packet)
        except av.FFmpegError:
            self.damaged += 1
            return []
        self._fed += 1
        self._decoded += len(frames)
        return frames
