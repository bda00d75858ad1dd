"""Several corpora as one training set: how examples are drawn, and which labels count."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
import torch

from edge_ser.errors import ConfigError
from edge_ser.export.training.masked_loss import masked_cross_entropy
from edge_ser.export.training.speech.config import CorporaTraining
from edge_ser.export.training.speech.corpora import (
    CorporaExamples,
    Corpus,
    between_silences,
    collate_corpora,
    window_of_speech,
)
from edge_ser.export.training.speech.log_mels import LogMels

CONFIG = CorporaTraining(batch_size=50, steps_an_epoch=40, longest_seconds=1.0)


def log_mels(items: int, copies: int = 1, frames: int = 60) -> LogMels:
    """The mean of an item's frames is its number, and a copy's deviation its own."""
    generator = np.random.default_rng(items)
    made = [
        np.concatenate(
            [generator.normal(-3 + 0.01 * i, 0.1, (frames, 80)) - copy for i in range(items)]
        ).astype(np.float16)
        for copy in range(copies + 1)
    ]
    return LogMels(tuple(made), tuple(np.arange(items + 1) * frames for _ in made))


def test_corpora_are_drawn_by_the_root_of_their_size_and_labels_of_each_alike() -> None:
    small = Corpus(log_mels(16), [0] * 4 + [1] * 12)
    large = Corpus(log_mels(64), [2] * 32 + [3] * 32)
    read = Corpus(log_mels(16), [0] * 16, weight=0.5, open_labels=True)
    examples = CorporaExamples({"a": small, "b": large, "c": read}, 4, CONFIG, seed=1)
    drawn = [examples[i] for i in range(len(examples))]
    whose = Counter(tuple(allowed.tolist()) for *_, allowed in drawn)
    a, b, c = (True, True, False, False), (False, False, True, True), (True,) * 4
    assert set(whose) == {a, b, c}
    # Roots 4, 8 and half of 4.
    assert whose[a] / len(drawn) == pytest.approx(4 / 14, abs=0.04)
    assert whose[b] / len(drawn) == pytest.approx(8 / 14, abs=0.04)
    labels = Counter(label for _, label, allowed in drawn if tuple(allowed.tolist()) == a)
    assert labels[0] / whose[a] == pytest.approx(0.5, abs=0.08)


def test_an_example_depends_on_seed_epoch_and_number_alone() -> None:
    corpus = Corpus(log_mels(8, copies=2), [0, 1] * 4)
    one, two = (CorporaExamples({"a": corpus}, 2, CONFIG, seed=3) for _ in range(2))
    _ = [two[i] for i in range(5)]
    for index in (7, 3):
        np.testing.assert_array_equal(one[index][0], two[index][0])
    two.epoch = 1
    assert any(
        one[i][0].shape != two[i][0].shape or not np.array_equal(one[i][0], two[i][0])
        for i in range(5)
    )


def test_labels_that_do_not_fit_the_recordings_are_refused() -> None:
    with pytest.raises(ConfigError, match="one label for every recording"):
        Corpus(log_mels(3), [0, 1])


def test_a_masked_label_has_no_gradient_and_does_not_change_the_loss() -> None:
    logits = torch.randn(3, 4, requires_grad=True)
    target = torch.tensor([0, 1, 2])
    allowed = torch.tensor([[1, 1, 0, 0], [1, 1, 1, 1], [0, 0, 1, 1]]).bool()
    loss = masked_cross_entropy(logits, target, allowed, 0.1)
    loss.backward()
    assert logits.grad is not None
    assert (logits.grad[~allowed] == 0).all()
    assert (logits.grad[allowed] != 0).all()
    with torch.no_grad():
        moved = masked_cross_entropy(logits + 5.0 * ~allowed, target, allowed, 0.1)
    torch.testing.assert_close(moved, loss)


def test_where_all_labels_count_it_is_the_ordinary_cross_entropy() -> None:
    logits, target = torch.randn(8, 5), torch.randint(0, 5, (8,))
    loss = masked_cross_entropy(logits, target, torch.ones(8, 5, dtype=torch.bool), 0.1)
    usual = torch.nn.functional.cross_entropy(logits, target, label_smoothing=0.1)
    torch.testing.assert_close(loss, usual)


def test_a_window_is_one_of_the_loudest() -> None:
    frames = np.full((500, 80), -8.0, np.float32)
    frames[200:300] = 0.0
    generator = np.random.default_rng(0)
    heard = [float((window_of_speech(frames, 100, generator) > -1).mean()) for _ in range(50)]
    assert np.mean(heard) > 0.35
    assert window_of_speech(frames[:80], 100, generator).shape == (80, 80)


def test_silence_around_a_recording_is_its_own_floor() -> None:
    generator = np.random.default_rng(1)
    frames = generator.normal(-2, 0.5, (100, 80)).astype(np.float32)
    longer = between_silences(frames, 200, generator)
    assert 100 < len(longer) <= 200
    start = next(i for i in range(len(longer) - 99) if np.array_equal(longer[i : i + 100], frames))
    around = np.concatenate([longer[:start], longer[start + 100 :]])
    assert around.mean() == pytest.approx(float(np.quantile(frames, 0.05, axis=0).mean()), abs=0.1)
    assert between_silences(frames, 101, generator) is frames


def test_a_batch_has_even_lengths_and_its_labels() -> None:
    corpus = Corpus(log_mels(6, frames=41), [0, 1] * 3)
    examples = CorporaExamples({"a": corpus}, 3, CONFIG, seed=0)
    batch = collate_corpora([examples[i] for i in range(4)])
    assert batch.audio.log_mel.shape[:2] == (4, 80)
    assert batch.audio.log_mel.shape[2] % 2 == 0
    assert batch.allowed.tolist() == [[True, True, False]] * 4
