"""Log-mel and MFCC are those of librosa, kaldi-native-fbank and Whisper's definition."""

from __future__ import annotations

import kaldi_native_fbank as knf
import librosa
import numpy as np
import pytest
from fixtures.kernel_references import speech_like, whisper_log_mel

from edge_ser.kernels import LogMel, MelOptions, Mfcc, MfccOptions, simd_levels, whisper_normalize

CLIP = speech_like(3.0)


def librosa_power(samples, n_mels, **changes):
    settings = {
        "sr": 16000,
        "n_fft": 512,
        "win_length": 400,
        "hop_length": 160,
        "n_mels": n_mels,
        "htk": False,
        "norm": "slaney",
        "pad_mode": "constant",
    }
    return librosa.feature.melspectrogram(y=samples, **(settings | changes))


def in_db(power):
    return librosa.power_to_db(power, top_db=None)


@pytest.mark.parametrize("simd", simd_levels())
@pytest.mark.parametrize("n_mels", [40, 64])
def test_log_mel_is_librosas(simd, n_mels):
    frames = LogMel(MelOptions.librosa(num_mels=n_mels), simd=simd).compute(CLIP)
    expected = in_db(librosa_power(CLIP, n_mels)).T
    np.testing.assert_allclose(frames, expected, atol=1e-3)


def test_log_mel_on_htks_scale_with_mirrored_ends_is_librosas():
    options = MelOptions.librosa(mel_scale="htk", mel_norm="none", framing="centred-reflect")
    expected = in_db(librosa_power(CLIP, 40, htk=True, norm=None, pad_mode="reflect")).T
    np.testing.assert_allclose(LogMel(options).compute(CLIP), expected, atol=1e-3)


def test_magnitude_mel_is_librosas():
    options = MelOptions.librosa(spectrum="magnitude", log="none")
    expected = librosa_power(CLIP, 40, power=1.0).T
    np.testing.assert_allclose(LogMel(options).compute(CLIP), expected, rtol=1e-3, atol=1e-6)


@pytest.mark.parametrize("lifter", [0.0, 22.0])
def test_mfcc_is_librosas(lifter):
    frames = Mfcc(MfccOptions.librosa(num_ceps=13, lifter=lifter)).compute(CLIP)
    cepstra = librosa.feature.mfcc(S=in_db(librosa_power(CLIP, 40)), n_mfcc=13).T
    if lifter:
        # librosa's lifter is one coefficient off HTK's.
        cepstra = cepstra * (1 + lifter / 2 * np.sin(np.pi * np.arange(13) / lifter))
    np.testing.assert_allclose(frames, cepstra, atol=1e-3, rtol=1e-5)


def kaldi_frames(online):
    # Kaldi works on the scale of 16-bit integers.
    online.accept_waveform(16000, (CLIP * 32768).tolist())
    return np.stack([online.get_frame(i) for i in range(online.num_frames_ready)])


@pytest.mark.parametrize("simd", simd_levels())
@pytest.mark.parametrize("bins", [23, 40, 80])
def test_log_mel_is_kaldis(simd, bins):
    options = knf.FbankOptions()
    options.frame_opts.dither = 0
    options.mel_opts.num_bins = bins
    expected = kaldi_frames(knf.OnlineFbank(options))
    frames = LogMel(MelOptions.kaldi(num_mels=bins), simd=simd).compute(CLIP)
    np.testing.assert_allclose(frames, expected, atol=1e-3)


@pytest.mark.parametrize("use_energy", [True, False])
def test_mfcc_is_kaldis(use_energy):
    options = knf.MfccOptions()
    options.frame_opts.dither = 0
    options.use_energy = use_energy
    expected = kaldi_frames(knf.OnlineMfcc(options))
    frames = Mfcc(MfccOptions.kaldi(energy_as_c0=use_energy)).compute(CLIP)
    np.testing.assert_allclose(frames, expected, atol=1e-3)


@pytest.mark.parametrize("bands", [80, 128])
def test_log_mel_is_whispers(bands):
    options = MelOptions.whisper(num_mels=bands)
    expected = whisper_log_mel(CLIP, bands)
    frames = LogMel(options).compute(CLIP)
    assert frames.shape == (len(CLIP) // 160, bands)
    np.testing.assert_allclose(frames, expected, atol=1e-3)
    normalised = (np.maximum(expected, expected.max() - 8) + 4) / 4
    np.testing.assert_allclose(whisper_normalize(frames), normalised, atol=2e-4)


def test_windows_of_streamed_whisper_frames_are_those_of_the_clip():
    stream = LogMel(MelOptions.whisper())
    parts = [stream.accept(CLIP[i : i + 320]) for i in range(0, len(CLIP), 320)]
    streamed = np.concatenate([*parts, stream.finish()])
    expected = whisper_log_mel(CLIP)
    window = slice(50, 200)
    np.testing.assert_allclose(
        whisper_normalize(streamed[window]),
        (np.maximum(expected[window], expected[window].max() - 8) + 4) / 4,
        atol=2e-4,
    )
