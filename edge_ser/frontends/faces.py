"""Faces in a picture: what the raw output of a BlazeFace-class detector means.

The anchors and the decoding follow V. Bazarevsky et al., "BlazeFace: Sub-millisecond Neural Face
Detection on Mobile GPUs", 2019 (short-range model: 128 x 128 pixels, 896 anchors, six keypoints).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, TypeAlias

import numpy as np
import numpy.typing as npt

from edge_ser.kernels import square_view
from edge_ser.media.clip import Picture
from edge_ser.runtime.session import FloatTensor, Session

DETECTOR_SIDE: Final = 128
"""Width and height in pixels of what the detector sees."""

# (pixels between anchor centres, anchors at each centre), in the order of the graph's rows.
_GRIDS: Final = ((8, 2), (16, 6))

# Detections that overlap more than this are the same face; the paper's blending.
_SAME_FACE: Final = 0.3

# Where squares overlap they see the same face, one of them perhaps only a part of it.
_SAME_PLACE: Final = 0.5

# Faces that fill at least this share of the view, with at least this score, are found reliably and
# placed well; smaller ones are missed from about an eighth on.
_CLEAR_SIZE: Final = 0.2
_CLEAR_SCORE: Final = 0.75

# Farther than any picture reaches, in pixels, the numbers of a face mean nothing.
_FARTHEST: Final = 1e9

# A square so many times larger than a face shows it clearly, also when it has moved.
_NEAR: Final = 4.0

Box: TypeAlias = tuple[float, float, float, float]
"""Left, top, width and height in pixels."""

View: TypeAlias = tuple[float, float, float]
"""A square of a picture, which may reach beyond its border: left, top and side in pixels."""


@dataclass(frozen=True, eq=False)
class Face:
    """One face, in pixels of the picture; parts of it may lie outside."""

    box: Box
    """Left, top, width, height."""
    keypoints: npt.NDArray[np.float32]
    """float32 [6, 2], x and y: right eye, left eye, nose tip, mouth, right ear, left ear.

    Right is the person's right: it lies on the left of a picture that is not mirrored.
    """
    score: float
    """How sure the detector is, 0 to 1."""
    view: View
    """What the detector saw it in."""

    @property
    def size(self) -> float:
        """Longer side of the box in pixels."""
        return max(self.box[2], self.box[3])


class FaceDetector:
    """Finds the faces of a picture, largest first.

    Thread contract: may be called from any thread, also at once.
    """

    def __init__(self, session: Session, minimum_score: float) -> None:
        self._session = session
        # sigmoid(x) >= s  <=>  x >= logit(s): only what is kept needs the exponential.
        self._minimum_logit = float(np.log(minimum_score / (1 - minimum_score)))

    def faces(self, image: Picture) -> list[Face]:
        """Give the faces in a picture, uint8 [height, width, 3], RGB.

        The picture is looked at as a whole. Where that shows no face, or only a doubtful or a small
        one, it is looked at again in overlapping squares, in which small faces are larger.

        Raises:
            EngineError: if the detector's graph fails.
        """
        height, width = image.shape[:2]
        whole = max(height, width)
        found = self._look(image, ((width - whole) / 2, (height - whole) / 2, whole))
        if not any(map(_clear, found)):
            near: list[Face] = []
            for view in _squares(width, height):
                near += self._look(image, view)
            near.sort(key=lambda f: f.score, reverse=True)
            # What was seen from near is placed better.
            found = distinct([*near, *found])
        found.sort(key=lambda f: f.box[2] * f.box[3], reverse=True)
        return found

    def face_again(self, image: Picture, before: Face) -> Face | None:
        """Look for a face that was alone in the picture before, only where it was seen.

        A face that was small there is looked at from near.

        Args:
            image: uint8 [height, width, 3], RGB, of the same size as the picture before.
            before: the face in the picture before.

        Returns:
            The face; None where it is lost, doubtful, near the border of what is looked at, or not
            alone: `faces` then tells more.

        Raises:
            EngineError: if the detector's graph fails.
        """
        found = self._look(image, before.view if _clear(before) else _around(before))
        if len(found) != 1 or overlap(found[0].box, before.box) < _SAME_FACE:
            return None
        face = found[0]
        return face if _clear(face) and _whole(face, *image.shape[:2]) else None

    def _look(self, image: Picture, view: View) -> list[Face]:
        """Give the faces in a square of the picture."""
        result = self._session.run({"image": square_view(image, *view)})
        return blend(
            decode(result["boxes"][0], result["scores"][0, :, 0], self._minimum_logit, view)
        )


def decode(
    boxes: FloatTensor,
    scores: FloatTensor,
    minimum_logit: float,
    view: View,
) -> list[Face]:
    """Turn raw detector rows into faces.

    Args:
        boxes: float32 [896, 16]: x, y, width, height, then six times x, y; offsets from the
            anchors in pixels of the detector's picture.
        scores: float32 [896], logits.
        minimum_logit: rows below are left out.
        view: where the detector's picture lies in the whole one.
    """
    left, top, side = view
    rows = np.flatnonzero(scores >= minimum_logit)
    scale = side / DETECTOR_SIDE
    corner = np.array([left, top], dtype=np.float32)
    faces = []
    for row in rows:
        points = boxes[row].reshape(8, 2)
        centre = (points[0] + _ANCHORS[row]) * scale + corner
        width, height = (float(v) * scale for v in points[1])
        keypoints = (points[2:] + _ANCHORS[row]) * scale + corner
        box = (float(centre[0]) - width / 2, float(centre[1]) - height / 2, width, height)
        placed = max(map(abs, box)) <= _FARTHEST and np.abs(keypoints).max() <= _FARTHEST
        if width > 0 and height > 0 and placed:
            score = float(1 / (1 + np.exp(-np.clip(np.float64(scores[row]), -80, 80))))
            faces.append(Face(box, keypoints.astype(np.float32), score, view))
    return faces


def blend(faces: list[Face]) -> list[Face]:
    """Join detections of the same face into one: their mean, weighted by score (as in BlazeFace).

    The detector answers with several boxes for a face; the mean trembles less from picture to
    picture than the best one.
    """
    waiting = sorted(faces, key=lambda f: f.score, reverse=True)
    blended = []
    while waiting:
        best = waiting[0]
        same = [f for f in waiting if f is best or overlap(best.box, f.box) > _SAME_FACE]
        waiting = [f for f in waiting if not any(f is s for s in same)]
        weights = np.array([f.score for f in same]) / sum(f.score for f in same)
        left, top, width, height = (float(v) for v in weights @ np.array([f.box for f in same]))
        keypoints = np.tensordot(weights, np.stack([f.keypoints for f in same]), axes=1)
        box = (left, top, width, height)
        blended.append(Face(box, keypoints.astype(np.float32), best.score, best.view))
    return blended


def distinct(faces: list[Face]) -> list[Face]:
    """Leave out faces that lie, by half of the smaller box, where an earlier one does."""
    kept: list[Face] = []
    for face in faces:
        smaller = [min(face.box[2] * face.box[3], k.box[2] * k.box[3]) for k in kept]
        shares = [shared(face.box, k.box) / s for k, s in zip(kept, smaller, strict=True)]
        if all(share <= _SAME_PLACE for share in shares):
            kept.append(face)
    return kept


def overlap(a: Box, b: Box) -> float:
    """Area that two boxes share over the area that they cover, 0 to 1."""
    both = shared(a, b)
    return both / (a[2] * a[3] + b[2] * b[3] - both)


def shared(a: Box, b: Box) -> float:
    """Area that two boxes share, in square pixels."""
    width = min(a[0] + a[2], b[0] + b[2]) - max(a[0], b[0])
    height = min(a[1] + a[3], b[1] + b[3]) - max(a[1], b[1])
    return max(width, 0.0) * max(height, 0.0)


def _clear(face: Face) -> bool:
    """Whether a face is found reliably and placed well in what it was seen in."""
    return face.size >= _CLEAR_SIZE * face.view[2] and face.score >= _CLEAR_SCORE


def _around(face: Face) -> View:
    left, top, width, height = face.box
    side = _NEAR * face.size
    return (left + (width - side) / 2, top + (height - side) / 2, side)


def _whole(face: Face, height: int, width: int) -> bool:
    """Whether a face lies in its view, but for where the picture of that size ends, too."""
    left, top, side = face.view
    return all(
        (start <= 0 or at >= start) and (start + side >= size or at + length <= start + side)
        for at, length, start, size in (
            (face.box[0], face.box[2], left, width),
            (face.box[1], face.box[3], top, height),
        )
    )


def _squares(width: int, height: int) -> list[View]:
    """Squares that cover a picture, half overlapping along its longer side."""
    side = min(width, height)
    count = int(np.ceil((max(width, height) - side) / (side / 2))) + 1
    if count == 1:
        # A square picture: four quarters, a little larger than a half each.
        side = round(side * 0.6)
        return [(x, y, side) for x in (0, width - side) for y in (0, height - side)]
    steps = np.linspace(0, max(width, height) - side, min(count, _MOST_SQUARES))
    return [(float(s), 0.0, side) if width > height else (0.0, float(s), side) for s in steps]


# A panorama must not cost more than a few looks.
_MOST_SQUARES: Final = 6


def _anchors() -> npt.NDArray[np.float32]:
    """Centres of the 896 anchors, float32 [896, 2], x and y in the detector's pixels."""
    centres = []
    for stride, repeat in _GRIDS:
        line = (np.arange(DETECTOR_SIDE // stride) + 0.5) * stride
        y, x = np.meshgrid(line, line, indexing="ij")
        centres.append(np.repeat(np.stack([x, y], axis=-1).reshape(-1, 2), repeat, axis=0))
    return np.concatenate(centres).astype(np.float32)


_ANCHORS: Final = _anchors()
