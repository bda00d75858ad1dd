"""A face as the encoder wants it, and the generator of one item's randomness."""

from __future__ import annotations

import hashlib
from typing import Final

import numpy as np
import numpy.typing as npt

from edge_ser.export.data.items import Item, content
from edge_ser.export.data.picture_decoding import decoded_grey, scaled_face
from edge_ser.export.examples.picture_augmentation import PictureAugmentation, augment_picture

FACE_SIDE: Final = 112


def face_picture(
    item: Item, options: PictureAugmentation | None, number: int
) -> npt.NDArray[np.float32]:
    """A picture of a face as the face encoder takes it: float32 [3, 112, 112], grey, 0 to 255.

    Args:
        item: a picture.
        options: what may happen to it; None leaves it as it is.
        number: of the augmented copy.

    Raises:
        MediaError: if it cannot be decoded.
    """
    picture = grey_picture(content(item), item.name)
    if options is not None:
        picture = augment_picture(picture, options, item_generator(item.name, number))
    return np.repeat(picture[None], 3, axis=0)


def grey_picture(data: bytes, name: str) -> npt.NDArray[np.float32]:
    """Decode a picture to grey, 112 x 112: float32 [112, 112], 0 to 255.

    Raises:
        MediaError: if it cannot be decoded.
    """
    return scaled_face(decoded_grey(data, name), FACE_SIDE)


def item_generator(name: str, number: int) -> np.random.Generator:
    """What decides the augmented copy `number` of an item, whenever it is made."""
    seed = int.from_bytes(hashlib.sha256(f"{name}|{number}".encode()).digest()[:8], "big")
    return np.random.default_rng(seed)
