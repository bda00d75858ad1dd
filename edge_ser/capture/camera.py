"""Cameras through OpenCV: the newest picture, when it was really taken, nothing stale."""

from __future__ import annotations

import importlib.util
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Protocol

import numpy as np

from edge_ser.capture.quiet import quiet_stderr
from edge_ser.capture.sources import DeviceLostError, LiveSource, Sink
from edge_ser.clock import monotonic_samples
from edge_ser.constants import SAMPLE_RATE
from edge_ser.errors import CaptureError, MissingExtraError
from edge_ser.media.clip import Picture, PictureSampler
from edge_ser.media.orientation import UPRIGHT, check_orientation, upright

# A picture this much older than its arrival waited in the driver; a newer one is right behind it.
_STALE: Final = SAMPLE_RATE // 5

# Pictures over which the true rate is measured.
_RATE_PICTURES: Final = 30

# Failed grabs in a row after which the camera is gone.
_FAILURES: Final = 3

# Where Linux tells the names of cameras.
_LINUX_CAMERAS: Final = Path("/sys/class/video4linux")


@dataclass(frozen=True)
class Camera:
    """A camera of this machine."""

    index: int
    name: str


class OpenCamera(Protocol):
    """A camera that delivers pictures."""

    def grab(self) -> bool:
        """Wait for the next picture; False if none came."""

    def timestamp(self) -> int | None:
        """When the grabbed picture was taken, by `monotonic_samples`; None if it is not told."""

    def retrieve(self) -> Picture | None:
        """Decode the grabbed picture, uint8 [height, width, 3], RGB; None if it is damaged."""

    def close(self) -> None:
        """Let go of the camera; a second call does nothing."""


OpensCamera = Callable[[int | str, int, int, float], OpenCamera]
"""Opens a camera by index or path at a width, height and rate; raises CaptureError."""


class CameraSource(LiveSource):
    """Delivers pictures of a camera, at most so many a second as are wanted.

    Every picture is taken from the driver as soon as it is there, so that none grows old in a
    queue; only those that are wanted are decoded. A camera that is unplugged is looked for until
    it is back.
    """

    def __init__(
        self,
        device: int | str = 0,
        *,
        frames_per_second: float = 15.0,
        width: int = 1280,
        height: int = 720,
        camera_rate: float = 30.0,
        orientation: int = UPRIGHT,
        open_camera: OpensCamera | None = None,
        now: Callable[[], int] = monotonic_samples,
        first_retry: float = 0.5,
    ) -> None:
        """Choose a camera; it is opened by `start`.

        Args:
            device: its index, a part of its name, or the path of its device file.
            frames_per_second: pictures a second that are delivered at most.
            width: wanted of the camera, in pixels; it may give another.
            height: likewise.
            camera_rate: pictures a second wanted of the camera; what it gives is measured.
            orientation: how the camera is mounted, 1 (upright) to 8, as in EXIF: 6 and 8 on a
                side, 3 upside down, the others mirrored; pictures are delivered upright.
            open_camera: opens the device; None takes OpenCV.
            now: the clock of the capture times.
            first_retry: seconds until a lost camera is looked for.

        Raises:
            MissingExtraError: if the extra ``camera`` is not installed.
            ConfigError: if `frames_per_second` is not positive.
            MediaError: if the orientation is none.
        """
        super().__init__(f"camera {device}", first_retry=first_retry)
        self._device = device
        self._mode = (width, height, camera_rate)
        self._orientation = check_orientation(orientation)
        if open_camera is None and importlib.util.find_spec("cv2") is None:
            raise MissingExtraError("a camera", "camera")
        self._open_camera = open_camera if open_camera is not None else OpenCvCamera
        self._now = now
        self._frames_per_second = frames_per_second
        self._sampler = PictureSampler(frames_per_second)
        self._camera: OpenCamera | None = None
        self._times: deque[int] = deque(maxlen=_RATE_PICTURES)
        self._failures = 0

    def _open(self) -> None:
        self._camera = self._open_camera(find_camera(self._device), *self._mode)
        self._times.clear()
        self._failures = 0
        self._sampler = PictureSampler(self._frames_per_second)

    def _deliver(self, sink: Sink) -> bool:
        camera = self._camera
        if camera is None:
            raise DeviceLostError("it is not open")
        if not camera.grab():
            self._failures += 1
            if self._failures >= _FAILURES:
                raise DeviceLostError("it gives no pictures any more")
            return True
        self._failures = 0
        now = self._now()
        told = camera.timestamp()
        # A time stamp of another clock is none.
        time = told if told is not None and now - 10 * SAMPLE_RATE <= told <= now else now
        self._measure(time)
        if now - time > _STALE:
            self._count(pictures_stale=1)
            return True
        if not self._sampler.wants(time):
            self._count(pictures_unwanted=1)
            return True
        image = camera.retrieve()
        if image is None:
            self._count(damaged=1)
            return True
        sink.push_video(upright(image, self._orientation), time)
        self._count(pictures=1)
        return True

    def _measure(self, time: int) -> None:
        self._times.append(time)
        span = self._times[-1] - self._times[0]
        if span > 0 and len(self._times) > 2:
            self._note(picture_rate=(len(self._times) - 1) * SAMPLE_RATE / span)

    def _close(self) -> None:
        camera, self._camera = self._camera, None
        if camera is not None:
            camera.close()


