"""Faces of the recent past: each sampled picture is looked at once, its token kept for a window."""

from __future__ import annotations

import zlib
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Protocol

import numpy as np

from edge_ser.constants import SAMPLE_RATE
from edge_ser.frontends.face_tracks import FaceTracker, Sighting, one_person
from edge_ser.media.clip import Picture, PictureSampler, VideoFrame
from edge_ser.pipeline.encoders import Encoded, EncodedFaces
from edge_ser.pipeline.timing import StageTimer
from edge_ser.runtime.session import FloatTensor
from edge_ser.streaming.tally import Tally

FROZEN_AFTER: Final = 2 * SAMPLE_RATE
"""Equal pictures over so many samples are a camera that hangs: a sensor's noise never repeats."""

_OLD = SAMPLE_RATE


class EncodesFaces(Protocol):
    """What makes tokens of pictures: `edge_ser.pipeline.encoders.Encoders`."""

    def faces(
        self, frames: Sequence[VideoFrame], timer: StageTimer, tracker: FaceTracker
    ) -> EncodedFaces:
        """Encode the face of each picture that shows one."""


@dataclass(frozen=True, eq=False)
class _Seen:
    time: int
    face: tuple[FloatTensor, Sighting] | None
    """The token of a face, and whose it is."""
    reason: str | None
    notes: tuple[str, ...]
    same_since: int
    """When the camera began to deliver exactly this picture."""


class SeenFaces:
    """Thread contract: belongs to one thread. Times are samples since the stream's origin."""

    def __init__(
        self, encoders: EncodesFaces, pictures_per_second: float, longest: int, tally: Tally
    ) -> None:
        """Begin with nothing seen.

        Args:
            encoders: detector and face encoder.
            pictures_per_second: pictures that are looked at; the others are passed over.
            longest: samples of the past that are kept.
            tally: counts pictures that are late or left out.
        """
        self._encoders = encoders
        self._sampler = PictureSampler(pictures_per_second)
        self._longest = longest
        self._tally = tally
        self._tracker = FaceTracker()
        self._seen: deque[_Seen] = deque()
        self._newest: int | None = None
        self._sampled = 0
        self._digest: int | None = None
        self._same_since = 0

    @property
    def newest(self) -> int | None:
        """Time of the newest picture, looked at or not; None before the first."""
        return self._newest

    def look(self, image: Picture, time: int, divisor: int, timer: StageTimer) -> None:
        """Take a picture and, if it is sampled, find and encode a face in it.

        Args:
            image: uint8 [height, width, 3], RGB.
            time: when it was captured.
            divisor: of the sampled pictures only one in so many is looked at.
            timer: gets the stages ``face_detection`` and ``face``.
        """
        if self._newest is not None and time <= self._newest:
            self._tally.add("pictures_late")
            return
        self._newest = time
        if not self._sampler.wants(time):
            return
        self._sampled += 1
        if self._sampled % divisor:
            self._tally.add("pictures_shed")
            return
        digest = zlib.crc32(image[::4, ::4].tobytes())
        repeated = digest == self._digest
        if not repeated:
            self._digest, self._same_since = digest, time
        if repeated and self._seen:
            last = self._seen[-1]
            face, reason, notes = last.face, last.reason, last.notes
        else:
            face, reason, notes = self._encode(image, time, timer)
        self._seen.append(_Seen(time, face, reason, notes, self._same_since))
        while self._seen[0].time <= time - self._longest:
            self._seen.popleft()

    def encoded(self, start: int, stop: int) -> tuple[Encoded, int | None, int | None]:
        """Tokens of the faces in [start, stop), and the times of the oldest and newest of them."""
        if self._newest is None:
            return Encoded(None, "no pictures were given"), None, None
        inside = [s for s in self._seen if start <= s.time < stop]
        if not inside:
            return Encoded(None, _age("there is no picture", stop - self._newest)), None, None
        last = inside[-1]
        same = last.time - max(last.same_since, start)
        if same >= FROZEN_AFTER and last.same_since <= inside[0].time:
            held = (last.time - last.same_since) / SAMPLE_RATE
            reason = f"the picture is frozen: the same one for {held:.1f} s"
            return Encoded(None, reason), None, None
        notes = tuple(dict.fromkeys(note for s in inside for note in s.notes))
        if stop - last.time > _OLD:
            notes = (*notes, _age("the pictures stopped", stop - last.time))
        faces = [(s.time, *s.face) for s in inside if s.face is not None]
        if not faces:
            return Encoded(None, last.reason, notes), None, None
        kept, who = one_person([sighting for _, _, sighting in faces])
        notes = notes if who is None else (who, *notes)
        tokens = np.stack([faces[i][1] for i in kept])
        return Encoded(tokens, None, notes), faces[kept[0]][0], faces[kept[-1]][0]

    def _encode(
        self, image: Picture, time: int, timer: StageTimer
    ) -> tuple[tuple[FloatTensor, Sighting] | None, str | None, tuple[str, ...]]:
        try:
            found = self._encoders.faces([VideoFrame(image, time)], timer, self._tracker)
        except Exception as error:  # one picture that cannot be encoded is not the end
            self._tally.error("encoder_errors", "the face encoder failed", error)
            return None, f"the face encoder failed: {error}", ()
        if len(found.tokens) == 0:
            return None, found.reason or "no face in the picture", found.notes
        token = np.asarray(found.tokens[0], np.float32)
        return (token, found.sightings[0]), None, found.notes


def _age(what: str, samples: int) -> str:
    return f"{what}: the newest is {max(samples, 0) / SAMPLE_RATE:.1f} s old"
