"""A camera that is late, damaged, unplugged and plugged in again."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edge_ser.capture import camera as module
from edge_ser.capture.camera import Camera, CameraSource, OpenCvCamera, cameras, find_camera
from edge_ser.errors import CaptureError, ConfigError, MissingExtraError

RATE = 16000


class FakeCamera:
    """Gives pictures as its script says, one period of its clock after the other.

    A letter a picture: ``.`` a good one, ``s`` one that waited for half a second, ``d`` one that
    cannot be decoded, ``x`` none, ``t`` one whose time stamp is of another clock.
    """

    def __init__(self, script: str, clock: FakeClock, rate: float) -> None:
        self.script = iter(script)
        self.clock = clock
        self.period = round(RATE / rate)
        self.kind = ""
        self.closed = False
        self.retrieved = 0

    def grab(self) -> bool:
        self.kind = next(self.script, "x")
        self.clock.time += self.period
        return self.kind != "x"

    def timestamp(self) -> int | None:
        if self.kind == "t":
            return 5
        return self.clock.time - (RATE // 2 if self.kind == "s" else 100)

    def retrieve(self) -> np.ndarray | None:
        self.retrieved += 1
        return None if self.kind == "d" else np.full((8, 6, 3), 7, np.uint8)

    def close(self) -> None:
        self.closed = True


class FakeClock:
    time = 1 << 33

    def __call__(self) -> int:
        return self.time


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


def source_of(
    clock: FakeClock, *scripts: str, rate: float = 30.0, **options: Any
) -> tuple[CameraSource, list[FakeCamera]]:
    """A source whose camera follows the scripts, a script each time that it is opened."""
    waiting, opened = list(scripts), []

    def open_camera(device: int | str, width: int, height: int, wanted: float) -> FakeCamera:
        assert (device, width, height, wanted) == (0, 1280, 720, 30.0)
        if not waiting or waiting[0] == "gone":
            del waiting[:1]
            raise CaptureError("camera 0 cannot be opened")
        opened.append(FakeCamera(waiting.pop(0), clock, rate))
        return opened[-1]

    options.setdefault("first_retry", 0.005)
    return CameraSource(0, open_camera=open_camera, now=clock, **options), opened


def test_pictures_arrive_with_the_times_of_the_driver(
    clock: FakeClock, sink: Any, eventually: Any
) -> None:
    begin = clock.time
    source, (opened) = source_of(clock, "." * 20, frames_per_second=30)
    with source:
        source.start(sink)
        eventually(lambda: source.health.state == "lost")
    assert [t for _, t in sink.pictures] == [begin + 533 * (i + 1) - 100 for i in range(20)]
    assert source.health.pictures == 20
    assert source.health.picture_rate == pytest.approx(30, rel=0.01)
    assert opened[0].closed


@pytest.mark.parametrize(("orientation", "shape"), [(1, (8, 6, 3)), (3, (8, 6, 3)), (6, (6, 8, 3))])
def test_pictures_of_a_camera_that_is_mounted_on_a_side_arrive_upright(
    clock: FakeClock, sink: Any, eventually: Any, orientation: int, shape: tuple[int, ...]
) -> None:
    source, _ = source_of(clock, "..", orientation=orientation)
    with source:
        source.start(sink)
        eventually(lambda: source.health.state == "lost")
    assert sink.pictures
    assert {image.shape for image, _ in sink.pictures} == {shape}


@pytest.mark.parametrize(("rate", "wanted", "given"), [(30, 10, 20), (30, 60, 60), (8, 15, 60)])
def test_no_more_pictures_than_wanted_and_the_rest_is_not_decoded(
    clock: FakeClock, sink: Any, eventually: Any, rate: float, wanted: float, given: int
) -> None:
    source, opened = source_of(clock, "." * 60, rate=rate, frames_per_second=wanted)
    with source:
        source.start(sink)
        eventually(lambda: source.health.state == "lost")
    assert source.health.pictures == pytest.approx(given, abs=1)
    assert source.health.pictures + source.health.pictures_unwanted == 60
    assert opened[0].retrieved == source.health.pictures
    # The camera promised 30; what it really gives is measured.
    assert source.health.picture_rate == pytest.approx(rate, rel=0.02)


def test_stale_and_damaged_pictures_are_left_out_and_counted(
    clock: FakeClock, sink: Any, eventually: Any
) -> None:
    source, _ = source_of(clock, "..ss.d.", frames_per_second=30)
    with source:
        source.start(sink)
        eventually(lambda: source.health.state == "lost")
    health = source.health
    assert (health.pictures, health.pictures_stale, health.damaged) == (4, 2, 1)


def test_a_time_stamp_of_another_clock_is_replaced(
    clock: FakeClock, sink: Any, eventually: Any
) -> None:
    begin = clock.time
    source, _ = source_of(clock, "t", frames_per_second=30)
    with source:
        source.start(sink)
        eventually(lambda: len(sink.pictures) == 1)
    assert sink.pictures[0][1] == begin + 533


def test_a_camera_is_unplugged_and_plugged_in_again(
    clock: FakeClock, sink: Any, eventually: Any
) -> None:
    source, opened = source_of(clock, "...xx..", "gone", "gone", "....", frames_per_second=30)
    with source:
        source.start(sink)
        eventually(lambda: source.health.reconnects == 1 and len(sink.pictures) == 9)
    assert len(opened) == 2
    assert all(c.closed for c in opened)
    assert "gives no pictures any more" in str(source.health.error) or "cannot be opened" in str(
        source.health.error
    )


def test_a_camera_that_is_not_there_fails_at_the_start(clock: FakeClock, sink: Any) -> None:
    source, _ = source_of(clock, "gone")
    with pytest.raises(CaptureError, match="camera 0 cannot be opened"):
        source.start(sink)
    assert source.health.state == "failed"
    source.stop()


def test_a_rate_that_cannot_be_is_refused() -> None:
    with pytest.raises(ConfigError, match="frames_per_second"):
        CameraSource(0, frames_per_second=0)


@pytest.fixture
def linux(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A machine with one camera that has two entries, and one more without a name."""
    for number, index, name in ((2, 0, "HD Webcam"), (3, 1, "HD Webcam")):
        entry = tmp_path / f"video{number}"
        entry.mkdir()
        (entry / "index").write_text(f"{index}\n")
        (entry / "name").write_text(f"{name}\n")
    (tmp_path / "video4").mkdir()
    monkeypatch.setattr(module, "_LINUX_CAMERAS", tmp_path)
    return tmp_path


