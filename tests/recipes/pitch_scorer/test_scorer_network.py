"""The scorer's network: shapes, causality, losses, and the text the kernel reads."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from recipes.pitch_scorer.scorer_network import (
    DELAY,
    FEATURES,
    HIDDEN,
    PAST,
    PROJECTED,
    STATES,
    ScorerNetwork,
    as_text,
    losses,
    pitch_targets,
    quantised,
)


def test_a_score_sees_eight_frames_back_and_two_ahead() -> None:
    torch.manual_seed(0)
    network = ScorerNetwork()
    features = torch.randn(1, 40, FEATURES)
    before = network(features, torch.ones(1, 40))
    assert before.shape == (1, 40 - PAST - DELAY, STATES + 1)
    features[0, 20] += 1
    changed = (network(features, torch.ones(1, 40)) != before).any(-1)[0].nonzero()[:, 0] + PAST
    assert changed.min() == 20 - DELAY
    assert changed.max() == 20 + PAST


def test_targets_are_a_distribution_around_the_pitch() -> None:
    targets = pitch_targets(np.array([100.0, 200.0, 50.0], np.float32))
    assert targets.shape == (3, STATES)
    assert torch.allclose(targets.sum(-1), torch.ones(3))
    assert targets.argmax(-1).tolist() == [24, 48, 0]


def test_pitch_counts_only_where_voiced_and_present() -> None:
    scores = torch.zeros(1, 3, STATES + 1)
    f0 = np.array([[0.0, 100.0, 100.0]], np.float32)
    voicing, pitch = losses(scores, f0, torch.tensor([[1.0, 1.0, 0.0]]))
    assert float(voicing) == pytest.approx(np.log(2))
    assert float(pitch) == pytest.approx(np.log(STATES), rel=1e-5)


def test_quantised_rows_come_back_within_half_a_step() -> None:
    weights = np.random.default_rng(0).standard_normal((5, 70)).astype(np.float32)
    scales, rows = quantised(weights)
    assert np.abs(rows * scales[:, None] - weights).max() <= 0.5001 * scales.max()
    zero_scales, zero_rows = quantised(np.zeros((1, 4), np.float32))
    assert np.isfinite(zero_scales).all()
    assert not zero_rows.any()


def test_the_text_holds_every_weight_and_bias() -> None:
    text = as_text(ScorerNetwork())
    digits = sum(len(line.strip().strip('"')) for line in text.splitlines() if '"' in line)
    inputs_outputs = [
        (FEATURES, HIDDEN),
        (HIDDEN, PROJECTED),
        (PROJECTED * (PAST + 1 + DELAY), HIDDEN),
        (HIDDEN, HIDDEN),
        (HIDDEN, STATES + 1),
    ]
    weights = sum(2 * i * o + 8 * o for i, o in inputs_outputs)
    biases = 8 * (HIDDEN + PROJECTED + HIDDEN + STATES + 1)
    assert digits == weights + biases
    assert len(text.splitlines()) < 500
