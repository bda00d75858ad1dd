"""Pairing: modalities of different clips side by side, but never of different labels."""

from __future__ import annotations

import numpy as np
import pytest
from pydantic import ValidationError

from edge_ser.export.examples.token_augmentation import TokenAugmentation
from edge_ser.export.training.examples import Clips

TARGETS = [0, 1, 2] * 8
WITHOUT_FACE = (3, 4)


def clips(pairing: float | None) -> Clips:
    """Clips whose tokens all hold the clip's number; two have no face."""
    audio = [[np.full((6, 2), i, np.float32)] for i in range(len(TARGETS))]
    face = [
        [np.full((0 if i in WITHOUT_FACE else 1, 3), i, np.float32)] for i in range(len(TARGETS))
    ]
    options = None if pairing is None else TokenAugmentation(pairing=pairing)
    return Clips({"audio": audio, "video": face}, TARGETS, options, seed=4)


def drawn(made: Clips, epochs: int = 6) -> list[tuple[int, int, int]]:
    """For every example with a face: its number, the sound's clip and the face's."""
    found = []
    for epoch in range(epochs):
        for index in range(len(TARGETS)):
            example = made.example(epoch, index)
            assert example.target == TARGETS[index]
            assert (len(example.tokens["video"]) == 0) == (index in WITHOUT_FACE)
            if index not in WITHOUT_FACE:
                audio, face = (int(example.tokens[m][0, 0]) for m in ("audio", "video"))
                found.append((index, audio, face))
    return found


def test_a_face_comes_from_a_clip_of_the_same_label() -> None:
    found = drawn(clips(1.0))
    assert all(audio == index for index, audio, _ in found)
    assert all(TARGETS[face] == TARGETS[index] for index, _, face in found)
    assert not {face for *_, face in found} & set(WITHOUT_FACE)
    # Any of the seven or eight clips of a label may be drawn, the clip's own too.
    own = np.mean([face == index for index, _, face in found])
    assert 0.02 < own < 0.4
    assert len({face for index, _, face in found if index == 0}) > 2


def test_the_share_is_kept() -> None:
    other = np.mean([face != index for index, _, face in drawn(clips(0.5), epochs=20)])
    assert 0.35 < other < 0.52


@pytest.mark.parametrize("pairing", [0.0, None])
def test_without_pairing_clips_stay_whole(pairing: float | None) -> None:
    assert all(index == audio == face for index, audio, face in drawn(clips(pairing)))


def test_the_same_epoch_gives_the_same_pairs() -> None:
    assert drawn(clips(0.5)) == drawn(clips(0.5))
    assert drawn(clips(0.5), 1) != drawn(clips(0.5), 2)[len(TARGETS) - len(WITHOUT_FACE) :]


def test_a_share_is_between_nothing_and_all() -> None:
    with pytest.raises(ValidationError, match="pairing"):
        TokenAugmentation(pairing=1.2)
