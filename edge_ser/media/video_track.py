"""The pictures of a media file on the clip's clock: sampled, upright, not larger than needed."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import TYPE_CHECKING, Any

import numpy as np

from edge_ser.constants import SAMPLE_RATE
from edge_ser.media.clip import Picture, PictureSampler, VideoFrame
from edge_ser.media.orientation import UPRIGHT, orientation_of, upright
from edge_ser.media.packets import TICKS_A_SAMPLE, PacketReader

if TYPE_CHECKING:
    from av import VideoFrame as DecodedPicture

# As for sound: a jump this long is a broken clock.
_LONGEST_GAP = 600 * SAMPLE_RATE
_LONGEST_STEP_BACK = SAMPLE_RATE

_HALF_A_SAMPLE = TICKS_A_SAMPLE // 2


@dataclass(frozen=True)
class Decoding:
    """How fast pictures are decoded, and how carefully."""

    threads: int
    every_picture: bool
    """Whether those are decoded, too, that no other refers to."""


class FileVideoTrack:
    """Decodes the pictures of an open file; converts to RGB only those that are sampled."""

    def __init__(
        self,
        open_packets: Callable[[Decoding], PacketReader],
        decoding: Decoding,
        origin: int,
        sampler: PictureSampler,
        *,
        maximum_side: int,
        period: int,
        pixel_aspect: Fraction,
    ) -> None:
        """Begin to read.

        Args:
            open_packets: opens the file.
            decoding: how it is decoded at first. Where pictures are left out that are asked for,
                it is read again with every picture; where some are damaged, on one thread, since
                what else was in the works is lost with them otherwise.
            origin: the clip's start in `TICKS` of the file's clock.
            sampler: chooses pictures.
            maximum_side: pixels of the longer side to which pictures are shrunk.
            period: 16 kHz samples that a picture is shown.
            pixel_aspect: width of a pixel over its height.
        """
        self._open_packets = open_packets
        self._decoding = decoding
        self._packets = open_packets(decoding)
        self._given = -1
        self._frames: Iterator[Any] = self._packets.frames()
        self._origin = origin
        self._sampler = sampler
        self._maximum_side = maximum_side
        self._pixel_aspect = pixel_aspect
        self._period = max(1, period)
        self._shift = 0
        self._last: int | None = None
        self._end = 0
        self._waiting: tuple[DecodedPicture, int] | None = None
        self._ended = False
        self.clock_jumps = 0

    @property
    def end(self) -> int | None:
        """Time at which the last picture ends; None while that is not known."""
        return self._end if self._ended else None

    def read(self, stop: int) -> Iterator[VideoFrame]:
        """Give the sampled pictures from the last read up to `stop`, each once it is decoded."""
        while not self._ended:
            decoded, time = self._waiting or self._next()
            self._waiting = None
            if decoded is None:
                self._ended = True
            elif time >= stop:
                self._waiting = decoded, time
                return
            elif self._sampler.wants(time):
                turned = orientation_of(decoded, self._packets.still)
                image = upright_rgb(decoded, self._maximum_side, self._pixel_aspect, turned)
                yield VideoFrame(image, time)

    def warnings(self) -> list[str]:
        """What was wrong with the pictures so far."""
        told = self._packets.warnings("pictures")
        if self.clock_jumps:
            told.append(
                f"the clock of the pictures jumps {self.clock_jumps} times: taken as continuous"
            )
        return told

    def close(self) -> None:
        """Let go of the file."""
        self._waiting = None
        self._packets.close()

    def _next(self) -> tuple[DecodedPicture | None, int]:
        while True:
            decoded = next(self._frames, None)
            if self._packets.damaged and self._decoding.threads > 1:
                self._begin_again(replace(self._decoding, threads=1))
                continue
            if decoded is None:
                return None, self._end
            time = self._place(decoded)
            if time is None:
                continue
            if not self._decoding.every_picture and self._misses_pictures(time):
                self._begin_again(replace(self._decoding, every_picture=True))
                continue
            self._last = time
            self._end = time + self._period
            if time > self._given:
                self._given = time
                return decoded, time

    def _misses_pictures(self, time: int) -> bool:
        """Whether pictures were left out for longer than samples lie apart."""
        apart = SAMPLE_RATE / self._sampler.frames_per_second
        left_out = self._packets.left_out
        return left_out and self._last is not None and time - self._last > apart

    def _begin_again(self, decoding: Decoding) -> None:
        """Read from the beginning; what was given is not given again."""
        self._packets.close()
        self._decoding, self._packets = decoding, self._open_packets(decoding)
        self._frames = self._packets.frames()
        self._shift, self._last, self._end, self.clock_jumps = 0, None, 0, 0

    def _place(self, decoded: DecodedPicture) -> int | None:
        """Time of a picture; None for one that lies before the clip or its predecessor."""
        ticks = self._packets.time(decoded)
        if ticks is None:
            return self._end
        time = (ticks - self._origin + _HALF_A_SAMPLE) // TICKS_A_SAMPLE + self._shift
        step = time - self._end
        if step > _LONGEST_GAP or step < -_LONGEST_STEP_BACK - self._period:
            self.clock_jumps += 1
            self._shift -= step
            time = self._end
        if time < 0 or (self._last is not None and time <= self._last):
            return None
        return time


def upright_rgb(
    decoded: DecodedPicture,
    maximum_side: int,
    pixel_aspect: Fraction = Fraction(1),
    orientation: int = UPRIGHT,
) -> Picture:
    """Convert a decoded picture to RGB, uint8 [height, width, 3].

    Its pixels are made square, it is brought upright, and its longer side is shrunk to
    `maximum_side` where it is longer.

    Args:
        decoded: the picture as the decoder gave it.
        maximum_side: longest side of the result in pixels.
        pixel_aspect: width of a pixel over its height.
        orientation: see `edge_ser.media.orientation`.
    """
    width, height = float(decoded.width * pixel_aspect), float(decoded.height)
    shrink = min(1.0, maximum_side / max(width, height))
    size = max(1, round(width * shrink)), max(1, round(height * shrink))
    if size == (decoded.width, decoded.height):
        image = decoded.to_ndarray(format="rgb24")
    else:
        method = "AREA" if shrink < 1.0 else "BICUBIC"
        image = decoded.reformat(*size, format="rgb24", interpolation=method).to_ndarray()
    return upright(np.asarray(image, np.uint8), orientation)


def believable_aspect(aspect: Fraction | None) -> Fraction:
    """Width of a pixel over its height as a file tells it; 1 where that cannot be."""
    if not aspect or not Fraction(1, 4) < aspect < 4:
        return Fraction(1)
    return Fraction(aspect)
