"""Crops are upright, square and where the face is."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from edge_ser import kernels
from edge_ser.frontends.faces import Face


def smooth_picture(width: int = 640, height: int = 480) -> np.ndarray:
    """A picture without sharp edges, different everywhere."""
    small = np.random.default_rng(4).integers(0, 255, (9, 12, 3), dtype=np.uint8)
    return cv2.resize(small, (width, height), interpolation=cv2.INTER_CUBIC)


def crop_face(
    picture: np.ndarray, face: Face, size: int, margin: float, *, grey: bool = False
) -> np.ndarray:
    return kernels.crop_face(picture, face.box, face.keypoints, size, margin, grey=grey)


def face_at(x: float, y: float, size: float, tilt: float = 0.0) -> Face:
    """A face whose eyes lie level in a head that is tilted by `tilt` radians."""
    centre = np.array([x + size / 2, y + size / 2])
    across = np.array([np.cos(tilt), np.sin(tilt)]) * size * 0.2
    keypoints = np.stack([centre - across, centre + across, *[centre] * 4]).astype(np.float32)
    return Face((x, y, size, size), keypoints, 1.0, (0, 0, 640))


@pytest.mark.parametrize("size", [30.0, 112.0, 200.0, 300.0])
def test_an_upright_face_is_the_scaled_part_of_the_picture(size: float) -> None:
    picture = smooth_picture()
    crop = crop_face(picture, face_at(120, 90, size), 112, margin=0.0)
    part = picture[90 : 90 + int(size), 120 : 120 + int(size)]
    expected = cv2.resize(part, (112, 112), interpolation=cv2.INTER_AREA).transpose(2, 0, 1)
    assert crop.dtype == np.float32
    assert crop.shape == (3, 112, 112)
    assert np.abs(crop - expected).mean() < 3


def test_the_margin_is_a_share_of_the_face_on_every_side() -> None:
    picture = smooth_picture()
    with_margin = crop_face(picture, face_at(200, 150, 100), 112, margin=0.25)
    larger = crop_face(picture, face_at(175, 125, 150), 112, margin=0.0)
    np.testing.assert_allclose(with_margin, larger, atol=1)


@pytest.mark.parametrize("degrees", [-40, -15, 20, 45])
@pytest.mark.parametrize("size", [80.0, 260.0])
def test_a_tilted_head_comes_upright(degrees: float, size: float) -> None:
    picture = smooth_picture()
    upright = face_at(320 - size / 2, 240 - size / 2, size)
    expected = crop_face(picture, upright, 112, margin=0.1)
    # Turning the picture clockwise, as seen, makes the line through the eyes fall to the right.
    turn = cv2.getRotationMatrix2D((319.5, 239.5), -degrees, 1.0)
    turned = cv2.warpAffine(picture, turn, (640, 480), flags=cv2.INTER_CUBIC)
    tilted = face_at(320 - size / 2, 240 - size / 2, size, np.radians(degrees))
    crop = crop_face(turned, tilted, 112, margin=0.1)
    assert np.abs(crop - expected).mean() < 4
    assert np.abs(crop_face(turned, upright, 112, margin=0.1) - expected).mean() > 8


@pytest.mark.parametrize(
    ("x", "y", "size"), [(-40, -40, 100), (600, 440, 100), (-500, -500, 90), (-200, -100, 900)]
)
def test_beyond_the_picture_its_border_goes_on(x: float, y: float, size: float) -> None:
    crop = crop_face(np.full((480, 640, 3), 77, np.uint8), face_at(x, y, size), 112, margin=0.25)
    np.testing.assert_allclose(crop, 77, atol=1)


def test_a_fine_pattern_does_not_alias() -> None:
    picture = np.zeros((800, 800, 3), np.uint8)
    picture[:, ::2] = 255
    crop = crop_face(picture, face_at(100, 100, 560), 112, margin=0.0)
    assert np.abs(crop - 127.5).max() < 40


def test_grey_crops_have_three_equal_channels() -> None:
    picture = np.full((100, 100, 3), (200, 100, 50), np.uint8)
    crop = crop_face(picture, face_at(20, 20, 50), 64, margin=0.0, grey=True)
    np.testing.assert_allclose(crop, 0.299 * 200 + 0.587 * 100 + 0.114 * 50, rtol=1e-4)
