"""From pictures to face tensors, with every reason why there may be none."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from edge_ser.bundles.schema import VideoFrontendConfig
from edge_ser.errors import MediaError
from edge_ser.frontends.video import FaceFrontend
from edge_ser.media.clip import VideoFrame

MakePicture = Callable[..., np.ndarray]
CONFIG = VideoFrontendConfig()


@pytest.fixture
def frontend(detector: Any) -> FaceFrontend:
    return FaceFrontend(CONFIG, detector)


def test_every_picture_with_a_face_gives_a_crop(
    frontend: FaceFrontend, make_picture: MakePicture
) -> None:
    shown = make_picture(640, 480, (200, 100, 150, 150))
    frames = [VideoFrame(shown, 0), VideoFrame(make_picture(640, 480), 3200)]
    crops = frontend.crops([*frames, VideoFrame(shown, 6400)])
    assert crops.tensor.shape == (2, 3, 112, 112)
    assert crops.tensor.dtype == np.float32
    # The face fills two thirds of the crop: a quarter of its size is left on each side.
    inside, border = crops.tensor[0, :, 30:82, 30:82], crops.tensor[0, :, :12]
    np.testing.assert_allclose(inside.mean((1, 2)), (220, 20, 20), atol=2)
    np.testing.assert_allclose(border.mean((1, 2)), 120, atol=2)
    assert crops.times == (0, 6400)
    assert crops.reason is None
    assert crops.notes == ("no face in 1 of 3 pictures",)
    assert crops.thumbnail(0).shape == (112, 112, 3)
    np.testing.assert_allclose(crops.thumbnail(1)[56, 56], (220, 20, 20), atol=2)


def test_of_five_faces_the_largest_is_used_and_that_is_said(
    frontend: FaceFrontend, make_picture: MakePicture
) -> None:
    small = [(20 + 130 * i, 350, 80, 80) for i in range(4)]
    picture = make_picture(640, 480, *small, (220, 60, 140, 140))
    crops = frontend.crops([VideoFrame(picture, 0)])
    assert crops.faces[0].box[0] == pytest.approx(220, abs=6)
    assert crops.of_one_person().notes == ("5 faces in view: the one in the middle is followed",)


@pytest.mark.parametrize(
    ("pictures", "reason"),
    [
        ([], "there are no pictures"),
        (["empty"], "no face found in the picture"),
        (["empty"] * 3, "no face found in any of 3 pictures"),
        (["black"], "the picture is black"),
        (["black"] * 4, "the pictures are black"),
        (["black", "empty", "empty"], "no face found in any of 2 pictures; 1 more are black"),
        (["small"], "the face is too small: 22 pixels, and 24 are needed"),
    ],
)
def test_without_a_face_the_reason_is_told(
    frontend: FaceFrontend, make_picture: MakePicture, pictures: list[str], reason: str
) -> None:
    kinds = {
        "empty": make_picture(640, 480),
        "black": np.zeros((480, 640, 3), np.uint8),
        "small": make_picture(640, 480, (300, 200, 20, 20)),
    }
    crops = frontend.crops([VideoFrame(kinds[p], i) for i, p in enumerate(pictures)])
    assert crops.tensor.shape == (0, 3, 112, 112)
    assert crops.times == crops.faces == crops.notes == ()
    assert crops.reason == reason


def test_the_bundle_decides_on_size_and_colour(detector: Any, make_picture: MakePicture) -> None:
    config = VideoFrontendConfig(face_size=64, grey=True)
    picture = make_picture(640, 480, (200, 100, 150, 150))
    crops = FaceFrontend(config, detector).crops([VideoFrame(picture, 0)])
    assert crops.tensor.shape == (1, 3, 64, 64)
    np.testing.assert_array_equal(crops.tensor[0, 0], crops.tensor[0, 2])


@pytest.mark.parametrize(
    "picture",
    [
        np.zeros((48, 64), np.uint8),
        np.zeros((48, 64, 4), np.uint8),
        np.zeros((48, 64, 3), np.float32),
        np.zeros((0, 64, 3), np.uint8),
        [[1, 2, 3]],
        None,
    ],
)
def test_what_is_no_picture_is_refused(frontend: FaceFrontend, picture: Any) -> None:
    with pytest.raises(MediaError, match=r"must be uint8 \(height, width, 3\) in RGB, not"):
        frontend.faces(picture)
    with pytest.raises(MediaError, match="must be uint8"):
        frontend.crops([VideoFrame(picture, 0)])
