"""Pictures of faces in memory, and augmented batches of them that resume to the picture."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, Final, NamedTuple

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from edge_ser.errors import ConfigError
from edge_ser.export.data.items import DataSet, Item, content, content_hash
from edge_ser.export.data.picture_decoding import decoded_grey, scaled_face
from edge_ser.export.data.pictures import without_duplicates
from edge_ser.export.examples.picture_augmentation import PictureAugmentation, augment_picture

FACE_SIDE: Final = 112
HELD_OUT_SHARE: Final = 0.1


def face_parts(train: DataSet, test: DataSet) -> tuple[list[Item], list[Item], list[Item]]:
    """Pictures to train on, to choose on and to test on; equal pictures never on two sides.

    Args:
        train: the publisher's training part.
        test: the publisher's test part.

    Returns:
        Training and held-out pictures of `train`, parted by content hash, without duplicates and
        without what `test` also holds; and the distinct pictures of `test`.
    """
    tested = without_duplicates(test).items
    digests = {content_hash(item) for item in tested}
    kept: list[Item] = []
    held: list[Item] = []
    for item in without_duplicates(train).items:
        digest = content_hash(item)
        if digest not in digests:
            (held if int(digest[:8], 16) / 2**32 < HELD_OUT_SHARE else kept).append(item)
    return kept, held, list(tested)


class FaceBatch(NamedTuple):
    """`faces` float32 [B, 3, 112, 112] in 0..255 (three equal channels), `labels` int64 [B]."""

    faces: Tensor
    labels: Tensor


class FaceBatches:
    """Batches of grey faces, scaled to 112 x 112 as the runtime scales its crops.

    An iterable with a state: a run that stops goes on with the very batch that would have come
    next. What happens to a picture depends on (seed, epoch, its number) alone.

    Args:
        items: pictures with one label each.
        labels: names in the order of the numbers that batches give.
        batch_size: pictures a batch, at least 1.
        augmentation: what may happen to a picture; None for no shuffling and no change.
        erase: largest side of the grey square that is put over half of the augmented pictures, as
            a share of the picture's side; 0 for none.
        seed: of order and augmentation.
    """

    def __init__(
        self,
        items: Sequence[Item],
        labels: Sequence[str],
        *,
        batch_size: int,
        augmentation: PictureAugmentation | None = None,
        erase: float = 0.0,
        seed: int = 0,
    ) -> None:
        if not items or batch_size < 1:
            raise ConfigError("there is no picture to train on, or a batch of none was asked for")
        unknown = sorted({item.label for item in items} - set(labels))
        if unknown:
            raise ConfigError(f"pictures carry labels that are not trained: {', '.join(unknown)}")
        self._pictures = [decoded_grey(content(item), item.name) for item in items]
        self.labels = np.asarray([list(labels).index(item.label) for item in items], np.int64)
        self._batch_size = batch_size
        self._augmentation = augmentation
        self._erase = erase
        self._seed = seed
        self._epoch = 0
        self._position = 0  # where the next iteration starts
        self._reached = 0  # what the running iteration has given

    def __len__(self) -> int:
        """Batches an epoch."""
        return -(-len(self._pictures) // self._batch_size)

    def __iter__(self) -> Iterator[FaceBatch]:
        """One epoch, or what was left of it when the state was saved."""
        epoch, count = self._epoch, len(self._pictures)
        order = np.arange(count)
        if self._augmentation is not None:
            order = np.random.default_rng([self._seed, epoch]).permutation(count)
        start, self._position = self._position, 0
        for number in range(start, len(self)):
            last = number + 1 == len(self)
            self._epoch, self._reached = (epoch + 1, 0) if last else (epoch, number + 1)
            chosen = order[number * self._batch_size : (number + 1) * self._batch_size]
            faces = np.stack([self._face(int(i), epoch) for i in chosen])
            yield FaceBatch(
                torch.from_numpy(faces)[:, None].expand(-1, 3, -1, -1),
                torch.from_numpy(self.labels[chosen]),
            )

    def state_dict(self) -> dict[str, int]:
        """Where the iteration stands."""
        return {"epoch": self._epoch, "position": self._reached}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from where `state_dict` stood."""
        self._epoch = int(state["epoch"])
        self._position = self._reached = int(state["position"])

    def _face(self, index: int, epoch: int) -> npt.NDArray[np.float32]:
        face = scaled_face(self._pictures[index], FACE_SIDE)
        if self._augmentation is None:
            return face
        generator = np.random.default_rng([self._seed, epoch, index])
        face = augment_picture(face, self._augmentation, generator)
        return _erase(face, self._erase, generator)


def _erase(
    face: npt.NDArray[np.float32], largest: float, generator: np.random.Generator
) -> npt.NDArray[np.float32]:
    """Zhong et al., "Random Erasing Data Augmentation", 2020: a square of the mean grey."""
    side = int(generator.uniform(0.0, largest) * face.shape[0])
    if side < 2 or generator.random() < 0.5:
        return face
    top, left = generator.integers(0, face.shape[0] - side, 2)
    face[top : top + side, left : left + side] = face.mean()
    return face