@pytest.mark.usefixtures("linux")
def test_cameras_have_names() -> None:
    assert cameras() == [Camera(2, "HD Webcam")]
    assert find_camera("webcam") == 2
    assert find_camera("5") == 5
    assert find_camera(1) == 1
    assert find_camera("/dev/v4l/by-id/usb-x") == "/dev/v4l/by-id/usb-x"
    with pytest.raises(CaptureError, match="no camera 'robot'; there are: 2: HD Webcam"):
        find_camera("robot")


def test_opencv_says_what_is_missing_and_writes_nothing_itself(
    capfd: pytest.CaptureFixture[str],
) -> None:
    with pytest.raises(CaptureError, match=r"camera /dev/video97 cannot be opened .*plug it in"):
        OpenCvCamera("/dev/video97", 640, 480, 30)
    assert capfd.readouterr() == ("", "")


def test_opencv_gives_rgb_pictures_until_there_are_no_more(
    recording: Callable[..., Path],
) -> None:
    # A file stands in for a device: OpenCV reads both through the same calls.
    red = np.full((3, 48, 64, 3), (200, 30, 30), np.uint8)
    path = recording("c.avi", pictures=red, picture_codec="mjpeg")
    camera = OpenCvCamera(str(path), 64, 48, 25)
    shown = []
    while camera.grab():
        image = camera.retrieve()
        assert image is not None
        shown.append(image)
    assert len(shown) == 3
    np.testing.assert_allclose(shown[0].mean((0, 1)), (200, 30, 30), atol=12)
    assert camera.timestamp() is None or camera.timestamp() >= 0
    camera.close()
    assert not camera.grab()
    assert camera.retrieve() is None


def test_a_camera_without_opencv_says_which_extra_brings_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(sys.modules, "cv2", None)
    with pytest.raises(MissingExtraError, match=r'pip install "edge-ser\[camera\]"'):
        CameraSource(0)
