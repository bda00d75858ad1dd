"""An upright, square, equally large picture of a face: what the face encoder sees."""

from __future__ import annotations

from typing import Final

import numpy as np
import numpy.typing as npt

from edge_ser.frontends.faces import LEFT_EYE, RIGHT_EYE, Face
from edge_ser.media.clip import Picture

# Nearer to each other than this share of the box, the eyes are seen from the side: the line
# through them says nothing about how the head is tilted.
_EYES_TOO_NEAR: Final = 0.15

# The detector finds no face that is tilted more; a larger angle is an error of its keypoints.
_LARGEST_TILT: Final = np.pi / 3

# Luminance of RGB after ITU-R BT.601.
_LUMINANCE: Final = np.array([0.299, 0.587, 0.114], dtype=np.float32)


def crop_face(
    image: Picture, face: Face, size: int, margin: float, *, grey: bool = False
) -> npt.NDArray[np.float32]:
    """Cut a face out of a picture, turned so that its eyes are level.

    Args:
        image: uint8 [height, width, 3], RGB.
        face: where it is.
        size: side of the result in pixels.
        margin: border on each side as a share of the face's size.
        grey: whether all three channels hold the luminance.

    Returns:
        float32 [3, size, size], RGB, 0 to 255. Beyond the picture its border goes on.
    """
    import cv2

    left, top, width, height = face.box
    side = face.size * (1 + 2 * margin)
    tilt = head_tilt(face)
    picture = image
    centre = np.array([left + width / 2, top + height / 2])
    # Where many pixels become one, they are averaged first: a warp only looks at four of them.
    shrink = int(side // size)
    if shrink >= 2:
        picture, corner = _shrunk(image, centre, side, shrink)
        centre = (centre - corner) / shrink
        side /= shrink
    scale = size / side
    cos, sin = np.cos(tilt) * scale, np.sin(tilt) * scale
    # Pixel centres lie at whole numbers: the middle of the result is (size - 1) / 2.
    middle, at = (size - 1) / 2, centre - 0.5
    matrix = np.array(
        [
            [cos, sin, middle - cos * at[0] - sin * at[1]],
            [-sin, cos, middle + sin * at[0] - cos * at[1]],
        ]
    )
    method = cv2.INTER_LINEAR if scale <= 1 else cv2.INTER_CUBIC
    crop = cv2.warpAffine(
        picture, matrix, (size, size), flags=method, borderMode=cv2.BORDER_REPLICATE
    )
    channels: npt.NDArray[np.float32] = crop.transpose(2, 0, 1).astype(np.float32)
    if grey:
        channels = np.repeat(np.tensordot(_LUMINANCE, channels, axes=1)[None], 3, axis=0)
    return channels


def head_tilt(face: Face) -> float:
    """Angle in radians by which the line through the eyes falls to the right; 0 if unknown."""
    dx, dy = (float(v) for v in face.keypoints[LEFT_EYE] - face.keypoints[RIGHT_EYE])
    tilt = float(np.arctan2(dy, dx))
    if np.hypot(dx, dy) < _EYES_TOO_NEAR * face.size or abs(tilt) > _LARGEST_TILT:
        return 0.0
    return tilt


def luminance(image: Picture) -> float:
    """Mean brightness of a picture, 0 to 255 (every eighth row and column is looked at)."""
    mean = image[::8, ::8].reshape(-1, 3).mean(axis=0, dtype=np.float32)
    return float(mean @ _LUMINANCE)


def _shrunk(
    image: Picture, centre: npt.NDArray[np.float64], side: float, shrink: int
) -> tuple[Picture, npt.NDArray[np.float64]]:
    """Shrink the part around a face by a whole factor; gives it and its corner in the picture."""
    import cv2

    # The tilted square fits into a circle of its half diagonal.
    reach = side * 0.75
    height, width = image.shape[:2]
    x0, y0 = (int(max(0, c - reach)) for c in centre)
    x1, y1 = int(min(width, centre[0] + reach)), int(min(height, centre[1] + reach))
    # A face wholly beyond the border is damage of the detection; keep a pixel of the picture.
    x0, y0 = min(x0, width - 1), min(y0, height - 1)
    x1, y1 = max(x1, x0 + 1), max(y1, y0 + 1)
    small = (max(1, (x1 - x0) // shrink), max(1, (y1 - y0) // shrink))
    part = image[y0 : y0 + small[1] * shrink, x0 : x0 + small[0] * shrink]
    shrunk = cv2.resize(part, small, interpolation=cv2.INTER_AREA)
    return shrunk.astype(np.uint8, copy=False), np.array([x0, y0], dtype=np.float64)
