"""The sound of a media file on the clip's clock: mono, 16 kHz, gaps filled with silence."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from edge_ser.constants import SAMPLE_RATE
from edge_ser.media.channels import Channel, Downmix
from edge_ser.media.clip import Samples
from edge_ser.media.packets import TICKS, TICKS_A_SAMPLE, PacketReader
from edge_ser.media.samples import resampler_from

if TYPE_CHECKING:
    from av import AudioFrame

    from edge_ser.kernels import Resampler


# Containers round times, some to a millisecond; a lost packet of any codec is 10 ms or longer.
_TOLERANCE = TICKS // 100

# A jump this long is a broken clock (a cut, a counter that wrapped), not a missing piece.
_LONGEST_GAP = 600 * TICKS
_LONGEST_OVERLAP = TICKS

# Decoded sound is collected to this length before anything is done with it.
_BLOCK_SECONDS = 0.1


class FileAudioTrack:
    """Decodes, downmixes and resamples the sound of an open file."""

    def __init__(self, packets: PacketReader, origin: int, channel: Channel = "mix") -> None:
        self.downmix = Downmix(channel)
        self._packets = packets
        self._blocks = _joined(packets)
        self._origin = origin
        self._shift = 0
        self._position = 0
        self._ready: deque[Samples] = deque()
        self._ready_end = 0
        self._silences: deque[tuple[int, int]] = deque()
        self._piece: _Piece | None = None
        self._ended = False
        self.gaps = 0
        self.gap_ticks = 0
        self.first_gap = 0
        self.clock_jumps = 0
        self.broken_samples = 0

    @property
    def end(self) -> int | None:
        """Time at which the sound ends; None while that is not known."""
        return self._ready_end if self._ended else None

    def read(self, stop: int) -> tuple[Samples, bool]:
        """Give the samples from the last read up to `stop`, and whether any was recorded."""
        while self._ready_end < stop and not self._ended:
            block = next(self._blocks, None)
            if block is None:
                self._finish_piece()
                self._ended = True
            else:
                self._add(block)
        start, stop = self._position, max(self._position, min(stop, self._ready_end))
        self._position = stop
        return self._take(stop - start), self._recorded(start, stop)

    def warnings(self) -> list[str]:
        """What was wrong with the sound so far."""
        told = self._packets.warnings("sound")
        if self.gaps:
            told.append(
                f"the sound is interrupted {self.gaps} times (first at "
                f"{self.first_gap / TICKS:.2f} s, {self.gap_ticks / TICKS:.2f} s in all): "
                "filled with silence"
            )
        if self.clock_jumps:
            told.append(
                f"the clock of the sound jumps {self.clock_jumps} times: taken as continuous"
            )
        if self.broken_samples:
            told.append(
                f"{self.broken_samples} samples of the sound are not numbers: taken as silence"
            )
        return told

    def close(self) -> None:
        """Let go of the file."""
        self._packets.close()

    def _add(self, block: _Block) -> None:
        mono = self.downmix.accept(np.concatenate(block.values), block.channels)
        broken = ~np.isfinite(mono)
        if broken.any():
            self.broken_samples += int(np.count_nonzero(broken))
            mono[broken] = 0.0
        piece = self._piece
        if piece is not None and piece.rate != block.rate:
            self._finish_piece()
            piece = None
        time = None if block.time is None else block.time + self._shift - self._origin
        if piece is None:
            piece, mono = self._begin_piece(time, block.rate, mono)
        elif time is not None:
            mono = self._mend(time, piece, mono)
        self._append(piece.add(mono))

    def _begin_piece(
        self, time: int | None, rate: int, mono: npt.NDArray[np.float32]
    ) -> tuple[_Piece, npt.NDArray[np.float32]]:
        """Start at `time`: silence is put before it, or what lies before the last piece cut off."""
        now = self._ready_end * TICKS_A_SAMPLE
        if time is None:
            time = now
        elif abs(time - now) > _LONGEST_GAP:
            self._jump(now - time)
            time = now
        missing = round((time - now) / TICKS_A_SAMPLE)
        if missing > 0:
            self._silences.append((self._ready_end, self._ready_end + missing))
            if self._ready_end > 0:
                self._tell_gap(now, time - now)
            self._append(np.zeros(missing, dtype=np.float32))
        elif missing < 0:
            mono = mono[(now - time) * rate // TICKS :]
        self._piece = _Piece(rate, self._ready_end)
        return self._piece, mono

    def _mend(
        self, time: int, piece: _Piece, mono: npt.NDArray[np.float32]
    ) -> npt.NDArray[np.float32]:
        """Fill in what is missing before `time`, drop what was there already."""
        now = piece.time
        late = time - now
        if abs(late) <= _TOLERANCE:
            return mono
        if not -_LONGEST_OVERLAP <= late <= _LONGEST_GAP:
            self._jump(-late)
            return mono
        count = round(late * piece.rate / TICKS)
        if count < 0:
            return mono[-count:]
        self._tell_gap(now, late)
        self._silences.append((now // TICKS_A_SAMPLE, time // TICKS_A_SAMPLE))
        # In pieces, because a gap may be minutes long.
        for done in range(0, count, piece.rate):
            self._append(piece.add(np.zeros(min(piece.rate, count - done), dtype=np.float32)))
        return mono

    def _jump(self, shift: int) -> None:
        self.clock_jumps += 1
        self._shift += shift

    def _tell_gap(self, at: int, length: int) -> None:
        if self.gaps == 0:
            self.first_gap = at
        self.gaps += 1
        self.gap_ticks += length

    def _finish_piece(self) -> None:
        if self._piece is not None:
            self._append(self._piece.finish())
            self._piece = None

    def _append(self, samples: Samples) -> None:
        if len(samples):
            self._ready.append(samples)
            self._ready_end += len(samples)

    def _take(self, count: int) -> Samples:
        taken: list[Samples] = []
        while count > 0:
            samples = self._ready.popleft()
            if len(samples) > count:
                self._ready.appendleft(samples[count:])
                samples = samples[:count]
            taken.append(samples)
            count -= len(samples)
        return np.concatenate(taken) if taken else np.zeros(0, dtype=np.float32)

    def _recorded(self, start: int, stop: int) -> bool:
        recorded = stop - start
        for begin, end in self._silences:
            recorded -= max(0, min(end, stop) - max(begin, start))
        while self._silences and self._silences[0][1] <= stop:
            self._silences.popleft()
        return recorded > 0


class _Piece:
    """A stretch of sound of one sample rate on its way to 16 kHz."""

    def __init__(self, rate: int, start: int) -> None:
        self.rate = rate
        self._start = start
        self._fed = 0
        self._resampler: Resampler | None = None
        if rate != SAMPLE_RATE:
            self._resampler = resampler_from(rate)

    @property
    def time(self) -> int:
        """Where the next sample belongs, in `TICKS` since the clip's start."""
        return self._start * TICKS_A_SAMPLE + self._fed * TICKS // self.rate

    def add(self, mono: npt.NDArray[np.float32]) -> Samples:
        """Take samples at the piece's rate; give those at 16 kHz that are settled."""
        self._fed += len(mono)
        return mono if self._resampler is None else self._resampler.accept(mono)

    def finish(self) -> Samples:
        """Give the samples at 16 kHz that are left."""
        if self._resampler is None:
            return np.zeros(0, dtype=np.float32)
        return self._resampler.finish()


