"""Synthetic speech: its truth fits its sound, and a seed fixes it."""

from __future__ import annotations

import numpy as np
import pytest

from recipes.pitch_scorer.recording_conditions import coloured_noise, recorded
from recipes.pitch_scorer.synthetic_speech import RATE, f0_contour, utterance, voiced_stretch


def test_a_seed_fixes_an_utterance() -> None:
    first = utterance(np.random.default_rng(4), 1.0)
    again = utterance(np.random.default_rng(4), 1.0)
    other = utterance(np.random.default_rng(5), 1.0)
    assert np.array_equal(first.samples, again.samples)
    assert np.array_equal(first.f0_hz, again.f0_hz)
    assert len(first.samples) != len(other.samples) or not np.allclose(first.samples, other.samples)


def test_truth_and_sound_have_one_length_and_pitch_only_where_voiced() -> None:
    for seed in range(5):
        speech = utterance(np.random.default_rng(seed), 2.0)
        assert len(speech.samples) == len(speech.f0_hz) == len(speech.voiced)
        assert len(speech.samples) >= 2 * RATE
        assert np.isfinite(speech.samples).all()
        assert ((speech.f0_hz > 0) == speech.voiced).all()
        inside = speech.f0_hz[speech.voiced]
        assert inside.min() >= 50
        assert inside.max() <= 550


def test_a_contour_stays_in_range_and_moves_smoothly() -> None:
    for seed in range(20):
        f0 = f0_contour(RATE, np.random.default_rng(seed))
        assert f0.min() >= 50
        assert f0.max() <= 550
        assert np.abs(np.diff(np.log2(f0))).max() * RATE < 25


@pytest.mark.parametrize("seed", [0, 3, 8])
def test_the_sound_repeats_at_the_true_period(seed: int) -> None:
    speech = voiced_stretch(1.0, np.random.default_rng(seed))
    centre = RATE // 2
    period = round(RATE / speech.f0_hz[centre])
    size = 2 * period
    first = speech.samples[centre - size : centre]
    second = speech.samples[centre - size + period : centre + period]
    half = speech.samples[centre - size + period // 2 : centre + period // 2]
    assert np.corrcoef(first, second)[0, 1] > np.corrcoef(first, half)[0, 1]


def test_noise_has_the_slope_asked_for() -> None:
    noise = coloured_noise(4 * RATE, 1.0, np.random.default_rng(0))
    power = np.abs(np.fft.rfft(noise)) ** 2
    low = power[4 * 200 : 4 * 400].mean()
    high = power[4 * 3200 : 4 * 6400].mean()
    assert 10 * np.log10(low / high) == pytest.approx(10 * np.log10(16), abs=1.0)


def test_a_recording_keeps_the_length_and_is_within_full_scale() -> None:
    speech = utterance(np.random.default_rng(1), 1.5)
    for seed in range(12):
        audio = recorded(speech, np.random.default_rng(seed))
        assert len(audio) == len(speech.samples)
        assert np.isfinite(audio).all()
        assert np.abs(audio).max() <= 1
        assert audio.std() > 0
