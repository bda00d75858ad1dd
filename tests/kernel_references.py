"""Signals for the kernel tests, and front-ends written out in numpy float64."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Samples = NDArray[np.float32]
Frames = NDArray[np.float64]


def speech_like(seconds: float, seed: int = 0) -> Samples:
    """Return a voiced, unvoiced and silent stretch in turn, float32 within +-1, at 16 kHz."""
    count = int(seconds * 16000)
    rng = np.random.default_rng(seed)
    time = np.arange(count) / 16000
    f0 = 120 + 30 * np.sin(2 * np.pi * 1.3 * time)
    phase = 2 * np.pi * np.cumsum(f0) / 16000
    voiced = sum(np.sin(k * phase + k) / k for k in range(1, 30)) * 0.15
    hiss = rng.standard_normal(count)
    part = (time * 4).astype(int) % 3
    sound = np.where(part == 0, voiced, np.where(part == 1, 0.05 * hiss, 0)) + 3e-4 * hiss
    return sound.astype(np.float32)


def slaney_filters(bands: int, fft_length: int, rate: int) -> Frames:
    """Return triangles of equal area on Slaney's mel scale, [bands, fft_length / 2 + 1]."""

    def hz_to_mel(hz: float) -> float:
        return hz * 3 / 200 if hz < 1000 else 15 + 27 * np.log(hz / 1000) / np.log(6.4)

    mels = np.linspace(0, hz_to_mel(rate / 2), bands + 2)
    corners = np.where(mels < 15, mels * 200 / 3, 1000 * np.exp((mels - 15) * np.log(6.4) / 27))
    bins = np.arange(fft_length // 2 + 1) * rate / fft_length
    left, centre, right = corners[:-2, None], corners[1:-1, None], corners[2:, None]
    triangles = np.minimum((bins - left) / (centre - left), (right - bins) / (right - centre))
    return np.maximum(triangles, 0) * 2 / (right - left)


def whisper_log_mel(samples: Samples, bands: int = 80) -> Frames:
    """Return Whisper's published log-mel of a clip, [n, bands], before its clip normalisation.

    A short-time Fourier transform of 400 points every 160, with a periodic Hann window, centred,
    the clip mirrored at its ends; the last frame is dropped; power; Slaney's mel filters; log10 of
    at least 1e-10 (Radford et al., 2022).
    """
    padded = np.pad(samples.astype(np.float64), 200, mode="reflect")
    frames = np.lib.stride_tricks.sliding_window_view(padded, 400)[::160][:-1]
    window = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(400) / 400)
    power = np.abs(np.fft.rfft(frames * window)) ** 2
    mel: Frames = np.log10(np.maximum(power @ slaney_filters(bands, 400, 16000).T, 1e-10))
    return mel
