"""Augmentation of sound: what rooms, microphones and people change without changing the emotion."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np
import numpy.typing as npt
from pydantic import BaseModel, ConfigDict, Field

from edge_ser.constants import SAMPLE_RATE
from edge_ser.export.examples.audio_channel import (
    band_limited,
    clipped,
    opus_coded,
    telephone,
    with_lost_packets,
)

Samples = npt.NDArray[np.float32]

_ACTIVE_SHARE: Final = 0.6
_BLOCK: Final = SAMPLE_RATE // 50


class AudioAugmentation(BaseModel):
    """Ranges from which every augmented copy draws; a share is the probability of an effect."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    window_seconds: tuple[float, float] | None = None
    """Length of a random window; None keeps the whole clip."""
    gain_db: tuple[float, float] = (-12.0, 6.0)
    noise_share: float = Field(default=0.5, ge=0, le=1)
    noise_snr_db: tuple[float, float] = (5.0, 30.0)
    speed_share: float = Field(default=0.3, ge=0, le=1)
    speed: tuple[float, float] = (0.92, 1.08)
    room_share: float = Field(default=0.3, ge=0, le=1)
    reverberation_seconds: tuple[float, float] = (0.1, 0.5)
    tilt_share: float = Field(default=0.3, ge=0, le=1)
    tilt_db_per_octave: tuple[float, float] = (-3.0, 3.0)
    voices_share: float = Field(default=0.0, ge=0, le=1)
    """Of what gets noise: other people speaking, where some are given, instead of a colour."""
    clipping_share: float = Field(default=0.0, ge=0, le=1)
    clipped_samples: tuple[float, float] = (0.002, 0.05)
    band_share: float = Field(default=0.0, ge=0, le=1)
    band_hz: tuple[float, float] = (3000.0, 8000.0)
    """Upper edge."""
    telephone_share: float = Field(default=0.0, ge=0, le=1)
    """Of what is not band-limited already; half of it by mu-law."""
    opus_share: float = Field(default=0.0, ge=0, le=1)
    opus_bits_per_second: tuple[float, float] = (6000.0, 24000.0)
    loss_share: float = Field(default=0.0, ge=0, le=1)
    lost_packets: tuple[float, float] = (0.01, 0.15)

    @classmethod
    def of_the_world(cls) -> AudioAugmentation:
        """All of it: what calls, kiosks, cheap microphones and crowds do to speech."""
        return cls(
            gain_db=(-30.0, 10.0),
            noise_share=0.5,
            noise_snr_db=(0.0, 30.0),
            voices_share=0.4,
            speed_share=0.4,
            speed=(0.9, 1.1),
            room_share=0.25,
            clipping_share=0.1,
            band_share=0.4,
            telephone_share=0.2,
            opus_share=0.2,
            loss_share=0.1,
        )


def augment_audio(
    samples: Samples,
    options: AudioAugmentation,
    generator: np.random.Generator,
    voices: Sequence[Samples] = (),
) -> Samples:
    """One augmented copy of a clip.

    Args:
        samples: float32 [n], 16 kHz.
        options: what may happen.
        generator: decides what does.
        voices: float32 [n] each, 16 kHz: who may speak in the background.

    Returns:
        float32, at most full scale; of another length where speed or window changed it.
    """
    out = samples.astype(np.float64)
    if generator.random() < options.speed_share:
        out = _speed(out, generator.uniform(*options.speed))
    if options.window_seconds is not None:
        out = speech_window(out, generator.uniform(*options.window_seconds), generator)
    if generator.random() < options.room_share:
        out = _room(out, generator.uniform(*options.reverberation_seconds), generator)
    if generator.random() < options.tilt_share:
        out = _tilt(out, generator.uniform(*options.tilt_db_per_octave))
    if generator.random() < options.noise_share:
        snr_db = generator.uniform(*options.noise_snr_db)
        if voices and generator.random() < options.voices_share:
            out = out + voices_at(out, snr_db, voices, generator)
        else:
            out = out + noise_at(out, snr_db, generator)
    if generator.random() < options.clipping_share:
        out = clipped(out, generator.uniform(*options.clipped_samples))
    out = _sent(out, options, generator)
    out = out * 10 ** (generator.uniform(*options.gain_db) / 20)
    return np.clip(out, -1.0, 1.0).astype(np.float32)


