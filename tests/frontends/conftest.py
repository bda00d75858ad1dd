"""A detector whose faces are red rectangles, and pictures of them: every position is known."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import cv2
import numpy as np
import pytest

from edge_ser.bundles.schema import TensorSpec

# Where the six keypoints lie in a face, as shares of its box.
KEYPOINTS = np.array([(0.3, 0.4), (0.7, 0.4), (0.5, 0.6), (0.5, 0.8), (0.0, 0.5), (1.0, 0.5)])


class RedDetector:
    """Answers like a BlazeFace, for red rectangles of at least five by five pixels."""

    backend = "test"
    inputs: Mapping[str, TensorSpec] = {}
    outputs: Mapping[str, TensorSpec] = {}

    def __init__(self) -> None:
        self.looks = 0

    def run(self, inputs: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        self.looks += 1
        image = inputs["image"]
        assert image.shape == (1, 3, 128, 128)
        assert image.dtype == np.float32
        red = ((image[0, 0] > 150) & (image[0, 1] < 90)).astype(np.uint8)
        boxes = np.zeros((1, 896, 16), np.float32)
        scores = np.full((1, 896, 1), -9, np.float32)
        for x, y, width, height, _ in cv2.connectedComponentsWithStats(red)[2][1:]:
            if min(width, height) < 5:
                continue
            column, row = int((x + width / 2) // 8), int((y + height / 2) // 8)
            anchor = np.array([column * 8 + 4, row * 8 + 4])
            points = np.array([x, y]) + KEYPOINTS * [width, height] - anchor
            centre = np.array([x + width / 2, y + height / 2]) - anchor
            index = (row * 16 + column) * 2
            boxes[0, index] = np.concatenate([centre, [width, height], points.ravel()])
            scores[0, index] = 3.0
        return {"boxes": boxes, "scores": scores}

    def close(self) -> None:
        pass


@pytest.fixture
def detector() -> RedDetector:
    """A detector for red rectangles; `looks` counts its runs."""
    return RedDetector()


@pytest.fixture
def make_picture() -> Callable[..., np.ndarray]:
    """Make a grey picture with red faces: ``make_picture(width, height, (x, y, w, h), ...)``."""

    def make(width: int, height: int, *faces: tuple[int, int, int, int]) -> np.ndarray:
        picture = np.full((height, width, 3), 120, np.uint8)
        for x, y, w, h in faces:
            picture[y : y + h, x : x + w] = (220, 20, 20)
        return picture

    return make
