"""The shipped fusion's calibration: fitted on validation people, whose examples are known."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from edge_ser.bundles.schema import SUBSETS, SubsetCalibration
from edge_ser.constants import EMOTIONS
from edge_ser.export.examples.example import Example
from edge_ser.export.examples.label_paired import Bank, LabelPaired, Pairing, visible_target
from edge_ser.export.models.config import FusionConfig
from edge_ser.export.models.fusion import Fusion, make_fusion
from edge_ser.export.models.speech_head import SpeechHead
from edge_ser.export.scoring.transfer import TransferCalibration
from edge_ser.export.training.fusion_task import logits_of
from recipes.default_bundle import fusion as default_fusion
from recipes.default_bundle.data import Banks
from recipes.speech_encoder.transfer import Fit

WIDTHS = {"audio": 6, "text": 5, "video": 4}


def _banks(seed: int) -> dict[str, Bank]:
    generator = np.random.default_rng(seed)
    labels = [i % len(EMOTIONS) for i in range(42)]
    banks = {}
    for modality, width in WIDTHS.items():
        variants = [
            [
                generator.standard_normal((1 if modality == "video" else 4, width)).astype("f4")
                + np.eye(len(EMOTIONS), width, dtype="f4")[label] * 2
                for _ in range(2)
            ]
            for label in labels
        ]
        people = [f"{modality} person {i % 6}" for i in range(42)]
        banks[modality] = Bank(variants, labels, people)
    return banks


@pytest.fixture(scope="module")
def fusion() -> Fusion:
    torch.manual_seed(0)
    config = FusionConfig(labels=len(EMOTIONS), inputs=WIDTHS, width=16, attention_heads=2)
    return make_fusion(config).eval()


def test_every_subset_is_fitted_and_scored_before_and_after(
    fusion: Fusion, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(default_fusion, "PAIRS", 40)
    parts = {part: _banks(seed) for seed, part in enumerate(("train", "validation", "test"))}
    heard = Fit(TransferCalibration(1.7, 0.4, default_fusion.NEUTRAL), 0.61)
    found = default_fusion.calibrate(fusion, Banks(parts, {}, ()), heard, 7)
    assert set(found.calibration) == set(SUBSETS)
    # Its temperature and bias lie in the fusion's head.
    assert found.calibration["audio"] == SubsetCalibration(minimum_confidence=0.61)
    for value in found.calibration.values():
        assert len(value.bias) in (0, len(EMOTIONS))
        assert 0.05 <= value.temperature <= 20
        assert 0 < value.minimum_confidence < 1
    metrics = {(s.task, s.metric) for s in found.scores}
    for subset in SUBSETS:
        for metric in ("accuracy", "calibration error before", "calibration error after"):
            assert (f"emotion from {subset}", metric) in metrics


def test_numbered_examples_are_the_label_paired_ones_and_name_their_people(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(default_fusion, "PAIRS", 30)
    banks = _banks(3)
    got, people = default_fusion._triples(banks, ("text", "video"), 11)
    source = LabelPaired(banks, EMOTIONS, Pairing(examples=30), None, 11)
    for number, example in enumerate(got):
        whole: Example = source.example(0, number)
        for modality in ("text", "video"):
            np.testing.assert_array_equal(example.tokens[modality], whole.tokens[modality])
        assert example.target == visible_target(whole, ("text", "video"), default_fusion.NEUTRAL)
        owners = [
            person
            for variants, person in zip(banks["text"].variants, banks["text"].people, strict=True)
            if any(np.array_equal(v, whole.tokens["text"]) for v in variants)
        ]
        assert people[number] in owners


def test_sound_alone_is_what_the_speech_encoders_head_says() -> None:
    parts = {part: _banks(seed) for seed, part in enumerate(("train", "validation", "test"))}
    head = SpeechHead(4, len(EMOTIONS))
    made = default_fusion.train_default_fusion(Banks(parts, {}, ()), 2, head.state_dict(), 7, None)
    tokens = torch.from_numpy(parts["test"]["audio"].variants[0][0])[None]
    mask = torch.ones(tokens.shape[:2])
    heard = logits_of(made, {"audio": (tokens, mask)})
    torch.testing.assert_close(heard, head(tokens[..., :4], mask).detach())