class _Block:
    """Decoded frames of one form that follow on each other."""

    def __init__(self, frame: AudioFrame, time: int | None) -> None:
        self.time = time
        """When the first is heard, in `TICKS` of the file's clock; None if that is not told."""
        self.rate = frame.sample_rate
        self.channels = _channel_names(frame)
        self.values = [_by_channel(frame)]
        self.count = frame.samples
        self._form = (frame.format.name, frame.layout.name)

    def take(self, frame: AudioFrame, time: int | None) -> bool:
        """Add a frame, if it follows on."""
        if frame.sample_rate != self.rate or (frame.format.name, frame.layout.name) != self._form:
            return False
        if time is not None:
            if self.time is None:
                return False
            late = time - self.time - self.count * TICKS // self.rate
            if abs(late) > _TOLERANCE:
                return False
        self.values.append(_by_channel(frame))
        self.count += frame.samples
        return True


def _joined(packets: PacketReader) -> Iterator[_Block]:
    block: _Block | None = None
    for frame in packets.frames():
        time = packets.time(frame)
        if block is None or not block.take(frame, time):
            if block is not None:
                yield block
            block = _Block(frame, time)
        if block.count >= block.rate * _BLOCK_SECONDS:
            yield block
            block = None
    if block is not None:
        yield block


def frame_to_mono(frame: AudioFrame, downmix: Downmix) -> Samples:
    """Give the samples of a decoded frame as mono float32 [n], full scale 1."""
    return downmix.accept(_by_channel(frame), _channel_names(frame))


def _channel_names(frame: AudioFrame) -> list[str]:
    return [channel.name for channel in frame.layout.channels]


def _by_channel(frame: AudioFrame) -> npt.NDArray[Any]:
    """Samples [n, channels]."""
    values = frame.to_ndarray()
    return values.T if frame.format.is_planar else values.reshape(-1, frame.layout.nb_channels)
