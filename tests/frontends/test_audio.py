from __future__ import annotations

import numpy as np
import pytest

from edge_ser.constants import SAMPLE_RATE
from edge_ser.errors import ConfigError, MediaError
from edge_ser.frontends.audio import AudioFrontend, default_audio_config


def _voice(seconds: float, f0: float = 150.0) -> np.ndarray:
    time = np.arange(int(seconds * SAMPLE_RATE)) / SAMPLE_RATE
    tone = sum(np.sin(2 * np.pi * f0 * k * time) / k for k in range(1, 12))
    return (0.1 * tone).astype(np.float32)


@pytest.fixture(scope="module")
def frontend() -> AudioFrontend:
    return AudioFrontend(default_audio_config())


@pytest.mark.parametrize("samples", [4000, 4001, 4159, 16000, 48080, 52999])
def test_all_features_are_as_long_as_the_clock_says(frontend: AudioFrontend, samples: int) -> None:
    features = frontend(_voice(4.0)[:samples])
    assert features.log_mel.shape == (80, samples // 160)
    assert features.prosody.shape == (samples // 160, 24)
    assert frontend.columns == 24
    assert features.log_mel.dtype == features.prosody.dtype == np.float32
    assert np.isfinite(features.log_mel).all()
    assert np.isfinite(features.prosody).all()


def test_the_graph_takes_pairs_of_frames(frontend: AudioFrontend) -> None:
    for frames, even in ((25, 24), (26, 26)):
        features = frontend(_voice(1.0)[: frames * 160])
        tensors = features.tensors()
        np.testing.assert_array_equal(tensors["log_mel"], features.log_mel[None, :, :even])
        np.testing.assert_array_equal(tensors["prosody"], features.prosody[None, :even])


def test_columns_are_mfcc_energy_pitch_voicing_and_harmonicity(frontend: AudioFrontend) -> None:
    samples = _voice(1.0, f0=200.0)
    prosody = frontend(samples).prosody
    middle = prosody[20:80]
    frame = samples[50 * 160 - 200 : 50 * 160 + 200].astype(np.float64)
    frame -= frame.mean()
    assert prosody[50, 20] == pytest.approx(np.log(np.square(frame).sum()), abs=1e-3)
    np.testing.assert_allclose(middle[:, 21], np.log(2.0), atol=0.01)
    assert (middle[:, 22] > 0.9).all()
    assert (middle[:, 23] > 1.0).all()


def test_the_first_frame_is_centred_on_the_first_sample(frontend: AudioFrontend) -> None:
    click = np.zeros(16000, np.float32)
    click[160 * 30] = 0.5
    energy = frontend(click).prosody[:, 20]
    assert int(np.argmax(energy)) in (29, 30, 31)
    assert energy[29] == pytest.approx(energy[31], abs=1e-3)


def test_the_log_mel_is_whispers_scale(frontend: AudioFrontend) -> None:
    log_mel = frontend(_voice(1.0)).log_mel
    assert float(log_mel.max() - log_mel.min()) <= 2.0 + 1e-5
    louder = frontend(_voice(1.0) * 2).log_mel
    np.testing.assert_allclose(louder - log_mel, np.log10(4.0) / 4, atol=1e-3)


def test_the_same_sound_gives_the_same_features_from_any_thread(frontend: AudioFrontend) -> None:
    from concurrent.futures import ThreadPoolExecutor

    samples = _voice(1.0)
    expected = frontend(samples)
    with ThreadPoolExecutor(4) as pool:
        for features in pool.map(frontend, [samples] * 16):
            assert np.array_equal(features.prosody, expected.prosody)
            assert np.array_equal(features.log_mel, expected.log_mel)


@pytest.mark.parametrize(
    ("samples", "message"),
    [
        (np.zeros(0, np.float32), "less than 25 ms"),
        (np.zeros(399, np.float32), "less than 25 ms"),
        (np.zeros((2, 16000), np.float32), "one-dimensional"),
        (np.zeros(16000, np.int16), "float32"),
        (np.full(16000, np.nan, np.float32), "cannot be used"),
        (np.full(16000, np.inf, np.float32), "cannot be used"),
    ],
)
def test_what_is_no_sound_is_refused(
    frontend: AudioFrontend, samples: np.ndarray, message: str
) -> None:
    with pytest.raises(MediaError, match=message):
        frontend(samples)


def test_silence_and_full_scale_noise_are_finite(frontend: AudioFrontend) -> None:
    noise = np.random.default_rng(0).uniform(-1, 1, 16000).astype(np.float32)
    for samples in (np.zeros(16000, np.float32), noise):
        features = frontend(samples)
        assert np.isfinite(features.log_mel).all()
        assert np.isfinite(features.prosody).all()


@pytest.mark.parametrize(
    ("table", "change", "message"),
    [
        ("log_mel", {"hop_length": 320}, "log_mel leaves the common clock"),
        ("log_mel", {"framing": "snipped"}, "log_mel leaves the common clock"),
        ("log_mel", {"num_mels": -3}, "options are wrong"),
        ("log_mel", {"bands": 3}, "options are wrong"),
        ("pitch", {"first_center": 200}, "pitch leaves the common clock"),
    ],
)
def test_options_that_leave_the_clock_are_refused(
    table: str, change: dict[str, object], message: str
) -> None:
    config = default_audio_config()
    changed = config.model_copy(update={table: {**getattr(config, table), **change}})
    with pytest.raises(ConfigError, match=message):
        AudioFrontend(changed)
