"""Too short, too quiet: one check for a clip's sound and for a stream's."""

from __future__ import annotations

import numpy as np
import pytest

from edge_ser.constants import SAMPLE_RATE
from edge_ser.frontends.audio import HOP, default_audio_config
from edge_ser.frontends.level import (
    loudest_dbfs,
    loudest_power_dbfs,
    why_quiet,
    why_short,
    why_unheard,
)

CONFIG = default_audio_config()


def tone(seconds: float, amplitude: float) -> np.ndarray:
    times = np.arange(round(seconds * SAMPLE_RATE)) / SAMPLE_RATE
    return (amplitude * np.sin(2 * np.pi * 200 * times)).astype(np.float32)


@pytest.mark.parametrize(
    ("audio", "reason"),
    [
        (np.zeros(0, np.float32), "only 0 ms of sound; 250 ms are needed"),
        (tone(0.2, 0.5), "only 200 ms of sound; 250 ms are needed"),
        (np.zeros(SAMPLE_RATE, np.float32), "digital silence"),
        (tone(1.0, 1e-4), "silence (loudest -83 dBFS)"),
        (tone(0.25, 0.5), None),
        (np.concatenate([np.zeros(SAMPLE_RATE, np.float32), tone(0.1, 0.5)]), None),
    ],
)
def test_the_reason_is_told(audio: np.ndarray, reason: str | None) -> None:
    assert why_unheard(audio, CONFIG) == reason


def test_the_borders_are_heard() -> None:
    assert why_short(CONFIG.minimum_seconds, CONFIG) is None
    assert why_quiet(CONFIG.silence_dbfs, CONFIG) is None


def test_a_square_wave_of_full_scale_is_0_dbfs() -> None:
    assert loudest_dbfs(np.ones(SAMPLE_RATE, np.float32)) == 0.0
    assert loudest_dbfs(np.full(7, 0.1, np.float32)) == pytest.approx(-20, abs=1e-5)


def test_samples_and_the_mean_squares_of_a_stream_agree() -> None:
    audio = tone(1.0, 0.3) * np.linspace(0, 1, SAMPLE_RATE, dtype=np.float32)
    power = np.square(audio).reshape(-1, HOP).mean(axis=1)
    level = loudest_power_dbfs(power, SAMPLE_RATE // HOP)
    assert level == pytest.approx(loudest_dbfs(audio), abs=1e-4)
