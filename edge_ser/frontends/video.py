"""Pictures to face tensors: detect, follow one person, turn their face upright, cut it out."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from edge_ser.bundles.schema import VideoFrontendConfig
from edge_ser.errors import MediaError
from edge_ser.frontends.face_tracks import FaceTracker, Sighting, one_person
from edge_ser.frontends.faces import Face, FaceDetector
from edge_ser.kernels import crop_face, luminance
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
    sightings: tuple[Sighting, ...]
    """Whose face each is."""
    pictures: int
    """Pictures that were looked at."""
    reason: str | None
    """Why there is no face at all; None when there is one."""
    notes: tuple[str, ...]
    """What a user should know of the faces that were found, or not."""

    def of_one_person(self) -> FaceCrops:
        """The faces of the one person whom a window of these pictures rests on."""
        kept, note = one_person(self.sightings)
        return replace(
            self,
            tensor=self.tensor[kept],
            times=tuple(self.times[i] for i in kept),
            faces=tuple(self.faces[i] for i in kept),
            sightings=tuple(self.sightings[i] for i in kept),
            notes=self.notes if note is None else (note, *self.notes),
        )

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

    def crops(self, frames: Iterable[VideoFrame], tracker: FaceTracker | None = None) -> FaceCrops:
        """Cut a face out of every picture that shows one: that of the person who is followed.

        Args:
            frames: pictures in the order of their times.
            tracker: has followed people through the pictures before; None begins with these.

        Raises:
            MediaError: if a picture is not uint8 [height, width, 3].
            EngineError: if the detector's graph fails.
        """
        config = self._config
        tracker = FaceTracker() if tracker is None else tracker
        tensors, times, chosen, sightings = [], [], [], []
        count = black = small = 0
        largest_small = 0.0
        for frame in frames:
            count += 1
            if luminance(_checked(frame.image)) < config.black_level:
                black += 1
                continue
            faces = tracker.look(self._detector, frame.image, frame.time)
            if not faces:
                continue
            usable = [f for f in faces if f.size >= config.minimum_face_pixels]
            if not usable:
                small += 1
                largest_small = max(largest_small, faces[0].size)
                continue
            face, sighting = tracker.follow(usable, frame.time, frame.image.shape[1])
            place = (face.box, face.keypoints, config.face_size, config.face_margin)
            tensors.append(crop_face(frame.image, *place, grey=config.grey))
            times.append(frame.time)
            chosen.append(face)
            sightings.append(replace(sighting, in_view=len(faces)))
        size = config.face_size
        tensor = np.stack(tensors) if tensors else np.zeros((0, 3, size, size), np.float32)
        reason = None
        if not tensors:
            reason = self._reason(count, black, small, largest_small)
        notes = _notes(count, len(tensors), black) if tensors else ()
        return FaceCrops(
            tensor, tuple(times), tuple(chosen), tuple(sightings), count, reason, notes
        )

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


def _notes(count: int, found: int, black: int) -> tuple[str, ...]:
    if found == count:
        return ()
    dark = f", {black} of which are black" if black else ""
    return (f"no face in {count - found} of {count} pictures{dark}",)


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
