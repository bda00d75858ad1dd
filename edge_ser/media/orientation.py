"""Which way up a picture is: eight orientations, told by EXIF, by a display matrix or by the user.

They are numbered as EXIF does it (CIPA DC-008, tag 0x0112): 1 upright, 2 mirrored, 3 upside down, 4
upside down and mirrored, 5 and 7 mirrored and on a side, 6 and 8 on a side.
"""

from __future__ import annotations

import struct
from typing import Any, Final, cast

import numpy as np

from edge_ser.errors import MediaError
from edge_ser.media.clip import Picture

UPRIGHT: Final = 1
STILL_CODECS: Final = frozenset({"mjpeg", "png", "apng", "webp"})
"""Codecs whose packets can hold EXIF."""

_MIRRORED_TURNS: Final = {
    1: (False, 0),
    2: (True, 0),
    3: (False, 2),
    4: (True, 2),
    5: (True, 1),
    6: (False, 3),
    7: (True, 3),
    8: (False, 1),
}
"""What brings a picture upright: whether left and right change places, then quarter turns against
the clock."""
_OF_MATRIX: Final = {
    (1, 0, 0, 1): 1,
    (-1, 0, 0, 1): 2,
    (-1, 0, 0, -1): 3,
    (1, 0, 0, -1): 4,
    (0, 1, 1, 0): 5,
    (0, 1, -1, 0): 6,
    (0, -1, -1, 0): 7,
    (0, -1, 1, 0): 8,
}
"""Signs of a, b, c, d of a display matrix: x' = ax + cy, y' = bx + dy (ISO/IEC 14496-12, 6.2.2)."""
_OF_TURNS: Final = {0: 1, 1: 8, 2: 3, 3: 6}
_TAG: Final = 0x0112


def check_orientation(orientation: int) -> int:
    """The orientation, if it is one.

    Raises:
        MediaError: if it is no whole number from 1 to 8.
    """
    whole = isinstance(orientation, (int, np.integer)) and not isinstance(orientation, bool)
    if not whole or orientation not in _MIRRORED_TURNS:
        raise MediaError(
            f"an orientation is a whole number from 1 (upright) to 8, as in EXIF, not "
            f"{orientation!r}"
        )
    return int(orientation)


def upright(picture: Picture, orientation: int) -> Picture:
    """Turn a picture, uint8 [height, width, 3], so that it is upright."""
    mirrored, turns = _MIRRORED_TURNS[orientation]
    turned = np.rot90(picture[:, ::-1] if mirrored else picture, turns)
    return cast(Picture, np.ascontiguousarray(turned))


def orientation_of(decoded: Any, packet: bytes = b"") -> int:
    """The orientation that a decoded frame, or the packet that it came in, tells.

    Args:
        decoded: PyAV's frame.
        packet: of one of `STILL_CODECS`, whose EXIF goes before what the decoder makes of it:
            decoders differ in whether they read it, and lose that it mirrors.
    """
    told = exif_orientation(packet)
    if told is not None:
        return told
    try:
        matrix = next((s for s in decoded.side_data if s.type.name == "DISPLAYMATRIX"), None)
    except ValueError:
        # PyAV does not know a kind of side data of a newer FFmpeg.
        matrix = None
    if matrix is None:
        return _OF_TURNS[round(decoded.rotation / 90) % 4]
    a, b, _, c, d = struct.unpack("=5i", bytes(matrix)[:20])
    # Small angles beside a quarter turn are not turned back.
    straight = abs(a) + abs(d) >= abs(b) + abs(c)
    return _OF_MATRIX.get(
        (_sign(a), 0, 0, _sign(d)) if straight else (0, _sign(b), _sign(c), 0), UPRIGHT
    )


def _sign(value: int) -> int:
    return (value > 0) - (value < 0)


def exif_orientation(still: bytes) -> int | None:
    """The orientation in the EXIF of a JPEG, PNG or WebP; None where there is none."""
    tiff = _tiff(still)
    try:
        order = {b"II": "<", b"MM": ">"}[tiff[:2]]
        (first,) = struct.unpack_from(order + "I", tiff, 4)
        (entries,) = struct.unpack_from(order + "H", tiff, first)
        for number in range(entries):
            tag, _, _, value = struct.unpack_from(order + "HHIH", tiff, first + 2 + 12 * number)
            if tag == _TAG:
                return value if value in _MIRRORED_TURNS else None
    except (KeyError, struct.error):
        pass
    return None


def _tiff(still: bytes) -> bytes:
    """The block of tags in a still, empty where there is none or the still is damaged."""
    try:
        if still[:2] == b"\xff\xd8":
            return _jpeg_tiff(still)
        if still[:8] == b"\x89PNG\r\n\x1a\n":
            return _chunk(still, 8, b"eXIf", ">I", kind_first=False)
        if still[:4] == b"RIFF" and still[8:12] == b"WEBP":
            tiff = _chunk(still, 12, b"EXIF", "<I", kind_first=True)
            return tiff[6:] if tiff[:6] == b"Exif\0\0" else tiff
    except struct.error:
        pass
    return b""


def _jpeg_tiff(still: bytes) -> bytes:
    at = 2
    while still[at : at + 1] == b"\xff":
        marker, length = struct.unpack_from(">BH", still, at + 1)
        if marker == 0xE1 and still[at + 4 : at + 10] == b"Exif\0\0":
            return still[at + 10 : at + 2 + length]
        if marker == 0xDA or length < 2:
            break
        at += 2 + length
    return b""


def _chunk(still: bytes, at: int, wanted: bytes, size: str, *, kind_first: bool) -> bytes:
    while at + 8 <= len(still):
        kind = still[at : at + 4] if kind_first else still[at + 4 : at + 8]
        (length,) = struct.unpack_from(size, still, at + 4 if kind_first else at)
        if kind == wanted:
            return still[at + 8 : at + 8 + length]
        # RIFF pads to even lengths, PNG ends each chunk with a checksum.
        at += 8 + length + (length % 2 if kind_first else 4)
    return b""
