"""A window holds the sound and the faces that lie in it, wherever segments and the clip end."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

from edge_ser.constants import SAMPLE_RATE
from edge_ser.frontends.face_tracks import Sighting
from edge_ser.media.media import clip_from_arrays
from edge_ser.pipeline.clip_evidence import ClipEvidence
from edge_ser.pipeline.encoders import Encoded, EncodedFaces
from edge_ser.pipeline.timing import StageTimer


class Listening:
    """Encoders whose tokens are what they were given."""

    def audio(self, samples: np.ndarray, *_: object) -> Encoded:
        return Encoded(samples.copy())

    def encode(self, *_: object) -> Encoded:
        return Encoded(None, "no transcript")

    def faces(self, frames: Iterator[Any], *_: object) -> EncodedFaces:
        times = [frame.time for frame in frames]
        tokens = np.array(times, np.float32)[:, None]
        sightings = (Sighting(0, 1, 0.5),) * len(times)
        return EncodedFaces(tokens, tuple(times), sightings, len(times), None, ())


@pytest.mark.parametrize("hop", [0.5, 0.4, 3.0])
@pytest.mark.parametrize("seconds", [2.2, 5.0, 4.7])
def test_a_window_holds_what_lies_in_it(hop: float, seconds: float) -> None:
    sound = np.arange(round(seconds * SAMPLE_RATE), dtype=np.float32) / SAMPLE_RATE / 8
    shown = round(seconds * 5)
    clip = clip_from_arrays(
        samples=sound,
        sample_rate=SAMPLE_RATE,
        frames=np.zeros((shown, 16, 16, 3), np.uint8),
        frame_times=np.arange(shown) / 5,
    )
    encoders: Any = Listening()
    length = 3 * SAMPLE_RATE
    evidence = ClipEvidence(clip, encoders, encoders, length, None, speech_gate=False)
    stops = []
    for segment in evidence.segments(hop, 5.0, StageTimer()):
        start = max(segment.stop - length, 0)
        seen = evidence.until(segment.stop, start, StageTimer())
        heard, faces = seen["audio"].tokens, seen["video"].tokens
        np.testing.assert_array_equal(heard, sound[start : segment.stop])
        times = np.arange(shown) * SAMPLE_RATE // 5
        assert faces is not None
        np.testing.assert_array_equal(faces[:, 0], times[(times >= start) & (times < segment.stop)])
        stops.append(segment.stop)
    assert stops[-1] == max(len(sound), shown * SAMPLE_RATE // 5)


def test_what_fails_on_the_other_thread_is_told() -> None:
    class Failing(Listening):
        def faces(self, *_: object) -> EncodedFaces:
            raise RuntimeError("the detector is broken")

    clip = clip_from_arrays(
        samples=np.ones(SAMPLE_RATE, np.float32) / 2,
        sample_rate=SAMPLE_RATE,
        frames=np.zeros((5, 16, 16, 3), np.uint8),
        frame_times=np.arange(5) / 5,
    )
    encoders: Any = Failing()
    evidence = ClipEvidence(clip, encoders, encoders, SAMPLE_RATE, None, speech_gate=False)
    with pytest.raises(RuntimeError, match="broken"):
        next(evidence.segments(1.0, 5.0, StageTimer()))
