"""A fusion on several corpora: what is drawn, and which labels count."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import numpy as np
import pytest
import torch
from fixtures.manifest_factory import make_config, make_manifest, voice, write_clip

from edge_ser.errors import ConfigError
from edge_ser.export.data.corpora import CorpusSource
from edge_ser.export.encoders.speech import SpeechEncoder, SpeechEncoderConfig
from edge_ser.export.evaluation.subject import evaluate_model
from edge_ser.export.examples.token_augmentation import TokenAugmentation
from edge_ser.export.models.config import FusionConfig
from edge_ser.export.training.config import Optimisation, load_config, validated
from edge_ser.export.training.corpora import DrawnClips
from edge_ser.export.training.examples import Clips, collate, column_statistics
from edge_ser.export.training.fit import Fitting, fit
from edge_ser.export.training.fusion_task import logits_of
from edge_ser.export.training.run import train
from edge_ser.export.training.speech import tuned as tuned_speech

LABELS = 3


def _source(**more: object) -> CorpusSource:
    return CorpusSource.model_validate({"manifest": "clips.csv", **more})


def _clips(targets: list[int], far: float = 1.0) -> tuple[Clips, list]:
    """Clips whose label is the mean of column 0."""
    generator = np.random.default_rng(0)
    rows = []
    for target in targets:
        tokens = generator.standard_normal((8, 4)).astype(np.float32)
        tokens[:, 0] += far * target
        rows.append([tokens])
    return Clips({"audio": rows}, targets), rows


def test_weights_and_labels_decide_what_is_drawn_and_others_labels_are_masked() -> None:
    targets = [0] * 15 + [1] + [2] * 64 + [0] * 16
    whose = ["a"] * 16 + ["b"] * 64 + ["read"] * 16
    corpora = {
        "a": _source(weight=2.0),
        "b": _source(),
        "gone": _source(),
        "read": _source(open_labels=True),
    }
    drawn = DrawnClips(_clips(targets)[0], targets, whose, corpora, LABELS, seed=1)
    several = [drawn.example(0, i) for i in range(2000)]
    masks = Counter(tuple(x.allowed.tolist()) for x in several if x.allowed is not None)
    a, b, read = (True, True, False), (False, False, True), (True, True, True)
    assert set(masks) == {a, b, read}
    # Roots 4, 8 and 4, the first twice.
    assert masks[a] / 2000 == pytest.approx(8 / 20, abs=0.04)
    assert masks[b] / 2000 == pytest.approx(8 / 20, abs=0.04)
    rare = sum(x.target == 1 for x in several)
    assert rare / masks[a] == pytest.approx(0.5, abs=0.06)
    again = DrawnClips(_clips(targets)[0], targets, whose, corpora, LABELS, seed=1)
    np.testing.assert_array_equal(
        again.example(3, 7).tokens["audio"], drawn.example(3, 7).tokens["audio"]
    )


@pytest.mark.parametrize("mixup", [0.0, 0.4])
def test_a_label_that_a_corpus_lacks_is_not_unlearned(mixup: float) -> None:
    """Corpus b sounds a little like label 2 of corpus a, and has no label 2."""
    targets = [0] * 40 + [2] * 40 + [0] * 40 + [1] * 40
    whose = ["a"] * 80 + ["b"] * 80
    clips, rows = _clips(targets)
    likely = {}
    for is_open in (False, True):
        corpora = {"a": _source(), "b": _source(open_labels=is_open)}
        fitting = Fitting(
            FusionConfig(
                labels=LABELS, inputs={"audio": 4}, prosody=0, width=16, attention_heads=2
            ),
            Optimisation(epochs=6, batch_size=16, learning_rate=5e-3),
            TokenAugmentation(mixup=mixup),
            seed=3,
        )
        drawn = DrawnClips(clips, targets, whose, corpora, LABELS, seed=3)
        fusion = fit(fitting, drawn, None, {"audio": column_statistics(rows)}, None)
        batch = collate([clips.example(0, i) for i in range(120, 160)])
        likely[is_open] = float(logits_of(fusion, batch.tokens).softmax(1)[:, 2].mean())
    assert likely[False] > likely[True] + 0.05


def _two(tmp_path: Path) -> Path:
    data = tmp_path / "data"
    make_manifest(data / "one", faces=False)
    make_manifest(data / "two", faces=False, bad=False)
    for number, file in enumerate((data / "two").glob("*.wav")):
        write_clip(file, voice(file.stem.split("-")[1], number))
    return data


def _section(**more: object) -> dict[str, object]:
    return {
        "name": "manifest",
        "corpora": {
            "one": {"manifest": "one/clips.csv", "labels": {"neutral": "calm"}},
            "two": {"manifest": "two/clips.csv", "weight": 0.5},
        },
        "split": "corpora",
        "modalities": ["audio", "text"],
        **more,
    }


@pytest.mark.timeout(600)
def test_a_run_leaves_each_corpus_out_and_tunes_the_encoder_on_the_others(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def load(_: object, config: SpeechEncoderConfig) -> SpeechEncoder:
        torch.manual_seed(4)
        assert config.loudest is not None
        return SpeechEncoder(config)

    monkeypatch.setattr(tuned_speech, "load_speech_encoder", load)
    data = _two(tmp_path)
    config = load_config(
        make_config(
            tmp_path / "a.yaml",
            data=_section(speech_layers=[1], augmented=1),
            optimisation={"epochs": 1, "batch_size": 6},
            finetune={"epochs": 1, "steps_an_epoch": 1, "batch_size": 4, "longest_seconds": 0.5},
        )
    )
    run, cache = tmp_path / "run", tmp_path / "cache"
    result = train(config, data, run, cache=cache)
    assert result.labels == ("angry", "calm", "neutral")
    assert [fold.fold for fold in result.folds] == ["without-one", "without-two"]
    assert all(name.startswith("one/") for name in result.folds[0].names)
    # What was heard is made once for both folds: a folder a corpus.
    assert len(list((cache / "log_mels").iterdir())) == 2
    fold = run / "without-one"
    again = evaluate_model(fold, data, cache=cache).folds[0]
    np.testing.assert_allclose(
        again.log_probabilities, result.folds[0].log_probabilities, atol=1e-3
    )


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"data": {"name": "manifest"}}, "name one manifest, or several corpora"),
        ({"data": _section(manifest="clips.csv")}, "name one manifest, or several corpora"),
        (
            {"data": _section(corpora={"one": {"manifest": "one/clips.csv"}})},
            "needs two corpora that are not open_labels",
        ),
        ({"data": _section(), "optimisation": {"class_balance": 0.5}}, "leave class_balance out"),
        ({"data": _section(), "finetune": {"steps": 4}}, r"finetune\.steps: Extra inputs"),
        (
            {"data": {"name": "manifest", "manifest": "a.csv"}, "finetune": {"steps_an_epoch": 4}},
            r"finetune\.steps_an_epoch: Extra inputs",
        ),
    ],
)
def test_corpora_that_cannot_train_are_refused(changes: dict[str, object], reason: str) -> None:
    with pytest.raises(ConfigError, match=reason):
        validated({"name": "run", **changes}, "run.yaml")
