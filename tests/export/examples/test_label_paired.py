from __future__ import annotations

import numpy as np
import pytest

from edge_ser.constants import EMOTIONS, Modality
from edge_ser.errors import ConfigError
from edge_ser.export.examples.label_paired import Bank, LabelPaired, Pairing, visible_target

NEUTRAL = EMOTIONS.index("neutral")


def _banks() -> dict[Modality, Bank]:
    """Every token's first column is the label, so a drawn token tells where it came from."""
    labels = [i % len(EMOTIONS) for i in range(28)]
    audio = [[np.full((9, 3), label, np.float16)] for label in labels]
    faces = [[np.full((1, 2), label, np.float16)] * 3 for label in labels]
    return {"audio": Bank(audio, labels), "text": Bank(audio, labels), "video": Bank(faces, labels)}


def _source(**pairing: object) -> LabelPaired:
    return LabelPaired(_banks(), EMOTIONS, Pairing.model_validate(pairing), None, 3)


def test_tokens_show_the_label_that_the_example_says() -> None:
    source = _source(examples=300, neutral_pictures=0.0)
    for index in range(300):
        example = source.example(0, index)
        for modality, tokens in example.tokens.items():
            assert set(np.unique(tokens)) == {example.own[modality]}
            assert example.own[modality] in (example.target, NEUTRAL)
        assert example.target in example.own.values()
        assert 1 <= len(example.tokens["video"]) <= 15


def test_shares_are_those_of_the_configuration() -> None:
    source = _source(examples=4000, neutral_share=0.25)
    examples = [source.example(0, i) for i in range(4000)]
    assert np.mean([x.target == NEUTRAL for x in examples]) == pytest.approx(0.25, abs=0.03)
    emotional = [x for x in examples if x.target != NEUTRAL]
    flat = np.mean([x.own["text"] == NEUTRAL for x in emotional])
    assert flat == pytest.approx(0.5, abs=0.04)


def test_an_example_depends_on_seed_epoch_and_index_alone() -> None:
    first, second = _source().example(2, 7), _source().example(2, 7)
    assert first.own == second.own
    assert all(np.array_equal(first.tokens[m], second.tokens[m]) for m in first.tokens)
    later = [_source().example(3, i).target for i in range(20)]
    assert later != [_source().example(2, i).target for i in range(20)]


def test_what_cannot_be_seen_is_not_the_target() -> None:
    source = _source(examples=500)
    mixed = next(
        x
        for x in (source.example(0, i) for i in range(500))
        if x.own["text"] == NEUTRAL != x.target and x.own["audio"] == x.target
    )
    assert visible_target(mixed, ["text"], NEUTRAL) == NEUTRAL
    assert visible_target(mixed, ["audio", "text"], NEUTRAL) == mixed.target


def test_a_bank_without_a_label_is_refused() -> None:
    banks = _banks()
    banks["text"] = Bank(banks["text"].variants[:3], list(banks["text"].labels)[:3])
    with pytest.raises(ConfigError, match="no item has the label 3, 4, 5, 6"):
        LabelPaired(banks, EMOTIONS, Pairing(), None, 0)
    with pytest.raises(ConfigError, match="neutral"):
        LabelPaired(_banks(), ["a", "b"], Pairing(), None, 0)
