"""Pictures to face tensors: detect, take the largest face, turn it upright, cut it out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from edge_ser.bundles.schema import VideoFrontendConfig
from edge_ser.errors import MediaError
from edge_ser.frontends.face_crop import crop_face, luminance
from edge_ser.frontends.faces import Face, FaceDetector
from edge_ser.media.clip import Picture, VideoFrame
from edge_ser.runtime.session import FloatTensor, Session


@dataclass(frozen=True, eq=False)
class FaceCrops:
    """The face of every picture in which one was found."""

    tensor: FloatTensor
    """float32 [faces, 3, size, size], RGB, 0 to 255."""
    times: tuple[int, ...]
    """When each face's picture is shown, in 16 kHz samples."""
    faces: tuple[Face, ...]
    """Where each face is in its picture."""
    reason: str | None
    """Why there is no face at all; None when there is one."""
    notes: tuple[str, ...]
    """What a user should know of the faces that were found, or not."""

    def thumbnail(self, index: int) -> npt.NDArray[np.uint8]:
        """One face as a picture, uint8 [size, size, 3], RGB."""
        channels = np.clip(self.tensor[index], 0, 255).astype(np.uint8)
        return np.ascontiguousarray(channels.transpose(1, 2, 0))


class FaceFrontend:
    """Cuts faces out of pictures.

    Thread contract: immutable; may be called from any thread, also at once.
    """

    def __init__(self, config: VideoFrontendConfig, detector: Session) -> None:
        self._config = config
        self._detector = FaceDetector(detector, config.minimum_detection_score)

    def faces(self, image: Picture) -> list[Face]:
        """Give the faces in a picture, uint8 [height, width, 3], RGB; the largest is the first.

        Raises:
            MediaError: if the array is not such a picture.
            EngineError: if the detector's graph fails.
        """
        return self._detector.faces(_checked(image))

    def crops(self, frames: Sequence[VideoFrame]) -> FaceCrops:
        """Cut the largest face out of every picture that shows one.

        Raises:
            MediaError: if a picture is not uint8 [height, width, 3].
            EngineError: if the detector's graph fails.
        """
        config = self._config
        tensors, times, chosen = [], [], []
        black = small = most = 0
        largest_small = 0.0
        for frame in frames:
            if luminance(_checked(frame.image)) < config.black_level:
                black += 1
                continue
            faces = self._detector.faces(frame.image)
            most = max(most, len(faces))
            if not faces:
                continue
            face = faces[0]
            if face.size < config.minimum_face_pixels:
                small += 1
                largest_small = max(largest_small, face.size)
                continue
            tensors.append(
                crop_face(frame.image, face, config.face_size, config.face_margin, grey=config.grey)
            )
            times.append(frame.time)
            chosen.append(face)
        size = config.face_size
        tensor = np.stack(tensors) if tensors else np.zeros((0, 3, size, size), np.float32)
        count = len(frames)
        reason = None
        if not tensors:
            reason = self._reason(count, black, small, largest_small)
        notes = _notes(count, len(tensors), black, most) if tensors else ()
        return FaceCrops(tensor, tuple(times), tuple(chosen), reason, notes)

    def _reason(self, count: int, black: int, small: int, largest_small: float) -> str:
        if count == 0:
            return "there are no pictures"
        if black == count:
            return "the picture is black" if count == 1 else "the pictures are black"
        if small:
            return (
                f"the face is too small: {largest_small:.0f} pixels, and "
                f"{self._config.minimum_face_pixels} are needed"
            )
        looked = count - black
        where = "the picture" if looked == 1 else f"any of {looked} pictures"
        dark = f"; {black} more are black" if black else ""
        return f"no face found in {where}{dark}"


def _notes(count: int, found: int, black: int, most: int) -> tuple[str, ...]:
    notes = []
    if most > 1:
        notes.append(f"{most} faces in view: the largest is used")
    if found < count:
        dark = f", {black} of which are black" if black else ""
        notes.append(f"no face in {count - found} of {count} pictures{dark}")
    return tuple(notes)


def _checked(image: Picture) -> Picture:
    if (
        not isinstance(image, np.ndarray)
        or image.dtype != np.uint8
        or image.ndim != 3
        or image.shape[2] != 3
        or image.size == 0
    ):
        what = (
            f"{image.dtype} of the shape {image.shape}"
            if isinstance(image, np.ndarray)
            else type(image).__name__
        )
        raise MediaError(f"a picture must be uint8 (height, width, 3) in RGB, not {what}")
    return image
