"""What the picture kernels give is what OpenCV gave, to a level of brightness."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from fixtures import opencv_pictures

from edge_ser.kernels import crop_face, luminance, square_view


def picture(width: int, height: int) -> np.ndarray:
    """Smooth places, edges and noise."""
    drawn = np.random.default_rng([width, height])
    coarse = drawn.integers(0, 256, (7, 9, 3), np.uint8)
    made = cv2.resize(coarse, (width, height), interpolation=cv2.INTER_CUBIC).astype(np.int16)
    made[: height // 2] += drawn.integers(-40, 40, (height // 2, width, 3)).astype(np.int16)
    made[height // 3 :: 7, width // 4 :] = 250
    return np.clip(made, 0, 255).astype(np.uint8)


def assert_close(found: np.ndarray, expected: np.ndarray, share: float) -> None:
    """Equal but for a level of brightness in at most a share of the pixels."""
    assert found.dtype == expected.dtype
    assert found.shape == expected.shape
    far = np.abs(found - expected)
    assert far.max() <= 1
    assert (far > 0).mean() <= share


@pytest.mark.parametrize(
    ("width", "height"),
    [
        (1280, 720),
        (720, 1280),
        (640, 480),
        (1920, 1080),
        (853, 481),
        (256, 256),
        (130, 77),
        (90, 60),
    ],
)
def test_what_the_detector_sees(width: int, height: int) -> None:
    image = picture(width, height)
    whole, shorter = max(width, height), min(width, height)
    squares = [((width - whole) / 2, (height - whole) / 2, whole), (0, 0, shorter)]
    squares += [(width / 3, -20.3, 0.7 * shorter), (width - 31.6, height - 40.2, 50.5)]
    for square in squares:
        found, expected = square_view(image, *square), opencv_pictures.square_view(image, *square)
        assert_close(found, expected, 5e-3)


Place = tuple[tuple[float, float, float, float], np.ndarray]


def face_at(x: float, y: float, size: float, tilt: float) -> Place:
    """Box and keypoints."""
    centre = np.array([x + size / 2, y + size / 2])
    across = np.array([np.cos(tilt), np.sin(tilt)]) * size * 0.2
    keypoints = np.stack([centre - across, centre + across, *[centre] * 4]).astype(np.float32)
    return (x, y, size, size), keypoints


@pytest.mark.parametrize("size", [20.0, 61.7, 75.0, 110.3, 160.0, 230.4, 300.0, 470.0])
@pytest.mark.parametrize("tilt", [0.0, -0.3, 0.7])
def test_what_the_face_encoder_sees(size: float, tilt: float) -> None:
    image = picture(640, 480)
    for x, y in ((101.3, 57.8), (-30.2, 300.5), (520.0, -20.0)):
        box, keypoints = face_at(x, y, size, tilt)
        right, left = keypoints[:2]
        seen = float(np.arctan2(*(left - right)[::-1].astype(float)))
        found = crop_face(image, box, keypoints, 112, 0.25)
        expected = opencv_pictures.crop_face(image, box, seen, 112, 0.25)
        assert_close(found, expected, 0.02)


def test_a_view_of_a_picture_is_read_where_it_lies() -> None:
    image = picture(300, 200)
    views = (image[::-1], image[20:150, 30:200], image[:, ::-1], np.rot90(image), image[..., ::-1])
    for view in views:
        copy = np.ascontiguousarray(view)
        face = face_at(40, 30, 70, 0.1)
        np.testing.assert_array_equal(
            crop_face(view, *face, 64, 0.1), crop_face(copy, *face, 64, 0.1)
        )
        seen = [square_view(one, -3.0, 5.5, 150) for one in (view, copy)]
        np.testing.assert_array_equal(*seen)
        assert luminance(view) == luminance(copy)


def test_luminance_weighs_the_colours() -> None:
    assert luminance(np.full((40, 40, 3), 90, np.uint8)) == pytest.approx(90, rel=1e-4)
    assert luminance(np.full((1, 1, 3), (0, 255, 0), np.uint8)) == pytest.approx(149.7, rel=1e-3)


@pytest.mark.parametrize(
    ("image", "error"),
    [
        (np.zeros((4, 4, 3), np.float32), TypeError),
        ([[[0, 0, 0]]], TypeError),
        (np.zeros((4, 4), np.uint8), ValueError),
        (np.zeros((4, 4, 4), np.uint8), ValueError),
        (np.zeros((0, 4, 3), np.uint8), ValueError),
    ],
)
def test_what_is_no_picture_is_refused(image: object, error: type[Exception]) -> None:
    with pytest.raises(error, match="a picture must"):
        luminance(image)  # type: ignore[arg-type]


def test_what_is_no_face_and_no_square_is_refused() -> None:
    image, (box, keypoints) = picture(64, 64), face_at(3, 3, 20, 0)
    with pytest.raises(ValueError, match="keypoints must have"):
        crop_face(image, box, keypoints[:5], 64, 0.1)
    with pytest.raises(ValueError, match="a face needs a place"):
        crop_face(image, (0, 0, np.nan, 3), keypoints, 64, 0.1)
    with pytest.raises(ValueError, match="size is 0"):
        crop_face(image, box, keypoints, 0, 0.1)
    with pytest.raises(ValueError, match="margin is -1"):
        crop_face(image, box, keypoints, 64, -1)
    with pytest.raises(ValueError, match="a square needs a place"):
        square_view(image, 0, 0, 0)
