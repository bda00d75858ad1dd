"""Reading one stream of a media file, counting what is damaged instead of stopping at it."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from av.container import InputContainer


class PacketReader:
    """Gives the decoded frames of one stream; owns the container that it reads from.

    Every track has its own container: a file whose sound and pictures lie far apart would
    otherwise have to be buffered in memory.
    """

    def __init__(self, container: InputContainer, stream: Any) -> None:
        self._container = container
        self._stream = stream
        self.damaged = 0
        self.decoded = 0
        self.stopped_by: str | None = None

    def frames(self) -> Iterator[Any]:
        """Decode to the end of the stream, or to where the file cannot be read on."""
        import av

        packets = self._container.demux(self._stream)
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
            if packet.is_corrupt:
                self.damaged += 1
            yield from self._decode(packet)

    def warnings(self, what: str) -> list[str]:
        """What was wrong with the stream so far; `what` names it."""
        told = []
        if self.damaged:
            told.append(f"{self.damaged} packets of the {what} are damaged: left out")
        if self.stopped_by is not None:
            told.append(f"the {what} cannot be read to its end ({self.stopped_by})")
        return told

    @property
    def declared_end(self) -> Fraction | None:
        """Where the stream ends by its own account, in seconds of its own clock."""
        stream = self._stream
        if not stream.duration or stream.time_base is None:
            return None
        return Fraction((stream.start_time or 0) + stream.duration) * stream.time_base

    def seconds(self, ticks: int | None) -> Fraction | None:
        """Turn a presentation time of the stream into seconds."""
        time_base = self._stream.time_base
        return None if ticks is None or time_base is None else Fraction(ticks * time_base)

    def close(self) -> None:
        """Close the file; a second call does nothing."""
        self._container.close()

    def _decode(self, packet: Any) -> list[Any]:
        import av

        try:
            frames: list[Any] = self._stream.codec_context.decode(packet)
        except av.FFmpegError:
            self.damaged += 1
            return []
        self.decoded += len(frames)
        return frames
