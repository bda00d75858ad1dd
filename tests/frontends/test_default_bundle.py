"""Faces and words through the detector and the tokenizer of the bundle that ships."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from edge_ser import EdgeRecognizer, PushedClock, clip_from_arrays
from edge_ser.bundles.loading import Bundle, load_bundle
from edge_ser.constants import SAMPLE_RATE
from edge_ser.frontends.faces import Face
from edge_ser.frontends.text import TextFrontend
from edge_ser.frontends.video import FaceFrontend
from edge_ser.media.clip import VideoFrame
from edge_ser.media.media import read_clip
from edge_ser.runtime.onnxruntime import OnnxRuntimeSession


@pytest.fixture(scope="module")
def bundle() -> Bundle:
    return load_bundle(None)


@pytest.fixture(scope="module")
def frontend(bundle: Bundle) -> Iterator[FaceFrontend]:
    entry = bundle.manifest.graphs["detector"]
    session = OnnxRuntimeSession(bundle.graph("detector"), entry.inputs, entry.outputs)
    yield FaceFrontend(bundle.manifest.frontend.video, session)
    session.close()


@pytest.fixture(scope="module")
def portrait(demo_clip: Path) -> np.ndarray:
    """A portrait of one person, uint8 [height, width, 3]."""
    return read_clip(demo_clip, want_audio=False).frames[0].image


def at(image: np.ndarray) -> list[VideoFrame]:
    return [VideoFrame(image, 0)]


def test_the_demo_clip_shows_a_face_in_every_picture(
    frontend: FaceFrontend, demo_clip: Path
) -> None:
    frames = read_clip(demo_clip, want_audio=False).frames
    crops = frontend.crops(frames)
    assert crops.times == tuple(f.time for f in frames)
    assert crops.notes == ()
    # The eyes are level and lie in the upper half of the crop, left and right of its middle.
    for face in crops.faces:
        right, left, nose = face.keypoints[:3]
        assert right[0] < nose[0] < left[0]
        assert max(right[1], left[1]) < nose[1]


def tilt(face: Face) -> float:
    """Angle in degrees by which the line through the eyes falls to the right."""
    x, y = face.keypoints[1] - face.keypoints[0]
    return float(np.degrees(np.arctan2(y, x)))


@pytest.mark.parametrize("degrees", [-40, -20, 20, 40])
def test_a_tilted_head_comes_upright(
    frontend: FaceFrontend, portrait: np.ndarray, degrees: float
) -> None:
    import cv2

    height, width = portrait.shape[:2]
    x, y, w, h = frontend.faces(portrait)[0].box
    turn = cv2.getRotationMatrix2D((x + w / 2, y + h / 2), degrees, 1.0)
    tilted = cv2.warpAffine(portrait, turn, (width, height), borderMode=cv2.BORDER_REPLICATE)
    # OpenCV turns against the clock for positive angles: the line of the eyes rises then.
    assert tilt(frontend.faces(tilted)[0]) == pytest.approx(-degrees, abs=7)
    crop = frontend.crops(at(tilted)).thumbnail(0)
    canvas = np.full((224, 224, 3), 128, np.uint8)
    canvas[56:168, 56:168] = crop
    assert abs(tilt(frontend.faces(canvas)[0])) < 8


def pasted(portrait: np.ndarray, canvas: np.ndarray, left: int, top: int, size: int) -> None:
    """Put the head of the portrait into a picture; its face is about half as large as `size`."""
    import cv2

    head = portrait[40:290, 100:350]
    small = cv2.resize(head, (size, size), interpolation=cv2.INTER_AREA)
    canvas[top : top + size, left : left + size] = small


def test_of_five_people_the_nearest_is_used(frontend: FaceFrontend, portrait: np.ndarray) -> None:
    group = np.full((720, 1280, 3), 190, np.uint8)
    for left, size in ((10, 200), (230, 210), (470, 310), (810, 200), (1040, 220)):
        pasted(portrait, group, left, 200, size)
    crops = frontend.crops(at(group))
    assert crops.of_one_person().notes == ("5 faces in view: the one in the middle is followed",)
    x, _, width, _ = crops.faces[0].box
    assert 470 < x < x + width < 780


@pytest.mark.parametrize(("left", "top"), [(20, 20), (540, 300), (1080, 500)])
def test_a_person_far_away_is_found(
    frontend: FaceFrontend, portrait: np.ndarray, left: int, top: int
) -> None:
    far = np.full((720, 1280, 3), 180, np.uint8)
    pasted(portrait, far, left, top, 180)
    (face,) = frontend.faces(far)
    assert left < face.box[0] < left + 90
    assert top < face.box[1] < top + 90
    assert 70 < face.size < 130


@pytest.mark.parametrize("kind", ["noise", "flat", "text"])
def test_no_face_is_found_where_there_is_none(frontend: FaceFrontend, kind: str) -> None:
    import cv2

    random = np.random.default_rng(0)
    text = np.full((480, 640, 3), 255, np.uint8)
    cv2.putText(text, "no face", (60, 240), cv2.FONT_HERSHEY_SIMPLEX, 4, (0, 0, 0), 8)
    picture = {
        "noise": random.integers(0, 255, (480, 640, 3), dtype=np.uint8),
        "flat": np.full((480, 640, 3), 128, np.uint8),
        "text": text,
    }[kind]
    crops = frontend.crops(at(picture))
    assert crops.reason == "no face found in the picture"


def test_words_of_any_length_fit_the_text_encoder(bundle: Bundle) -> None:
    frontend = TextFrontend(bundle.manifest.frontend.text, bundle.read(bundle.manifest.tokenizer))
    short = frontend("I did not expect that")
    assert short.input_ids is not None
    assert short.input_ids.shape == (1, 7)
    long = frontend("surprising " * 5000)
    assert long.input_ids is not None
    maximum = bundle.manifest.frontend.text.maximum_tokens
    assert maximum - 8 <= long.input_ids.shape[1] <= maximum
    assert "the transcript has 5000 words" in long.notes[0]


@pytest.mark.data
def test_real_clips_show_a_face_in_every_picture(frontend: FaceFrontend, data_folder: Path) -> None:
    for name in (
        "01-01-01-01-01-01-01.mp4",
        "brbk7n.mpg",
        "lbax4n.mpg",
        "lbbc2a.mpg",
        "sbwe5n.mpg",
    ):
        frames = read_clip(data_folder / "clips" / name, want_audio=False).frames
        crops = frontend.crops(frames)
        assert len(crops.times) == len(frames), name
        assert crops.notes == (), name
        assert min(f.score for f in crops.faces) > 0.8


def test_decisions_in_clips_and_streams_rest_on_one_of_two_people(portrait: np.ndarray) -> None:
    pictures = []
    for number in range(15):
        both = np.full((480, 900, 3), 190, np.uint8)
        pasted(portrait, both, 60, 100, 230 + 40 * (number % 2))
        pasted(portrait, both, 560, 100, 250)
        pictures.append(both)
    times = [number / 5 for number in range(len(pictures))]
    note = "2 faces in view: the one on the right is followed"
    with EdgeRecognizer() as recognizer:
        with clip_from_arrays(frames=pictures, frame_times=times) as clip:
            assert recognizer.recognize(clip).modalities["video"].notes == (note,)
        with clip_from_arrays(frames=pictures, frame_times=times) as clip:
            decided = recognizer.timeline(clip)
        assert {d.modalities["video"].notes for d in decided[1:]} == {(note,)}
        alone = [picture[:, 450:] for picture in pictures]
        with clip_from_arrays(frames=alone, frame_times=times) as clip:
            assert recognizer.recognize(clip).modalities["video"].notes == ()
        with recognizer.stream(clock=PushedClock(), consent=True) as stream:
            for picture, time in zip(pictures, times, strict=True):
                stream.push_video(picture, round(time * SAMPLE_RATE), timeout=5)
        assert [d.modalities["video"].notes for d in stream][-1] == (note,)
