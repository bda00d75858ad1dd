from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from fixtures.manifest_factory import LABELS, make_config, make_manifest, voice

from edge_ser.errors import ConfigError
from edge_ser.export.encoders.speech import SpeechEncoder, SpeechEncoderConfig
from edge_ser.export.evaluation.subject import evaluate_model
from edge_ser.export.training.checkpoint import read_trained
from edge_ser.export.training.config import load_config
from edge_ser.export.training.run import train
from edge_ser.export.training.speech import tuned as tuned_speech
from edge_ser.export.training.speech.config import SpeechFinetuning
from edge_ser.export.training.speech.finetuning import (
    AudioExamples,
    LabelledAudio,
    SpeechTask,
    collate_audio,
    finetune_speech,
    mask_spectrum,
)

CONFIG = SpeechFinetuning(
    epochs=4, batch_size=4, learning_rate=1e-3, head_learning_rate=1e-2, patience=99
)


def _encoder(seed: int = 0) -> SpeechEncoder:
    torch.manual_seed(seed)
    return SpeechEncoder(SpeechEncoderConfig(width=32, heads=2, layers=1))


def _audio(people: str, seed: int) -> LabelledAudio:
    targets = [i % 2 for i in range(8)]
    samples = [voice(LABELS[t], seed + i, 0.5 + 0.1 * (i % 3)) for i, t in enumerate(targets)]
    return LabelledAudio(samples, targets, [people[i % len(people)] for i in range(8)])


def _weights(encoder: SpeechEncoder) -> torch.Tensor:
    return torch.cat([p.detach().flatten() for p in encoder.parameters()])


def test_it_learns_and_a_stopped_run_ends_as_one_that_was_not(tmp_path: Path) -> None:
    parts = _audio("ab", 0), _audio("cd", 50)
    before = _weights(_encoder())
    straight = finetune_speech(_encoder(), *parts, 2, CONFIG, tmp_path / "a", threads=2)
    logged = next((tmp_path / "a").rglob("metrics.csv")).read_text()
    assert "validation_recall" in logged
    assert not torch.equal(before, _weights(straight))
    stop = {"max_epochs": 2}
    finetune_speech(_encoder(), *parts, 2, CONFIG, tmp_path / "b", threads=2, trainer=stop)
    again = finetune_speech(_encoder(1), *parts, 2, CONFIG, tmp_path / "b", threads=2)
    last = [
        torch.load(tmp_path / x / "last.ckpt", weights_only=True)["state_dict"] for x in ("a", "b")
    ]
    assert all(torch.equal(last[0][name], last[1][name]) for name in last[0])
    assert again.training is False


def test_people_who_train_choose_no_epoch(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="b are in both"):
        finetune_speech(_encoder(), _audio("ab", 0), _audio("bc", 9), 2, CONFIG, tmp_path)
    nobody = LabelledAudio([], [], [])
    with pytest.raises(ConfigError, match="nobody"):
        finetune_speech(_encoder(), _audio("ab", 0), nobody, 2, CONFIG, tmp_path)


def test_augmentation_differs_between_epochs_and_repeats_within_one() -> None:
    examples = AudioExamples(_audio("a", 0), CONFIG, 3, augment=True)
    first = examples[1][0]
    assert np.array_equal(first, examples[1][0])
    examples.epoch = 1
    other = examples[1][0]
    assert first.shape != other.shape or not np.array_equal(first, other)
    plain = AudioExamples(_audio("a", 0), CONFIG, 3, augment=False)
    plain.epoch = 1
    assert plain[1][0].shape == (80, 60)
    config = SpeechFinetuning(longest_seconds=0.4)
    assert AudioExamples(_audio("a", 0), config, 3, augment=False)[1][0].shape == (80, 40)


def test_masks_hide_no_more_than_they_may() -> None:
    generator = np.random.default_rng(0)
    picture = generator.standard_normal((80, 100)).astype(np.float32)
    config = SpeechFinetuning(frequency_masks=1, time_masks=1)
    hidden = [mask_spectrum(picture, config, generator) != picture for _ in range(50)]
    assert max(int(x.all(1).sum()) for x in hidden) <= config.frequency_mask_bands
    assert max(int(x.all(0).sum()) for x in hidden) <= 10
    assert any(x.any() for x in hidden)
    none = SpeechFinetuning(frequency_masks=0, time_masks=0)
    assert np.array_equal(mask_spectrum(picture, none, generator), picture)


def test_padding_does_not_change_an_answer() -> None:
    task = SpeechTask(_encoder(), 2, CONFIG, 1, torch.ones(2), 0).eval()
    examples = AudioExamples(_audio("a", 0), CONFIG, 0, augment=False)
    short, long = examples[0], examples[2]
    assert short[0].shape[1] < long[0].shape[1]
    with torch.no_grad():
        alone = collate_audio([short])
        both = collate_audio([short, long])
        first = task(alone.log_mel, alone.mask)[0]
        second = task(both.log_mel, both.mask)[0]
    # The convolution over the border sees padding instead of nothing, and no more.
    assert torch.allclose(first, second, atol=0.05)


@pytest.mark.timeout(600)
def test_a_run_trains_the_encoder_of_each_fold_and_keeps_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def load(_: object, config: SpeechEncoderConfig) -> SpeechEncoder:
        torch.manual_seed(4)
        return SpeechEncoder(config)

    monkeypatch.setattr(tuned_speech, "load_speech_encoder", load)
    data = make_manifest(tmp_path / "data", faces=False, bad=False).parent
    section = {"name": "manifest", "manifest": "clips.csv", "modalities": ["audio"], "folds": 2}
    section["speech_layers"] = [1]
    file = make_config(
        tmp_path / "a.yaml",
        data=section,
        optimisation={"epochs": 1, "batch_size": 6},
        finetune={"epochs": 1, "batch_size": 4},
    )
    where = {"cache": tmp_path / "cache", "folds": ["fold-1"]}
    run = train(load_config(file), data, tmp_path / "run", **where)
    fold = tmp_path / "run" / "fold-1"
    weights = fold / "speech.safetensors"
    made = weights.stat().st_mtime_ns
    found = evaluate_model(fold, data, cache=tmp_path / "cache").folds[0]
    assert np.allclose(found.log_probabilities, run.folds[0].log_probabilities, atol=1e-3)
    assert weights.stat().st_mtime_ns == made
    assert run.folds[0].parameters > 1_000_000
    weights.unlink()
    assert read_trained(fold).folder == fold
    with pytest.raises(ConfigError, match="keep the checkpoint inside its run"):
        evaluate_model(fold, data, cache=tmp_path / "cache")
