"""Arithmetic on padded sequences: what is absent has no part in it."""

from __future__ import annotations

import pytest
import torch
from pydantic import ValidationError

from edge_ser.export.models.config import FusionConfig
from edge_ser.export.models.masking import LOUDNESS, clip_statistics

ENERGY = 2


def test_statistics_of_a_padded_clip_are_those_of_the_clip() -> None:
    torch.manual_seed(0)
    tokens = torch.randn(1, 7, 4)
    padded = torch.cat([tokens, torch.zeros(1, 5, 4)], dim=1)
    mask = torch.cat([torch.ones(1, 7), torch.zeros(1, 5)], dim=1)
    found = clip_statistics(padded, mask, ENERGY)
    assert found.shape == (1, 16)
    torch.testing.assert_close(found[:, :4], tokens.mean(1))
    spread = torch.sqrt(tokens.var(1, correction=0) + 1e-4)
    torch.testing.assert_close(found[:, 4:8], spread)
    torch.testing.assert_close(found, clip_statistics(tokens, torch.ones(1, 7), ENERGY))
    torch.testing.assert_close(found[:, :8], clip_statistics(padded, mask))


def test_loud_tokens_weigh_by_their_amplitude() -> None:
    tokens = torch.zeros(1, 2, 4)
    tokens[0, :, 0] = torch.tensor([1.0, 3.0])
    tokens[0, :, ENERGY] = torch.tensor([0.0, 2.0])
    weight = torch.tensor(2.0 * LOUDNESS).exp()
    expected = (1.0 + 3.0 * weight) / (1.0 + weight)
    found = clip_statistics(tokens, torch.ones(1, 2), ENERGY)
    torch.testing.assert_close(found[0, 8], expected)
    assert found[0, 0] == 2.0


def test_a_clip_without_tokens_has_finite_statistics() -> None:
    found = clip_statistics(torch.zeros(1, 3, 4), torch.zeros(1, 3), ENERGY)
    assert torch.isfinite(found).all()
    assert not found[:, :4].any()
    assert not found[:, 8:12].any()


def test_energy_stands_before_pitch_voicing_and_harmonicity() -> None:
    config = FusionConfig(
        labels=2, inputs={"audio": 840, "video": 5}, prosody=72, loudness_statistics=True
    )
    assert config.loudness_column("audio") == 768 + 20
    assert config.loudness_column("video") is None
    for without in ({"statistics": False}, {"prosody": 0}):
        options = {"prosody": 72, "loudness_statistics": True, **without}
        with pytest.raises(ValidationError, match="loudness_statistics needs"):
            FusionConfig(labels=2, inputs={"audio": 840}, **options)
