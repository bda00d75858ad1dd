"""The meaning of the detector's raw output, and where its faces lie in the picture."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from edge_ser.frontends.faces import (
    Face,
    FaceDetector,
    _squares,
    blend,
    decode,
    distinct,
    overlap,
)
from edge_ser.kernels import square_view

MakePicture = Callable[..., np.ndarray]


def face(x: float, y: float, width: float, height: float, score: float) -> Face:
    return Face((x, y, width, height), np.full((6, 2), x, np.float32), score, (0, 0, 128))


@pytest.mark.parametrize(
    ("row", "centre"),
    [
        (0, (4, 4)),
        (1, (4, 4)),
        (2, (12, 4)),
        (32, (4, 12)),
        (511, (124, 124)),
        (512, (8, 8)),
        (518, (24, 8)),
        (895, (120, 120)),
    ],
)
def test_a_row_is_an_offset_from_its_anchor(row: int, centre: tuple[float, float]) -> None:
    boxes = np.zeros((896, 16), np.float32)
    scores = np.full(896, -5, np.float32)
    boxes[row] = [1, 2, 10, 20, *([3, 4] * 6)]
    scores[row] = 0.0
    (found,) = decode(boxes, scores, -1.0, (100, 50, 256))
    # The view is 256 pixels wide in the picture: every detector pixel is two.
    x, y = centre
    assert found.box == (100 + 2 * (x + 1) - 10, 50 + 2 * (y + 2) - 20, 20, 40)
    np.testing.assert_allclose(
        found.keypoints, [[100 + 2 * (x + 3), 50 + 2 * (y + 4)]] * 6, rtol=1e-6
    )
    assert found.score == pytest.approx(0.5)


def test_rows_below_the_threshold_or_without_meaning_are_no_faces() -> None:
    boxes = np.ones((896, 16), np.float32)
    scores = np.full(896, -5, np.float32)
    scores[[1, 2, 3, 5, 6]] = 5
    boxes[1, 2] = -4
    boxes[5, 0] = np.nan
    boxes[6, 1] = 1e12
    boxes[2, 7] = np.nan
    scores[4] = np.nan
    (found,) = decode(boxes, scores, 0.0, (0, 0, 128))
    assert found.box[2:] == (1, 1)


@pytest.mark.parametrize("size", [(640, 480), (480, 640), (1280, 720), (128, 128), (90, 60)])
def test_a_face_is_found_where_it_is(
    detector: Any, make_picture: MakePicture, size: tuple[int, int]
) -> None:
    width, height = size
    box = (width // 3, height // 4, width // 3, width // 3)
    (found,) = FaceDetector(detector, 0.5).faces(make_picture(width, height, box))
    pixel = max(width, height) / 128
    np.testing.assert_allclose(found.box, box, atol=1.5 * pixel)
    assert found.keypoints[0][0] == pytest.approx(box[0] + 0.3 * box[2], abs=1.5 * pixel)
    assert detector.looks == 1


@pytest.mark.parametrize(
    ("width", "height", "box"),
    [
        (1280, 720, (1240, 100, 32, 32)),
        (720, 1280, (100, 640, 32, 32)),
        (600, 600, (20, 560, 16, 16)),
    ],
)
def test_a_small_face_is_found_at_the_second_look(
    detector: Any, make_picture: MakePicture, width: int, height: int, box: tuple[int, ...]
) -> None:
    (found,) = FaceDetector(detector, 0.5).faces(make_picture(width, height, box))
    np.testing.assert_allclose(found.box, box, atol=9)
    assert 1 < detector.looks <= 7


def test_the_second_look_at_a_panorama_stays_cheap(
    detector: Any, make_picture: MakePicture
) -> None:
    assert FaceDetector(detector, 0.5).faces(make_picture(4000, 100)) == []
    assert detector.looks <= 7


def test_faces_come_largest_first(detector: Any, make_picture: MakePicture) -> None:
    picture = make_picture(640, 480, (20, 20, 60, 60), (200, 100, 150, 150), (500, 300, 90, 90))
    found = FaceDetector(detector, 0.5).faces(picture)
    assert [round(f.box[0], -1) for f in found] == [200, 500, 20]


def test_the_minimum_score_counts(detector: Any, make_picture: MakePicture) -> None:
    # The detector of the tests gives the logit 3, a score of 0.953.
    picture = make_picture(640, 480, (200, 100, 150, 150))
    assert len(FaceDetector(detector, 0.95).faces(picture)) == 1
    assert FaceDetector(detector, 0.96).faces(picture) == []


def test_answers_for_one_face_are_blended_by_score() -> None:
    near = [face(10, 10, 20, 20, 0.9), face(12, 10, 20, 20, 0.3), face(90, 10, 20, 20, 0.5)]
    first, second = blend(near)
    assert first.box[0] == pytest.approx((10 * 0.9 + 12 * 0.3) / 1.2)
    assert first.keypoints[0, 0] == pytest.approx(10.5)
    assert first.score == 0.9
    assert second.box[0] == 90


def test_a_face_that_two_squares_saw_is_one() -> None:
    whole, part, other = face(0, 0, 40, 40, 0.9), face(25, 0, 14, 40, 0.8), face(60, 0, 20, 20, 0.7)
    assert distinct([whole, part, other]) == [whole, other]


@pytest.mark.parametrize(("width", "looks"), [(100, 1), (210, 1), (90, 5), (40, 5)])
def test_only_small_faces_are_looked_at_again(
    detector: Any, make_picture: MakePicture, width: int, looks: int
) -> None:
    (found,) = FaceDetector(detector, 0.5).faces(make_picture(480, 480, (100, 100, width, width)))
    assert found.size == pytest.approx(width, abs=6)
    assert detector.looks == looks


@pytest.mark.parametrize(
    ("box", "after", "found"),
    [
        pytest.param((100, 100, 90, 90), (104, 98, 90, 90), True, id="moves"),
        pytest.param((100, 100, 90, 90), (200, 200, 90, 90), False, id="jumps"),
        pytest.param((100, 100, 90, 90), (250, 100, 90, 90), False, id="over the border"),
        pytest.param((0, 0, 90, 90), (0, 0, 75, 75), True, id="over the picture's border"),
        pytest.param((100, 100, 90, 90), (105, 105, 54, 54), False, id="becomes small"),
        pytest.param((300, 100, 40, 40), (304, 98, 40, 40), True, id="small and moves"),
    ],
)
def test_a_face_is_looked_for_where_it_was(
    detector: Any,
    make_picture: MakePicture,
    box: tuple[int, ...],
    after: tuple[int, ...],
    found: bool,
) -> None:
    faces = FaceDetector(detector, 0.5)
    (before,) = faces.faces(make_picture(480, 480, box))
    detector.looks = 0
    again = faces.face_again(make_picture(480, 480, after), before)
    assert detector.looks == 1
    assert (again is not None) == found
    if again is not None:
        np.testing.assert_allclose(
            again.keypoints[2], np.add(after[:2], np.array([0.5, 0.6]) * after[2]), atol=14
        )


def test_two_faces_where_one_was_are_looked_at_more_closely(
    detector: Any, make_picture: MakePicture
) -> None:
    faces = FaceDetector(detector, 0.5)
    (before,) = faces.faces(make_picture(480, 480, (40, 40, 90, 90)))
    pair = make_picture(480, 480, (40, 40, 90, 90), (160, 40, 90, 90))
    assert faces.face_again(pair, before) is None


def test_overlap_of_boxes() -> None:
    assert overlap((0, 0, 2, 2), (0, 0, 2, 2)) == 1.0
    assert overlap((0, 0, 2, 2), (1, 0, 2, 2)) == pytest.approx(1 / 3)
    assert overlap((0, 0, 2, 2), (2, 0, 2, 2)) == 0.0


def test_beyond_the_picture_the_view_is_black() -> None:
    view = square_view(np.full((64, 128, 3), 200, np.uint8), 0, -32, 128)
    assert view[0, :, 32:96].min() == 200
    assert view[0, :, :32].max() == view[0, :, 96:].max() == 0


@settings(deadline=None)
@given(width=st.integers(1, 400), height=st.integers(1, 400), grey=st.integers(0, 255))
@example(width=96, height=59, grey=7)
@example(width=1, height=1, grey=7)
@example(width=2, height=1, grey=7)
@example(width=1, height=400, grey=7)
def test_pictures_of_every_size_are_looked_at(width: int, height: int, grey: int) -> None:
    image = np.full((height, width, 3), grey, np.uint8)
    whole = max(width, height)
    views = [((width - whole) / 2, (height - whole) / 2, whole), *_squares(width, height)]
    for place in views:
        view = square_view(image, *place)
        assert view.shape == (1, 3, 128, 128)
        assert set(np.unique(view)) <= {0.0, float(grey)}
