"""What a room, a microphone and a line do to speech: noise, channel, echo, level."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
from scipy.fft import next_fast_len
from scipy.signal import butter, lfilter, sosfilt

from recipes.pitch_scorer.synthetic_speech import RATE, Floats, Utterance, utterance


def coloured_noise(length: int, exponent: float, random: np.random.Generator) -> Floats:
    """Noise of unit power whose power falls as frequency to the minus `exponent` above 30 Hz."""
    size = next_fast_len(length, real=True)
    spectrum = np.fft.rfft(random.standard_normal(size))
    frequency = np.maximum(np.fft.rfftfreq(size, 1 / RATE), 30.0)
    spectrum *= frequency ** (-exponent / 2)
    spectrum[0] = 0
    noise = np.fft.irfft(spectrum, size)[:length]
    return np.asarray(noise / (np.std(noise) + 1e-12))


def _hum(length: int, random: np.random.Generator) -> Floats:
    time = np.arange(length) / RATE
    base = random.choice([50.0, 60.0])
    audio = sum(
        random.exponential(1.0 / k) * np.sin(2 * np.pi * base * k * time + random.uniform(0, 6.3))
        for k in range(1, 7)
    )
    return np.asarray(audio / (np.std(audio) + 1e-12))


def _babble(length: int, random: np.random.Generator) -> Floats:
    voices = np.zeros(length)
    for _ in range(6):
        voice = utterance(random, length / RATE).samples
        voices += np.roll(np.resize(voice, length), int(random.integers(length)))
    return np.asarray(voices / (np.std(voices) + 1e-12))


def background(length: int, random: np.random.Generator) -> tuple[Floats, float]:
    """A background of unit power, and the least signal-to-noise ratio in dB it is used at."""
    kind = random.random()
    if kind < 0.3:
        return random.standard_normal(length), -6.0
    if kind < 0.62:
        return coloured_noise(length, 1.0, random), -6.0
    if kind < 0.84:
        noise = coloured_noise(length, random.uniform(-0.5, 2.2), random)
        if random.random() < 0.5:
            time = np.arange(length) / RATE
            rate = random.uniform(0.3, 4.0)
            noise = noise * (
                1
                + random.uniform(0.2, 0.9) * np.sin(2 * np.pi * rate * time + random.uniform(0, 6))
            )
        return noise / (np.std(noise) + 1e-12), -4.0
    if kind < 0.95:
        return _hum(length, random) + 0.3 * random.standard_normal(length), 10.0
    return _babble(length, random), 8.0


def gusts(speech: Utterance, random: np.random.Generator) -> Floats:
    """Bursts of broad noise (breath, wind, doors) between the voiced parts of an utterance."""
    audio = np.zeros(len(speech.samples))
    changes = np.flatnonzero(np.diff(speech.voiced.astype(np.int8)))
    edges = np.concatenate([[0], changes + 1, [len(audio)]])
    for start, stop in pairwise(edges):
        if speech.voiced[start] or stop - start < 0.04 * RATE or random.random() < 0.4:
            continue
        first, last = np.sort(random.integers(start, stop, 2))
        if last - first < 0.02 * RATE:
            first, last = start, stop
        noise = coloured_noise(int(last - first), random.uniform(-0.5, 2.0), random)
        distance = np.minimum(np.arange(len(noise)), np.arange(len(noise))[::-1])
        ramp = np.minimum(distance / (random.uniform(0.001, 0.03) * RATE), 1.0)
        audio[first:last] = noise * ramp * 10 ** (random.uniform(-25, 6) / 20)
    return audio


def _channel(audio: Floats, random: np.random.Generator) -> Floats:
    kind = random.random()
    if kind < 0.55:
        return audio
    if kind < 0.8:
        corner = random.uniform(150, 420)
        order = int(random.integers(2, 6))
        audio = sosfilt(butter(order, corner, "high", fs=RATE, output="sos"), audio)
    if kind > 0.68:
        corner = random.uniform(2500, 7000)
        audio = sosfilt(butter(int(random.integers(2, 6)), corner, fs=RATE, output="sos"), audio)
    if random.random() < 0.3:
        audio = lfilter([1, random.uniform(-0.95, 0.6)], [1], audio)
    return np.asarray(audio)


def _echo(audio: Floats, random: np.random.Generator) -> Floats:
    length = int(random.uniform(0.05, 0.25) * RATE)
    tail = random.standard_normal(length) * np.exp(-6.9 * np.arange(length) / length)
    tail[: int(0.003 * RATE)] = 0
    tail *= 10 ** (random.uniform(-25, -9) / 20) / (np.sqrt(np.sum(tail**2)) + 1e-12)
    tail[0] = 1
    size = next_fast_len(len(audio) + length, real=True)
    return np.asarray(np.fft.irfft(np.fft.rfft(audio, size) * np.fft.rfft(tail, size), size))[
        : len(audio)
    ]


def recorded(speech: Utterance, random: np.random.Generator, with_gusts: bool = False) -> Floats:
    """`speech` as a microphone might deliver it; its truth stays what it was."""
    audio = speech.samples + gusts(speech, random) if with_gusts else speech.samples
    length = len(audio)
    if random.random() < 0.2:
        audio = _echo(audio, random)
    loud = speech.voiced if speech.voiced.any() else np.ones(length, bool)
    power = float(np.mean(audio[loud] ** 2)) + 1e-12
    before = random.random() < 0.5
    if before:
        audio = _channel(audio, random)
        power = float(np.mean(audio[loud] ** 2)) + 1e-12
    if random.random() < 0.3:
        noise, ratio = random.standard_normal(length), random.uniform(40, 75)
    else:
        noise, least = background(length, random)
        ratio = random.uniform(least, 30)
    audio = audio + noise * np.sqrt(power / 10 ** (ratio / 10))
    audio = audio + random.standard_normal(length) * np.sqrt(power) * 10 ** (
        -random.uniform(45, 80) / 20
    )
    if not before:
        audio = _channel(audio, random)
    audio = audio / (np.sqrt(np.mean(audio**2)) + 1e-12) * 10 ** (random.uniform(-45, -12) / 20)
    if random.random() < 0.1:
        audio = audio + random.normal(0, 0.02)
    return np.asarray(np.clip(audio, -1, 1))
