"""Fine-tuning learns, repeats itself, and goes on after it was killed as if nothing was."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any

import lightning
import numpy as np
import pytest
import torch
from tokenizers import Tokenizer, models, pre_tokenizers
from transformers import BertConfig, BertModel

from edge_ser.constants import EMOTIONS
from edge_ser.errors import ConfigError
from edge_ser.export.encoders.text import load_text_encoder
from recipes.command_line import run
from recipes.text_encoder.data import LabelledTexts
from recipes.text_encoder.finetuning import (
    TextFinetuning,
    command,
    finetune_text,
    predict_texts,
    score_texts,
)
from recipes.text_encoder.model import (
    TextEmotionModel,
    TextOptimisation,
    load_text_emotion_model,
    parameter_groups,
)

CUES = ("table", "joy", "tears", "rage", "ghost", "slime", "wow")
FILLERS = tuple(f"w{i}" for i in range(40))


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("encoder")
    words = ["[PAD]", "[UNK]", *CUES, *FILLERS]
    vocabulary = {word: number for number, word in enumerate(words)}
    tokenizer = Tokenizer(models.WordLevel(vocabulary, unk_token=words[1]))
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    tokenizer.save(str(folder / "tokenizer.json"))
    torch.manual_seed(0)
    config = BertConfig(
        vocab_size=len(words),
        hidden_size=32,
        num_hidden_layers=2,
        num_attention_heads=4,
        intermediate_size=64,
        max_position_embeddings=32,
    )
    BertModel(config).save_pretrained(folder)
    return folder


def texts(count: int, seed: int = 0) -> LabelledTexts:
    """Each label has its own cue word among words that say nothing."""
    rng = np.random.default_rng(seed)
    rows, targets = [], np.zeros((count, 7), np.float32)
    for i in range(count):
        words = [FILLERS[k] for k in rng.integers(0, 40, rng.integers(3, 9))]
        for label in {i % 7, int(rng.integers(0, 7)) if i % 5 == 0 else i % 7}:
            words.insert(int(rng.integers(0, len(words))), CUES[label])
            targets[i, label] = 1
        rows.append(" ".join(words))
    return LabelledTexts(tuple(rows), targets)


def config(source: Path, **changes: Any) -> TextFinetuning:
    base = TextFinetuning(
        source=str(source),
        epochs=2,
        batch_size=16,
        held_out_share=0.2,
        validations_per_epoch=1,
        checkpoint_minutes=0.0,
        optimisation=TextOptimisation(learning_rate=3e-3, head_factor=3.0),
        seed=11,
    )
    return dataclasses.replace(base, **changes)


class KilledError(Exception):
    """Stands for a process that ends without any warning."""


class KillAt(lightning.Callback):
    """Ends the run behind a step, before anything else can be saved."""

    def __init__(self, step: int) -> None:
        self.step = step

    def on_train_batch_start(self, trainer: lightning.Trainer, *_: Any) -> None:
        if trainer.global_step == self.step:
            raise KilledError


def weights(model: torch.nn.Module) -> torch.Tensor:
    return torch.cat([p.detach().reshape(-1) for p in model.parameters()])


@pytest.fixture(scope="module")
def whole(source: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, TextEmotionModel]:
    output = tmp_path_factory.mktemp("run") / "whole"
    return output, finetune_text([texts(400)], output, config(source))


def test_it_learns_what_words_mean(source: Path, tmp_path: Path) -> None:
    model = finetune_text([texts(700)], tmp_path / "run", config(source, epochs=8, patience=8))
    scores = score_texts(model, texts(300, seed=9))
    assert scores["macro_f1"] > 0.9
    assert scores["macro_f1_interval"][0] > scores["chance_macro_f1"] + 0.3


def test_a_run_leaves_logs_and_a_model_that_loads(whole: tuple[Path, TextEmotionModel]) -> None:
    output, model = whole
    header = (output / "csv" / "metrics.csv").read_text().splitlines()[0]
    assert {"held_out/macro_f1", "held_out/loss"} <= set(header.split(","))
    assert list((output / "tensorboard").rglob("events.*"))
    again = load_text_emotion_model(output / "model")
    assert torch.equal(weights(again), weights(model))
    assert torch.equal(again.get_buffer("thresholds"), model.get_buffer("thresholds"))
    data = texts(20, seed=5)
    np.testing.assert_allclose(predict_texts(again, data), predict_texts(model, data), atol=1e-6)
    assert load_text_encoder(output / "model").width == 32


def test_the_same_seed_gives_the_same_weights_and_another_one_does_not(
    whole: tuple[Path, TextEmotionModel], source: Path, tmp_path: Path
) -> None:
    torch.rand(17)  # what ran before must not matter
    same = finetune_text([texts(400)], tmp_path / "same", config(source))
    assert torch.equal(weights(same), weights(whole[1]))
    other = finetune_text([texts(400)], tmp_path / "other", config(source, seed=12))
    assert not torch.equal(weights(other), weights(whole[1]))


@pytest.mark.parametrize("step", [7, 20, 33])
def test_a_killed_run_goes_on_to_the_very_same_weights(
    whole: tuple[Path, TextEmotionModel], source: Path, tmp_path: Path, step: int
) -> None:
    output = tmp_path / "run"
    with pytest.raises(KilledError):
        finetune_text([texts(400)], output, config(source), extra_callbacks=[KillAt(step)])
    assert (output / "checkpoints" / "last.ckpt").is_file()
    resumed = finetune_text([texts(400)], output, config(source))
    assert torch.equal(weights(resumed), weights(whole[1]))


def test_another_configuration_does_not_go_on_with_a_run(
    whole: tuple[Path, TextEmotionModel], source: Path
) -> None:
    with pytest.raises(ConfigError, match="another configuration"):
        finetune_text([texts(400)], whole[0], config(source, batch_size=8))


def test_predictions_keep_the_order_of_the_texts(whole: tuple[Path, TextEmotionModel]) -> None:
    data = texts(90, seed=3)
    together = predict_texts(whole[1], data)
    for i in (0, 41, 89):
        alone = predict_texts(whole[1], data.select(np.asarray([i])))
        np.testing.assert_allclose(together[i], alone[0], atol=1e-5)


def test_layers_below_learn_slower_and_embeddings_rest(source: Path) -> None:
    model = TextEmotionModel(load_text_encoder(source))
    options = TextOptimisation(learning_rate=1.0, head_factor=10.0, layer_decay=0.5)
    rates = {id(p): g["lr"] for g in parameter_groups(model, options) for p in g["params"]}
    named = dict(model.named_parameters())
    assert rates[id(named["head.weight"])] == 10.0
    assert rates[id(named["encoder.backbone.encoder.layer.1.output.dense.weight"])] == 1.0
    assert rates[id(named["encoder.backbone.encoder.layer.0.output.dense.weight"])] == 0.5
    table = named["encoder.backbone.embeddings.word_embeddings.weight"]
    assert id(table) not in rates
    assert not table.requires_grad
    free = dataclasses.replace(options, freeze_embeddings=False)
    table.requires_grad_(True)
    rates = {id(p): g["lr"] for g in parameter_groups(model, free) for p in g["params"]}
    assert rates[id(table)] == 0.25


def test_a_damaged_head_is_refused(whole: tuple[Path, TextEmotionModel], tmp_path: Path) -> None:
    whole[1].save(tmp_path)
    (tmp_path / "emotion_head.json").write_text("{")
    with pytest.raises(ConfigError, match="no usable emotion head"):
        load_text_emotion_model(tmp_path)


def test_the_command_trains_scores_and_scores_again(source: Path, tmp_path: Path) -> None:
    data = tmp_path / "data"
    data.mkdir()
    names = ("neutral", "joy", "sadness", "anger", "fear", "disgust", "surprise")
    (data / "labels.txt").write_text("\n".join(names) + "\n")
    for split, count, seed in (("train", 150, 0), ("dev", 40, 1)):
        made = texts(count, seed)
        lines = [
            f"{text}\t{','.join(str(i) for i in np.flatnonzero(target))}\t{split}{n}"
            for n, (text, target) in enumerate(zip(made.texts, made.targets, strict=True))
        ]
        (data / f"{split}.tsv").write_text("\n".join(lines) + "\n")
    (tmp_path / "meld").mkdir()
    for part in ("train", "dev"):
        (tmp_path / "meld" / f"{part}_sent_emo.csv").write_text(
            "Utterance,Speaker,Emotion,Dialogue_ID,Utterance_ID\n"
            + "\n".join(f"{part} {w} table,A,neutral,0,{i}" for i, w in enumerate(FILLERS))
        )
    arguments = [str(data), str(tmp_path / "run"), "--source", str(source), "--epochs", "1"]
    arguments += ["--meld", str(tmp_path / "meld")]
    run(command, arguments)
    every = json.loads((tmp_path / "run" / "scores.json").read_text())
    names = ("GoEmotions", "MELD, neutral")
    assert set(every) == {*names, *(f"{name}, as recognised" for name in names)}
    assert 0 <= every["MELD, neutral"]["given an emotion"] <= 1
    first = every["GoEmotions"]
    assert first["texts"] == 40
    assert set(first["f1"]) == set(EMOTIONS)
    run(command, [*arguments, "--score-only"])
    again = json.loads((tmp_path / "run" / "scores.json").read_text())["GoEmotions"]
    assert again["macro_f1"] == pytest.approx(first["macro_f1"])
    assert again["thresholds"] == pytest.approx(first["thresholds"])
