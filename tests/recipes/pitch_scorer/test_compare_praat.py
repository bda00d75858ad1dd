"""The comparison with Praat: how agreement is counted."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from edge_ser.errors import ConfigError
from recipes.pitch_scorer.compare_praat import (
    SILENCE_THRESHOLD,
    ClipPitch,
    agreement,
    choose,
    praat_frames,
    table,
)


def clip(praat: list[float], kernel: list[float]) -> ClipPitch:
    zeros = np.zeros(len(praat))
    hz = np.array(praat)
    return ClipPitch(True, False, hz, zeros, hz, np.array(kernel), zeros + 2, zeros)


def test_agreement_of_known_frames() -> None:
    result = agreement([clip([0, 0, 100, 100, 100, 200], [0, 90, 100, 50, 0, 200])])
    assert result.frames == 6
    assert result.voicing_agreement == pytest.approx(4 / 6)
    assert result.only_praat == pytest.approx(1 / 6)
    assert result.only_kernel == pytest.approx(1 / 6)
    assert result.gross == pytest.approx(1 / 3)
    assert result.gross_below == pytest.approx(1 / 3)
    assert result.median_cents == 0.0
    assert result.hnr_difference_db == pytest.approx(2.0)


def test_half_of_the_chosen_are_women_and_a_seed_fixes_the_choice(tmp_path: Path) -> None:
    for actor in (1, 2, 3, 4):
        for take in range(5):
            (tmp_path / f"03-01-0{take + 1}-01-01-01-0{actor}.flac").touch()
    chosen = choose(tmp_path, 8, seed=1)
    assert len(set(chosen)) == 8
    assert sum(int(path.stem[-2:]) % 2 == 0 for path in chosen) == 4
    assert chosen == choose(tmp_path, 8, seed=1)


def test_too_few_recordings_is_an_error_that_names_the_folder(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=str(tmp_path)):
        choose(tmp_path, 4, seed=1)


def test_the_table_has_a_line_for_every_part() -> None:
    one = agreement([clip([0, 0, 100, 100, 100, 200], [0, 90, 100, 50, 0, 200])])
    text = table({"all": one, "women": one}, clips=2, seed=5)
    assert "| women | 6 | 66.7% | 16.7% | 16.7% | 33.3% | 100% | 0.0 cents | +2.0 dB |" in text
    assert "2 clips drawn with seed 5" in text


def test_without_a_silence_threshold_praat_hears_a_faint_voice() -> None:
    time = np.arange(32000) / 16000
    tone = sum(np.sin(2 * np.pi * 120 * k * time) / k for k in range(1, 15))
    samples = (np.where(time < 1, 0.3, 0.003) * tone).astype(np.float32)
    times = np.arange(0.2, 1.8, 0.01)
    strict, _ = praat_frames(samples, times, SILENCE_THRESHOLD)
    lenient, _ = praat_frames(samples, times, 0.0)
    faint = times > 1.1
    assert (strict[faint] == 0).all()
    assert np.abs(lenient[faint] - 120).max() < 1
    assert np.abs(strict[times < 0.9] - 120).max() < 1
