"""Pictures of a set: decoded, and brought to the face encoder's size."""

from __future__ import annotations

import cv2
import numpy as np
import numpy.typing as npt

from edge_ser.errors import MediaError
from edge_ser.media.clip import Picture


def decoded_grey(data: bytes, name: str) -> npt.NDArray[np.uint8]:
    """Decode a picture to uint8 [height, width], luminance.

    Raises:
        MediaError: if it cannot be decoded.
    """
    return _decoded(data, name, cv2.IMREAD_GRAYSCALE)


def decoded_rgb(data: bytes, name: str) -> Picture:
    """Decode a picture to uint8 [height, width, 3], RGB.

    Raises:
        MediaError: if it cannot be decoded.
    """
    return np.asarray(cv2.cvtColor(_decoded(data, name, cv2.IMREAD_COLOR), cv2.COLOR_BGR2RGB))


def _decoded(data: bytes, name: str, kind: int) -> npt.NDArray[np.uint8]:
    decoded = cv2.imdecode(np.frombuffer(data, np.uint8), kind)
    if decoded is None:
        raise MediaError(f"{name} is no picture that can be decoded")
    return np.asarray(decoded, np.uint8)


def scaled_face(picture: npt.NDArray[np.uint8], side: int) -> npt.NDArray[np.float32]:
    """Scale a picture that is a face, cut close, to float32 [side, side] or [side, side, 3]."""
    method = cv2.INTER_CUBIC if max(picture.shape[:2]) < side else cv2.INTER_AREA
    return np.asarray(cv2.resize(picture, (side, side), interpolation=method), np.float32)
