"""Whose face it is: faces followed from picture to picture, and one person chosen for a window."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from edge_ser.constants import SAMPLE_RATE
from edge_ser.frontends.faces import Face, FaceDetector
from edge_ser.media.clip import Picture

# How far a face may be from where it was expected, in its own sizes: at once, and more for every
# second in which it was not seen. People side by side are further apart; a head that is not seen
# for some pictures has moved no further.
_REACH: Final = 0.7
_REACH_PER_SECOND: Final = 1.5
_LONGEST_REACH: Final = 3.0

# A face goes on as it moved for so long when it is not seen; then it is expected to wait there.
_GOES_ON: Final = SAMPLE_RATE // 2

# Who was not seen for so long is not there any more: somebody else may be followed.
_GONE: Final = SAMPLE_RATE

# Who else comes into view is noticed within so long.
_LOOK_AROUND: Final = SAMPLE_RATE

# Who comes back later is a new person; longer than any window, so that a head that turns away and
# back is one.
_FORGOTTEN: Final = 10 * SAMPLE_RATE


@dataclass(frozen=True)
class Sighting:
    """Whose face was taken from a picture."""

    track: int
    """Number of the person, from 0."""
    in_view: int
    """Faces in the picture."""
    place: float
    """Where the face's middle is, 0 at the picture's left border and 1 at its right one."""


@dataclass(eq=False)
class _Track:
    number: int
    face: Face
    time: int
    # Pixels that the keypoints move in a sample, [2].
    motion: npt.NDArray[np.float64]

    def distance(self, face: Face, time: int) -> float:
        """How unlike a face is to what is expected now, in sizes of the face; inf: another one's.

        The mean distance of the keypoints tells what the overlap of the boxes tells, and goes on
        where they overlap no more; who comes near or goes away is told by the size.
        """
        ahead = self.motion * min(time - self.time, _GOES_ON)
        unseen = (time - self.time) / SAMPLE_RATE
        reach = min(_REACH + _REACH_PER_SECOND * unseen, _LONGEST_REACH)
        gone_on, stayed = (self._apart(face, moved) for moved in (ahead, np.zeros(2)))
        # A head that turns back is where it was, not where it was heading for.
        return gone_on if min(gone_on, stayed) <= reach else float("inf")

    def _apart(self, face: Face, moved: npt.NDArray[np.float64]) -> float:
        apart = face.keypoints - (self.face.keypoints + moved)
        size = (face.size + self.face.size) / 2
        return float(np.hypot(*apart.T).mean() / size + abs(np.log(face.size / self.face.size)))

    def see(self, face: Face, time: int) -> None:
        """The face was seen again."""
        passed = max(time - self.time, 1)
        moved = (face.keypoints - self.face.keypoints).mean(axis=0) / passed
        # Half of what it was: a detection trembles, a person who walks does not.
        self.motion = (self.motion + moved) / 2
        self.face, self.time = face, time


class FaceTracker:
    """Follows the faces of one camera or clip, and stays with one person while they are there.

    Thread contract: belongs to one thread.
    """

    def __init__(self) -> None:
        """Begin with nobody seen."""
        self._tracks: list[_Track] = []
        self._count = 0
        self._followed: _Track | None = None
        self._alone: tuple[Face, tuple[int, ...]] | None = None
        self._looked_around = 0

    def look(self, detector: FaceDetector, image: Picture, time: int) -> list[Face]:
        """Give the faces of the next picture, largest first.

        Where one person was alone in the picture before, their face is looked for where it was, and
        elsewhere only where that does not show it, and once a second, to see who else has come.

        Args:
            detector: finds them.
            image: uint8 [height, width, 3], RGB.
            time: when it is shown, in 16 kHz samples.

        Raises:
            EngineError: if the detector's graph fails.
        """
        again: Face | None = None
        if self._alone is not None and time - self._looked_around < _LOOK_AROUND:
            face, shape = self._alone
            again = detector.face_again(image, face) if shape == image.shape else None
        if again is None:
            faces = detector.faces(image)
            self._looked_around = time
        else:
            faces = [again]
        self._alone = (faces[0], image.shape) if len(faces) == 1 else None
        return faces

    def follow(self, faces: Sequence[Face], time: int, width: int) -> tuple[Face, Sighting]:
        """Choose the face of the person who is followed.

        Where they are not seen, the largest face that is there is taken; where they have not been
        seen for a second, its person is followed from now on.

        Args:
            faces: of one picture, at least one, largest first.
            time: when the picture is shown, in 16 kHz samples, not before the last one.
            width: of the picture in pixels.
        """
        seen = self._tracked(faces, time)
        followed = self._followed
        if followed is None or time - followed.time > _GONE:
            followed = self._followed = seen[0]
        chosen = followed if followed in seen else seen[0]
        left, _, wide, _ = chosen.face.box
        place = (left + wide / 2) / width
        return chosen.face, Sighting(chosen.number, len(faces), place)

    def _tracked(self, faces: Sequence[Face], time: int) -> list[_Track]:
        """The track of each face: the nearest pairs first, new ones for who is left."""
        self._tracks = [t for t in self._tracks if time - t.time <= _FORGOTTEN]
        pairs = sorted(
            (distance, index, track.number, track)
            for track in self._tracks
            for index, face in enumerate(faces)
            if np.isfinite(distance := track.distance(face, time))
        )
        found: dict[int, _Track] = {}
        for _, index, _, track in pairs:
            if index not in found and track not in found.values():
                found[index] = track
        for index, face in enumerate(faces):
            if index in found:
                found[index].see(face, time)
            else:
                found[index] = _Track(self._count, face, time, np.zeros(2))
                self._count += 1
                self._tracks.append(found[index])
        return [found[index] for index in range(len(faces))]


def one_person(sightings: Sequence[Sighting]) -> tuple[list[int], str | None]:
    """Choose whose face a window rests on: who is seen most often, the latest of several.

    Returns:
        Indices of their sightings, and a note of who it is where there were several people.
    """
    counts = Counter(s.track for s in reversed(sightings))
    chosen = max(counts, key=lambda track: counts[track], default=None)
    kept = [index for index, s in enumerate(sightings) if s.track == chosen]
    people = max([len(counts), *(s.in_view for s in sightings)])
    if people < 2:
        return kept, None
    place = float(np.mean([sightings[index].place for index in kept]))
    where = "on the left" if place < 1 / 3 else "on the right" if place > 2 / 3 else "in the middle"
    note = f"{people} faces in view: the one {where} is followed"
    left_out = len(sightings) - len(kept)
    if left_out:
        note += f"; {left_out} of {len(sightings)} pictures that show others alone are left out"
    return kept, note
