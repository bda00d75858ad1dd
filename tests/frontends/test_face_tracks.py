"""One face stays one person: through crossings, missed detections, and larger faces that come."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pytest

from edge_ser.bundles.schema import VideoFrontendConfig
from edge_ser.constants import SAMPLE_RATE
from edge_ser.frontends.face_tracks import FaceTracker, Sighting, one_person
from edge_ser.frontends.faces import Face, FaceDetector
from edge_ser.frontends.video import FaceFrontend
from edge_ser.media.clip import VideoFrame

STEP = SAMPLE_RATE // 5
"""Five pictures a second, as bundles sample them."""
WIDTH = 640


def face(x: float, size: float = 80, y: float = 200) -> Face:
    """A face whose middle is at `x`, `y`."""
    shares = np.array([(0.3, 0.4), (0.7, 0.4), (0.5, 0.6), (0.5, 0.8), (0.0, 0.5), (1.0, 0.5)])
    corner = np.array([x - size / 2, y - size / 2])
    box = (*map(float, corner), size, size)
    return Face(box, (corner + shares * size).astype(np.float32), 0.9, (0, -80, WIDTH))


def followed(pictures: Sequence[Sequence[Face]]) -> list[tuple[float, int] | None]:
    """Middle of the chosen face and its person's number, for each picture that shows one."""
    tracker = FaceTracker()
    given: list[tuple[float, int] | None] = []
    for number, faces in enumerate(pictures):
        if not faces:
            given.append(None)
            continue
        ordered = sorted(faces, key=lambda f: f.size, reverse=True)
        chosen, sighting = tracker.follow(ordered, number * STEP, WIDTH)
        given.append((chosen.box[0] + chosen.size / 2, sighting.track))
    return given


def numbers(pictures: Sequence[Sequence[Face]]) -> list[int]:
    return [seen[1] for seen in followed(pictures) if seen is not None]


def test_of_two_people_who_lean_forward_in_turn_one_is_followed() -> None:
    pictures = [[face(150, 80 + 10 * (n % 2)), face(450, 90 - 10 * (n % 2))] for n in range(10)]
    assert {x for x, _ in filter(None, followed(pictures))} == {450}


def test_the_larger_face_that_comes_in_is_another_person() -> None:
    alone = [[face(200)]] * 5
    joined = [[face(200), face(470, 160)]] * 5
    assert followed([*alone, *joined])[-1] == (200, 0)


def test_people_who_cross_stay_who_they_are() -> None:
    walking = [[face(120 + 45 * n, 82), face(525 - 45 * n, 80)] for n in range(10)]
    assert [seen[0] for seen in followed(walking) if seen is not None] == [
        120 + 45 * n for n in range(10)
    ]


def test_who_is_hidden_while_they_cross_is_found_again() -> None:
    pictures = [[face(120 + 45 * n, 100), face(525 - 45 * n, 70)] for n in range(10)]
    # At the middle of their way the nearer face hides the other one.
    pictures[4], pictures[5] = pictures[4][:1], pictures[5][:1]
    assert followed(pictures)[-1] == (525, 0)


@pytest.mark.parametrize("missed", [1, 4, 20])
def test_a_face_that_is_missed_for_a_while_is_the_same_person(missed: int) -> None:
    pictures = [[face(300)]] * 5 + [[]] * missed + [[face(310)]] * 5
    assert set(numbers(pictures)) == {0}


def test_a_head_that_moves_fast_is_one_person() -> None:
    there_and_back = [[face(320 + 75 * np.sin(n))] for n in range(20)]
    assert set(numbers(there_and_back)) == {0}


def test_a_cut_to_somebody_else_is_another_person() -> None:
    assert numbers([[face(150)]] * 3 + [[face(500)]] * 3) == [0, 0, 0, 1, 1, 1]


def test_somebody_who_walks_away_is_forgotten_and_a_newcomer_followed() -> None:
    pictures = [[face(150), face(450)]] * 3 + [[face(450)]] * 8 + [[face(150, 100), face(450)]] * 3
    given = [seen for seen in followed(pictures) if seen is not None]
    # After a second without the first, the second is followed, also when the first comes back.
    assert [x for x, _ in given] == [150] * 3 + [450] * 11


def test_who_comes_back_after_long_is_a_new_person() -> None:
    assert numbers([[face(300)]] + [[]] * 60 + [[face(300)]]) == [0, 1]


def test_a_window_rests_on_who_is_seen_most_and_says_so() -> None:
    left, right = Sighting(0, 1, 0.2), Sighting(1, 1, 0.8)
    assert one_person([]) == ([], None)
    assert one_person([left, left]) == ([0, 1], None)
    kept, note = one_person([left, right, right])
    assert kept == [1, 2]
    assert note == (
        "2 faces in view: the one on the right is followed; "
        "1 of 3 pictures that show others alone are left out"
    )
    assert one_person([left, right])[0] == [1]
    assert one_person([Sighting(0, 3, 0.5)])[1] == (
        "3 faces in view: the one in the middle is followed"
    )


def test_crops_of_a_window_are_of_one_person(
    detector: Any, make_picture: Callable[..., np.ndarray]
) -> None:
    one, other = (60, 150, 120, 120), (400, 150, 120, 120)
    nearer = (400, 150, 160, 160)
    pictures = [
        make_picture(WIDTH, 480, one, (400, 150, 100, 100)),
        make_picture(WIDTH, 480, one, nearer),
        make_picture(WIDTH, 480, other),
        make_picture(WIDTH, 480, one),
    ]
    frames = [VideoFrame(picture, n * STEP) for n, picture in enumerate(pictures)]
    crops = FaceFrontend(VideoFrontendConfig(), detector).crops(frames)
    assert [round(f.box[0] / 10) for f in crops.faces] == [6, 6, 40, 6]
    window = crops.of_one_person()
    assert window.times == (0, STEP, 3 * STEP)
    assert window.tensor.shape[0] == len(window.faces) == len(window.sightings) == 3
    assert window.notes[0].startswith("2 faces in view: the one on the left is followed; 1 of 4")


@pytest.mark.parametrize("still", ["seen", "gone", "resized"])
def test_who_is_alone_is_looked_for_where_they_were_and_once_a_second_all_around(
    detector: Any, make_picture: Callable[..., np.ndarray], still: str
) -> None:
    tracker, faces = FaceTracker(), FaceDetector(detector, 0.5)
    alone = make_picture(640, 480, (200, 100, 90, 90))
    looks = []
    for number in range(11):
        detector.looks = 0
        (seen,) = tracker.look(faces, alone, number * STEP)
        looks.append(detector.looks)
        assert seen.box[0] == pytest.approx(200, abs=6)
    around = looks[0]
    assert around > 2
    assert looks == [around, 1, 1, 1, 1] * 2 + [around]
    detector.looks = 0
    if still == "gone":
        assert tracker.look(faces, make_picture(640, 480), 11 * STEP) == []
    elif still == "resized":
        assert len(tracker.look(faces, make_picture(600, 480, (200, 100, 90, 90)), 11 * STEP)) == 1
    else:
        joined = make_picture(640, 480, (200, 100, 90, 90), (500, 300, 90, 90))
        counts = [len(tracker.look(faces, joined, n * STEP)) for n in range(11, 17)]
        # Noticed within a second; several faces are all looked for in every picture.
        assert counts == [1, 1, 1, 1, 2, 2]
    assert detector.looks >= around
