"""What channels do to sound: the band, the codec, the losses that were asked for, and no more."""

from __future__ import annotations

import numpy as np
import pytest

from edge_ser.constants import SAMPLE_RATE
from edge_ser.export.examples.audio_augmentation import AudioAugmentation, augment_audio, voices_at
from edge_ser.export.examples.audio_channel import (
    band_limited,
    clipped,
    opus_coded,
    telephone,
    with_lost_packets,
)

PACKET = SAMPLE_RATE // 50


def voice(seconds: float = 2.0, pitch: float = 140.0) -> np.ndarray:
    """A buzz with a syllable's rhythm, float64, peak .5."""
    time = np.arange(round(seconds * SAMPLE_RATE)) / SAMPLE_RATE
    buzz = sum(np.sin(2 * np.pi * pitch * k * time) / k for k in range(1, 50))
    spoken = buzz * (0.55 + 0.45 * np.sin(2 * np.pi * 4 * time))
    return 0.5 * spoken / np.abs(spoken).max()


def power_between(samples: np.ndarray, low: float, high: float) -> float:
    spectrum = np.abs(np.fft.rfft(samples * np.hanning(len(samples)))) ** 2
    frequency = np.fft.rfftfreq(len(samples), 1 / SAMPLE_RATE)
    return float(spectrum[(frequency >= low) & (frequency < high)].sum())


@pytest.mark.parametrize("edge", [3000.0, 5500.0, 7000.0])
def test_a_band_ends_at_its_edge_and_below_it_nothing_changes(edge: float) -> None:
    noise = np.random.default_rng(0).standard_normal(SAMPLE_RATE)
    kept = band_limited(noise, 0.0, edge)
    assert power_between(kept, edge * 1.1, 8000) < 1e-4 * power_between(noise, edge * 1.1, 8000)
    assert power_between(kept, 0, edge) == pytest.approx(power_between(noise, 0, edge), rel=0.01)


@pytest.mark.parametrize("mu_law", [False, True])
def test_a_telephone_has_its_band(mu_law: bool) -> None:
    noise = 0.2 * np.random.default_rng(1).standard_normal(SAMPLE_RATE)
    heard = telephone(noise, mu_law=mu_law)
    assert power_between(heard, 0, 100) < 1e-2 * power_between(noise, 0, 100)
    assert power_between(heard, 4000, 8000) < 1e-3 * power_between(noise, 4000, 8000)
    inside = power_between(heard, 500, 3000) / power_between(noise, 500, 3000)
    assert inside == pytest.approx(1.0, rel=0.05)


def test_mu_law_adds_the_noise_of_eight_bits() -> None:
    spoken = voice()
    # As often through the band as what is coded, or its slopes would count as noise.
    clean = telephone(telephone(spoken, mu_law=False), mu_law=False)
    noise = telephone(spoken, mu_law=True) - clean
    ratio_db = 10 * np.log10(np.square(clean).mean() / np.square(noise).mean())
    assert 34 < ratio_db < 45


def test_opus_keeps_the_length_and_the_voice_and_loses_more_at_a_lower_rate() -> None:
    spoken = voice()

    def loss(bits: int) -> float:
        coded = opus_coded(spoken, bits)
        assert coded.shape == spoken.shape
        # Spectra, since a codec may move the waveform by a few samples.
        a, b = (np.log10(np.abs(np.fft.rfft(x))[200:8000] + 1) for x in (spoken, coded))
        return float(np.abs(a - b).mean())

    assert loss(24000) < loss(6000)
    # Nor is it late: a buzz that is 1 ms away is no longer alike.
    assert np.corrcoef(opus_coded(spoken, 24000), spoken)[0, 1] > 0.8


@pytest.mark.parametrize("share", [0.0, 0.01, 0.2])
def test_clipping_cuts_the_share_that_was_asked_for(share: float) -> None:
    spoken = voice()
    cut = clipped(spoken, share)
    assert (cut != spoken).mean() == pytest.approx(share, abs=0.002)
    assert np.abs(cut).max() <= np.abs(spoken).max()


@pytest.mark.parametrize("share", [0.05, 0.3])
def test_packets_are_lost_at_the_rate_and_in_the_bursts_that_were_asked_for(share: float) -> None:
    generator = np.random.default_rng(3)
    sound = 0.1 + np.abs(generator.standard_normal(4000 * PACKET))
    heard = with_lost_packets(sound, share, generator, burst=3.0)
    lost = (heard != sound).reshape(-1, PACKET).all(axis=1)
    assert lost.mean() == pytest.approx(share, rel=0.25)
    bursts = np.flatnonzero(np.diff(np.concatenate([[0], lost, [0]])))
    assert np.diff(bursts)[::2].mean() == pytest.approx(3.0, rel=0.25)


@pytest.mark.parametrize("length", [0, 1, 100])
def test_the_shortest_sounds_pass_every_channel(length: int) -> None:
    few = np.full(length, 0.25)
    generator = np.random.default_rng(0)
    for heard in (
        band_limited(few, 100.0, 3000.0),
        telephone(few, mu_law=True),
        opus_coded(few, 8000),
        clipped(few, 0.1),
        with_lost_packets(few, 0.5, generator),
    ):
        assert heard.shape == few.shape
        assert np.isfinite(heard).all()


def test_other_voices_are_as_loud_as_asked() -> None:
    spoken, other = voice(), voice(0.7, 210.0).astype(np.float32)
    crowd = voices_at(spoken, 10.0, [other], np.random.default_rng(0))
    ratio = 10 * np.log10(np.square(spoken).mean() / np.square(crowd).mean())
    assert ratio == pytest.approx(10.0, abs=0.1)


def test_the_world_is_drawn_from_the_seed_alone_and_stays_within_full_scale() -> None:
    spoken, world = voice().astype(np.float32), AudioAugmentation.of_the_world()
    others = [voice(1.0, 200.0).astype(np.float32)]
    seen = set()
    for seed in range(40):
        one, again = (
            augment_audio(spoken, world, np.random.default_rng(seed), others) for _ in range(2)
        )
        np.testing.assert_array_equal(one, again)
        assert one.dtype == np.float32
        assert np.isfinite(one).all()
        assert np.abs(one).max() <= 1.0
        seen.add(one.tobytes())
    assert len(seen) == 40
