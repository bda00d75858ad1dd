"""What goes over the WebSocket of a conversation: forms, sizes, ranges.

A client sends `Start` first, as text. Then, as often as it likes: `Words` as text; sound and
pictures as binary messages of a byte that tells the kind (`SOUND`, `PICTURE`), the capture time (8
bytes, signed, little-endian, in 16 kHz samples on any steady clock of the client's), and either
mono 16-bit little-endian samples or a JPEG picture; at last `End`.
"""

from __future__ import annotations

import struct
from typing import Annotated, Final, Literal

import cv2
import numpy as np
import numpy.typing as npt
from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from edge_ser.errors import MediaError
from edge_ser.media.clip import Picture
from edge_ser.recognizer import DEFAULT_HOP, DEFAULT_WINDOW
from edge_ser.streaming.smoothing import Smoothing

SOUND: Final = ord("A")
PICTURE: Final = ord("V")
LARGEST_SIDE: Final = 4096
"""Pixels; a small message may unpack to gigabytes."""

_HEAD: Final = struct.Struct("<Bq")
_PLAUSIBLE: Final = 2**53
"""What a number of JavaScript can hold exactly."""


class _Message(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


class Start(_Message):
    """Begins a conversation."""

    type: Literal["start"]
    consent: bool
    """Whether everybody who is heard or seen agreed; without it nothing is begun."""
    sample_rate: int = Field(16000, ge=8000, le=192000)
    """Of the sound that follows, in Hz."""
    window: float = Field(DEFAULT_WINDOW, gt=0, le=60)
    """Seconds that a decision looks at."""
    hop: float = Field(DEFAULT_HOP, ge=0.05, le=60)
    """Seconds between decisions."""
    smoothing: Smoothing = "light"
    speech_gate: bool = True
    """Whether sound in which nobody speaks counts as absent."""


class Words(_Message):
    """Words that were said from `start` to `end`, in 16 kHz samples on the client's clock."""

    type: Literal["words"]
    text: str = Field(max_length=2000)
    start: int = Field(ge=-_PLAUSIBLE, le=_PLAUSIBLE)
    end: int = Field(ge=-_PLAUSIBLE, le=_PLAUSIBLE)
    final: bool = True
    """False for a guess that whatever is sent next replaces."""


class End(_Message):
    """Ends a conversation: what waits is still decided, and the last decision comes."""

    type: Literal["end"]


_READER: Final[TypeAdapter[Start | Words | End]] = TypeAdapter(
    Annotated[Start | Words | End, Field(discriminator="type")]
)


def read_text(text: str) -> Start | Words | End:
    """Read a text message.

    Raises:
        MediaError: if it is none of those above; it says what is wrong, not what was said.
    """
    try:
        return _READER.validate_json(text)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False, include_context=False)[0]
        where = ".".join(map(str, first["loc"]))
        raise MediaError(f"a message cannot be used: {where} {first['msg']}".strip()) from None


def read_binary(data: bytes) -> tuple[int, int, memoryview]:
    """Take a binary message apart: kind, capture time, content.

    Raises:
        MediaError: if it is too short, of no known kind, or its time is none.
    """
    if len(data) <= _HEAD.size:
        raise MediaError(f"a binary message must be longer than its head of {_HEAD.size} bytes")
    kind, time = _HEAD.unpack_from(data)
    if kind not in (SOUND, PICTURE):
        raise MediaError(f"a binary message begins with {SOUND} or {PICTURE}, not {kind}")
    if abs(time) > _PLAUSIBLE:
        raise MediaError("the capture time of a message is beyond 2 ** 53 samples")
    return kind, time, memoryview(data)[_HEAD.size :]


def read_samples(content: memoryview) -> npt.NDArray[np.int16]:
    """Give the samples of a message.

    Raises:
        MediaError: if they are no whole number.
    """
    if len(content) % 2:
        raise MediaError("sound must be 16-bit samples: the message has an odd number of bytes")
    return np.frombuffer(content, "<i2")


def read_picture(content: memoryview) -> Picture:
    """Decode a JPEG picture, upright.

    Returns:
        uint8 [height, width, 3], RGB.

    Raises:
        MediaError: if it is none, is damaged, or is larger than `LARGEST_SIDE`.
    """
    height, width = _jpeg_size(content)
    if not (0 < height <= LARGEST_SIDE and 0 < width <= LARGEST_SIDE):
        raise MediaError(
            f"a picture has at most {LARGEST_SIDE} pixels a side, not {width}x{height}"
        )
    decoded = cv2.imdecode(np.frombuffer(content, np.uint8), cv2.IMREAD_COLOR)
    if decoded is None:
        raise MediaError("a picture cannot be decoded: it is damaged")
    return cv2.cvtColor(decoded, cv2.COLOR_BGR2RGB).astype(np.uint8, copy=False)


def _jpeg_size(content: memoryview) -> tuple[int, int]:
    """Height and width that the frame header tells (ITU-T T.81, B.2.2), before any decoding."""
    position = 2
    if bytes(content[:2]) == b"\xff\xd8":
        while position + 9 <= len(content) and content[position] == 0xFF:
            marker, length = (
                content[position + 1],
                int.from_bytes(content[position + 2 :][:2], "big"),
            )
            if 0xC0 <= marker <= 0xCF and marker not in (0xC4, 0xC8, 0xCC):
                size = content[position + 5 : position + 9]
                return int.from_bytes(size[:2], "big"), int.from_bytes(size[2:], "big")
            position += 2 + length
    raise MediaError("a picture must be a JPEG")