def cameras() -> list[Camera]:
    """The cameras of this machine, where the system tells them (Linux)."""
    found = []
    for entry in _LINUX_CAMERAS.glob("video*"):
        number = entry.name.removeprefix("video")
        try:
            # A camera has further entries for what is no picture; the first is the camera.
            first = (entry / "index").read_text().strip() == "0"
            name = (entry / "name").read_text().strip()
        except OSError:
            continue
        if number.isdigit() and first:
            found.append(Camera(int(number), name))
    return sorted(found, key=lambda c: c.index)


def find_camera(device: int | str) -> int | str:
    """Give the index or device file of a camera that is named by index, part of a name, or path.

    Raises:
        CaptureError: if no camera has such a name; the message lists those that there are.
    """
    if isinstance(device, int) or device.startswith("/dev/"):
        return device
    if device.isdigit():
        return int(device)
    there = cameras()
    for camera in there:
        if device.lower() in camera.name.lower():
            return camera.index
    listed = "; ".join(f"{c.index}: {c.name}" for c in there) or "none"
    raise CaptureError(f"no camera {device!r}; there are: {listed}")


class OpenCvCamera:
    """A camera that OpenCV opened."""

    def __init__(self, device: int | str, width: int, height: int, rate: float) -> None:
        """Open a camera.

        Raises:
            CaptureError: if it is not there or another program has it.
        """
        import cv2

        self._cv2: Any = cv2
        # OpenCV writes its own account of every failure otherwise.
        with quiet_stderr():
            self._capture: Any = cv2.VideoCapture(device)
        if not self._capture.isOpened():
            self._capture.release()
            there = "; ".join(f"{c.index}: {c.name}" for c in cameras()) or "none"
            raise CaptureError(
                f"camera {device} cannot be opened (cameras found: {there}): plug it in, close "
                "other programs that use it, or allow this one to (in a container: pass "
                "/dev/video0)"
            )
        # Most cameras give large pictures at full rate only as MJPEG.
        self._capture.set(cv2.CAP_PROP_FOURCC, cv2.VideoWriter.fourcc(*"MJPG"))
        self._capture.set(cv2.CAP_PROP_FRAME_WIDTH, width)
        self._capture.set(cv2.CAP_PROP_FRAME_HEIGHT, height)
        self._capture.set(cv2.CAP_PROP_FPS, rate)
        self._capture.set(cv2.CAP_PROP_BUFFERSIZE, 1)

    def grab(self) -> bool:
        """Wait for the next picture; False if none came."""
        try:
            return bool(self._capture.grab())
        except self._cv2.error:
            return False

    def timestamp(self) -> int | None:
        """When the grabbed picture was taken: the driver's time stamp, where it gives one."""
        milliseconds = float(self._capture.get(self._cv2.CAP_PROP_POS_MSEC))
        if not np.isfinite(milliseconds) or milliseconds <= 0:
            return None
        return round(milliseconds * SAMPLE_RATE / 1000)

    def retrieve(self) -> Picture | None:
        """Decode the grabbed picture; None if it is damaged."""
        try:
            whole, image = self._capture.retrieve()
        except self._cv2.error:
            return None
        if not whole or image is None or image.ndim != 3 or image.size == 0:
            return None
        rgb: Picture = self._cv2.cvtColor(image, self._cv2.COLOR_BGR2RGB)
        return rgb

    def close(self) -> None:
        """Let go of the camera; a second call does nothing."""
        self._capture.release()