def _sent(
    samples: npt.NDArray[np.float64], options: AudioAugmentation, generator: np.random.Generator
) -> npt.NDArray[np.float64]:
    """Through a channel: a band, a codec, lost packets."""
    out = samples
    if generator.random() < options.band_share:
        out = band_limited(out, 0.0, generator.uniform(*options.band_hz))
    elif generator.random() < options.telephone_share:
        out = telephone(out, mu_law=bool(generator.random() < 0.5))
    if generator.random() < options.opus_share:
        out = opus_coded(out, int(generator.uniform(*options.opus_bits_per_second)))
    if generator.random() < options.loss_share:
        out = with_lost_packets(out, generator.uniform(*options.lost_packets), generator)
    return out


def speech_window(
    samples: npt.NDArray[np.float64], seconds: float, generator: np.random.Generator
) -> npt.NDArray[np.float64]:
    """A random window that holds most of the speech that a window of its length can hold.

    The first of 20 drawn windows is taken that holds at least 60 % of the energetic 20 ms blocks
    of the best one: a window of the silence around a sentence says nothing of it.
    """
    length = round(seconds * SAMPLE_RATE)
    if length >= len(samples):
        return samples
    blocks = len(samples) // _BLOCK
    power = np.square(samples[: blocks * _BLOCK].reshape(blocks, _BLOCK)).mean(1)
    active = np.concatenate([[0], np.cumsum(power > power.max() * 1e-3)])
    starts = generator.integers(0, len(samples) - length + 1, size=20)
    first = starts // _BLOCK
    counts = active[np.minimum(first + length // _BLOCK, blocks)] - active[first]
    start = int(starts[np.argmax(counts >= _ACTIVE_SHARE * counts.max())])
    return samples[start : start + length]


def _speed(samples: npt.NDArray[np.float64], factor: float) -> npt.NDArray[np.float64]:
    # Speech has little energy near 8 kHz: straight lines between samples are good enough here.
    times = np.arange(0, len(samples) - 1, factor)
    return np.asarray(np.interp(times, np.arange(len(samples)), samples), np.float64)


def _room(
    samples: npt.NDArray[np.float64], seconds: float, generator: np.random.Generator
) -> npt.NDArray[np.float64]:
    """Convolve with a direct path and noise that falls by 60 dB in `seconds`."""
    length = max(int(seconds * SAMPLE_RATE), 2)
    tail = generator.standard_normal(length) * 10 ** (-3 * np.arange(length) / length)
    tail *= generator.uniform(0.2, 0.8) / np.sqrt(np.square(tail).sum())
    tail[0] = 1.0
    size = 1 << (len(samples) + length - 1).bit_length()
    wet = np.fft.irfft(np.fft.rfft(samples, size) * np.fft.rfft(tail, size), size)
    return np.asarray(wet[: len(samples)] / np.sqrt(np.square(tail).sum()), np.float64)


def _tilt(samples: npt.NDArray[np.float64], slope: float) -> npt.NDArray[np.float64]:
    """Tilt the spectrum by `slope` dB an octave around 1 kHz, as another microphone would."""
    spectrum = np.fft.rfft(samples)
    frequency = np.fft.rfftfreq(len(samples), 1 / SAMPLE_RATE)
    octaves = np.log2(np.clip(frequency, 60.0, None) / 1000.0)
    return np.fft.irfft(spectrum * 10 ** (slope * octaves / 20), len(samples))


def noise_at(
    samples: npt.NDArray[np.float64], snr_db: float, generator: np.random.Generator
) -> npt.NDArray[np.float64]:
    """Noise between white and brown, `snr_db` below the mean power of the sound."""
    colour = generator.uniform(0.0, 2.0)
    spectrum = np.fft.rfft(generator.standard_normal(len(samples)))
    frequency = np.maximum(np.fft.rfftfreq(len(samples), 1 / SAMPLE_RATE), 50.0)
    noise = np.fft.irfft(spectrum * frequency ** (-colour / 2), len(samples))
    power = np.square(samples).mean() * 10 ** (-snr_db / 10)
    return np.asarray(noise * np.sqrt(power / max(np.square(noise).mean(), 1e-20)), np.float64)


def voices_at(
    samples: npt.NDArray[np.float64],
    snr_db: float,
    voices: Sequence[Samples],
    generator: np.random.Generator,
) -> npt.NDArray[np.float64]:
    """One to three other people, `snr_db` below the mean power of the sound."""
    crowd = np.zeros(len(samples))
    for _ in range(int(generator.integers(1, 4))):
        voice = voices[int(generator.integers(len(voices)))]
        crowd += np.resize(np.roll(voice, int(generator.integers(len(voice)))), len(samples))
    power = np.square(samples).mean() * 10 ** (-snr_db / 10)
    return np.asarray(crowd * np.sqrt(power / max(np.square(crowd).mean(), 1e-20)), np.float64)
