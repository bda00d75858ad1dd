"""Augmentation of face pictures: mirror, shift, turn, zoom, light."""

from __future__ import annotations

import cv2
import numpy as np
import numpy.typing as npt
from pydantic import BaseModel, ConfigDict, Field

Picture = npt.NDArray[np.float32]


class PictureAugmentation(BaseModel):
    """Ranges from which every augmented copy draws."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    mirror_share: float = Field(default=0.5, ge=0, le=1)
    shift: float = Field(default=0.06, ge=0, lt=0.5)
    """Largest shift as a share of the side."""
    turn_degrees: float = Field(default=10.0, ge=0, le=45)
    zoom: tuple[float, float] = (0.88, 1.12)
    contrast: tuple[float, float] = (0.7, 1.3)
    brightness: float = Field(default=25.0, ge=0)


def augment_picture(
    picture: Picture, options: PictureAugmentation, generator: np.random.Generator
) -> Picture:
    """One augmented copy of a square picture.

    Args:
        picture: float32 [side, side] or [side, side, 3], 0 to 255.
        options: what may happen.
        generator: decides what does.

    Returns:
        float32 of the same shape, 0 to 255.
    """
    side = picture.shape[0]
    middle = ((side - 1) / 2, (side - 1) / 2)
    turn = generator.uniform(-options.turn_degrees, options.turn_degrees)
    matrix = cv2.getRotationMatrix2D(middle, turn, generator.uniform(*options.zoom))
    matrix[:, 2] += generator.uniform(-options.shift, options.shift, 2) * side
    out = cv2.warpAffine(
        picture, matrix, (side, side), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT_101
    )
    if generator.random() < options.mirror_share:
        out = out[:, ::-1]
    mean = float(out.mean())
    lit = (out - mean) * generator.uniform(*options.contrast) + mean
    lit = lit + generator.uniform(-options.brightness, options.brightness)
    return np.ascontiguousarray(np.clip(lit, 0.0, 255.0), np.float32)
