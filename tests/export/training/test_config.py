"""A configuration that asks for what cannot be is refused before anything is encoded."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from edge_ser.errors import ConfigError
from edge_ser.export.data.items import DataSet
from edge_ser.export.training.config import TrainingConfig, validated
from edge_ser.export.training.run import fusion_config
from edge_ser.export.training.run_data import RunData

HEARD = {"name": "ravdess", "modalities": ["audio"]}


def _config(**changes: Any) -> TrainingConfig:
    return validated({"name": "run", "data": HEARD, **changes}, "run.yaml")


def test_chosen_layers_are_those_that_are_heard() -> None:
    assert _config().speech_layers == (2,)
    assert _config(data={**HEARD, "speech_layers": [1, 3]}).speech_layers == (1, 3)
    sentences = {"name": "meld"}
    assert _config(data=sentences).speech_layers == (2,)


@pytest.mark.parametrize("layers", [[], [0, 1], [2, 1], [2, 2]])
def test_layers_that_do_not_rise_from_one_are_refused(layers: list[int]) -> None:
    with pytest.raises(ConfigError, match="rising order"):
        _config(data={**HEARD, "speech_layers": layers})


@pytest.mark.parametrize(
    "data",
    [
        {"name": "ravdess", "modalities": ["video"]},
        {"name": "ravdess", "features": "prosody"},
        {"name": "manifest", "manifest": "clips.csv"},
    ],
)
def test_layers_that_nothing_hears_are_refused(data: dict[str, Any]) -> None:
    with pytest.raises(ConfigError, match="nothing in this run hears speech_layers"):
        _config(data={**data, "speech_layers": [1, 2]})


def test_a_finetuned_encoder_answers_for_a_manifest_with_the_layers_it_is_told() -> None:
    data = {"name": "manifest", "manifest": "clips.csv", "speech_layers": [1, 2]}
    assert _config(data=data, finetune={}).speech_layers == (1, 2)


@pytest.mark.parametrize(
    ("model", "reason"),
    [
        ({"width": 90}, "multiple of twice the attention heads"),
        ({"loudness_statistics": True, "statistics": False}, "loudness_statistics needs"),
    ],
)
def test_sizes_that_do_not_fit_are_named(model: dict[str, Any], reason: str) -> None:
    tokens = (np.zeros((3, 456), np.float16),)
    data = DataSet("made", (), ("happy", "sad"), "none")
    loaded = RunData(data, (), ("happy", "sad"), (), {"audio": (tokens,)}, 72, 0)
    with pytest.raises(ConfigError, match=reason):
        fusion_config(_config(model=model), loaded)
