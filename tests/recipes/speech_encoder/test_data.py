"""Who trains the speech encoder never tests it, and a bundle's splits say so."""

from __future__ import annotations

from pathlib import Path

import pytest

from edge_ser.export.data.splits import PARTS
from edge_ser.export.trials.held_out import known_people
from recipes.default_bundle.data import audio_items
from recipes.speech_encoder.data import ACTED, READ, people_of, speech_corpora


@pytest.mark.data
def test_no_person_is_in_two_parts_and_the_splits_tell_them_apart(data_folder: Path) -> None:
    corpora = speech_corpora(data_folder, 0.3)
    assert set(corpora) == {*ACTED, READ}
    splits = people_of(corpora)
    for corpus in corpora.values():
        people = [{item.speaker for item in corpus.parts[part]} for part in PARTS]
        assert not people[0] & people[1] | people[0] & people[2] | people[1] & people[2]
    for corpus in ("ravdess", "cremad"):
        tested = {item.speaker or "" for item in corpora[corpus].parts["test"]}
        assert tested
        assert not known_people(splits, tested).seen
    assert set(corpora[READ].parts["test"][0].labels) == {"neutral"}


@pytest.mark.data
def test_the_fusion_hears_nobody_whom_the_speech_encoder_was_trained_on(data_folder: Path) -> None:
    corpora = speech_corpora(data_folder, 0.3)
    trained = {i.speaker for c in ("ravdess", "cremad") for i in corpora[c].parts["train"]}
    parts = audio_items(data_folder).parts
    for part in PARTS:
        assert not trained & {item.speaker for item in parts[part]}
    people = [{item.speaker for item in parts[part]} for part in PARTS]
    assert not people[0] & people[1] | people[0] & people[2] | people[1] & people[2]
    assert all(len({item.label for item in parts[part]}) == 7 for part in PARTS)
