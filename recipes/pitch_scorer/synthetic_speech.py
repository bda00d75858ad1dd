"""Synthetic speech whose pitch and voicing are known at every sample, for fitting the pitch kernel.

An utterance strings together voiced stretches, frication, clicks and pauses. A voiced stretch is a
train of glottal flow derivatives (A. E. Rosenberg, "Effect of glottal pulse shape on the quality of
natural vowels", 1971: raised-cosine opening, quarter-cosine closing) made at four times the rate,
with jitter, shimmer, alternating (creaky) cycles and aspiration, through five moving resonances.
Everything is drawn from the random generator given, so a seed fixes the corpus.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.signal import firwin, lfilter, resample_poly, sosfilt

RATE = 16000
"""Sample rate in Hz."""

OVERSAMPLING = 4
F0_LOWEST = 50.0
F0_HIGHEST = 550.0

Floats = NDArray[np.float64]

_DECIMATOR = firwin(20 * OVERSAMPLING + 1, 0.95 / OVERSAMPLING, window=("kaiser", 7.0))


@dataclass(frozen=True)
class Utterance:
    """Clean speech at 16 kHz with its truth, one value a sample."""

    samples: Floats
    f0_hz: Floats
    """0 where unvoiced."""
    voiced: NDArray[np.bool_]


def f0_contour(length: int, random: np.random.Generator) -> Floats:
    """Pitch in Hz of a voiced stretch of `length` samples: drift, accents, sometimes vibrato."""
    time = np.arange(length) / RATE
    span = length / RATE
    octaves = np.full(length, np.log2(random.choice([110.0, 190.0]) / 55.0))
    octaves += random.normal(0.0, 0.55)
    if random.random() < 0.15:
        octaves = np.full(length, random.uniform(0.0, 3.3))
    slope = random.normal(0.0, 0.6) if random.random() < 0.75 else random.uniform(-2.6, 2.6)
    octaves += slope * (time - span / 2)
    for _ in range(random.integers(0, 4)):
        rate = random.uniform(0.5, 4.0)
        octaves += random.normal(0.0, 0.45 / (1 + rate)) * np.sin(
            2 * np.pi * rate * time + random.uniform(0, 2 * np.pi)
        )
    if random.random() < 0.15:
        octaves += random.uniform(0.005, 0.05) * np.sin(
            2 * np.pi * random.uniform(4, 7) * time + random.uniform(0, 2 * np.pi)
        )
    return np.clip(55.0 * 2.0**octaves, F0_LOWEST, F0_HIGHEST)


def _pulses(f0: Floats, random: np.random.Generator) -> Floats:
    """Glottal flow derivative at 16 kHz for a pitch contour."""
    dense = np.repeat(f0, OVERSAMPLING)
    phase = np.cumsum(dense) / (RATE * OVERSAMPLING)
    cycles = int(phase[-1]) + 2
    creaky = np.mean(f0) < 110 and random.random() < 0.3
    jitter = random.uniform(0.02, 0.06) if creaky else abs(random.normal(0.0, 0.008))
    alternation = random.uniform(0.0, 0.05) if random.random() < 0.1 else 0.0
    even = np.arange(cycles) % 2 == 0
    stretch = 1 + np.clip(jitter, 0, 0.08) * random.standard_normal(cycles)
    stretch += np.where(even, alternation, -alternation)
    phase = np.cumsum(dense * stretch[phase.astype(np.int64)]) / (RATE * OVERSAMPLING)
    cycle = phase.astype(np.int64)
    within = phase - cycle
    opening = random.uniform(0.25, 0.55)
    closing = random.uniform(0.08, 0.3)
    rising = np.pi / opening * np.sin(np.pi * within / opening) / 2
    falling = -np.pi / (2 * closing) * np.sin(np.pi / 2 * (within - opening) / closing)
    flow = np.where(within < opening, rising, np.where(within < opening + closing, falling, 0.0))
    shimmer = abs(random.normal(0.0, 0.15 if creaky else 0.06))
    gain = 1 + shimmer * random.standard_normal(int(cycle[-1]) + 2)
    if random.random() < 0.1:
        gain[::2] *= random.uniform(0.75, 1.0)
    flow *= np.clip(gain, 0.2, 2.0)[cycle]
    source = resample_poly(flow, 1, OVERSAMPLING, window=_DECIMATOR)[: len(f0)]
    tilt = np.exp(-2 * np.pi * random.uniform(900, 6000) / RATE)
    source = lfilter([1 - tilt], [1, -tilt], source)
    return np.asarray(source - source.mean())


def _resonances(random: np.random.Generator) -> tuple[Floats, Floats]:
    """Formant frequencies and bandwidths at the start, middle and end of a stretch."""
    scale = random.uniform(0.85, 1.35)
    low = np.array([250.0, 700.0, 1900.0, 3000.0, 4200.0])
    high = np.array([850.0, 2300.0, 3100.0, 4000.0, 5200.0])
    points = np.sort(random.uniform(low, high, (3, 5)), axis=1) * scale
    if random.random() < 0.5:
        points[1:] = points[0] * random.uniform(0.9, 1.1, (2, 5))
    widths = np.array([60.0, 80.0, 120.0, 180.0, 240.0]) * random.uniform(0.7, 2.0)
    return points, widths


def vocal_tract(source: Floats, random: np.random.Generator) -> Floats:
    """Filters a source through five resonances that move linearly between three targets."""
    points, widths = _resonances(random)
    step = 160
    starts = np.arange(0, len(source), step)
    place = starts / max(len(source), 1) * 2
    track = np.stack([np.interp(place, [0, 1, 2], points[:, k]) for k in range(5)], axis=1)
    track = np.minimum(track, RATE / 2 - 400)
    radius = np.exp(-np.pi * widths / RATE)
    state = np.zeros((5, 2))
    result = np.empty(len(source))
    for start, formants in zip(starts, track, strict=True):
        first = -2 * radius * np.cos(2 * np.pi * formants / RATE)
        sections = np.zeros((5, 6))
        sections[:, 0] = 1 + first + radius**2
        sections[:, 3] = 1
        sections[:, 4] = first
        sections[:, 5] = radius**2
        block, state = sosfilt(sections, source[start : start + step], zi=state)
        result[start : start + step] = block
    return result


def _envelope(length: int, random: np.random.Generator) -> Floats:
    """Onset, offset and loudness contour of a voiced stretch, 0 to about 1."""
    envelope = np.ones(length)
    for side in (slice(None), slice(None, None, -1)):
        ramp = min(int(np.exp(random.uniform(np.log(0.004), np.log(0.07))) * RATE), length // 2)
        envelope[side][:ramp] *= 0.5 - 0.5 * np.cos(np.pi * np.arange(ramp) / max(ramp, 1))
    time = np.arange(length) / RATE
    depth = random.uniform(0.0, 0.5)
    envelope *= 1 - depth * (
        0.5 + 0.5 * np.sin(2 * np.pi * random.uniform(1, 5) * time + random.uniform(0, 2 * np.pi))
    )
    return envelope


def voiced_stretch(seconds: float, random: np.random.Generator) -> Utterance:
    """One voiced stretch at unit power; voiced where its envelope is above -20 dB."""
    length = int(seconds * RATE)
    f0 = f0_contour(length, random)
    source = _pulses(f0, random)
    breath = random.standard_normal(length)
    modulation = 1 + random.uniform(0, 1) * source / (np.abs(source).max() + 1e-9)
    level = random.uniform(-18, -4) if random.random() < 0.3 else random.uniform(-40, -18)
    source = source + breath * modulation * np.std(source) * 10 ** (level / 20)
    audio = vocal_tract(source, random)
    envelope = _envelope(length, random)
    audio = audio / (np.sqrt(np.mean(audio**2)) + 1e-12)
    if random.random() < 0.2:  # a voiced fricative
        hiss = frication(length, random)
        audio = audio + hiss * 10 ** (random.uniform(-15, 5) / 20)
    voiced = envelope > 0.1
    return Utterance(audio * envelope, np.where(voiced, f0, 0.0), voiced)


def frication(length: int, random: np.random.Generator) -> Floats:
    """Turbulence noise of unit power around 0.8 to 6.5 kHz."""
    centre = random.uniform(800, 6500)
    radius = np.exp(-np.pi * random.uniform(400, 3000) / RATE)
    poles = [1, -2 * radius * np.cos(2 * np.pi * centre / RATE), radius**2]
    noise = lfilter([1, 0, -1], poles, random.standard_normal(length + 200))[200:]
    return np.asarray(noise / (np.std(noise) + 1e-12))


def utterance(random: np.random.Generator, seconds: float = 5.0) -> Utterance:
    """About `seconds` of speech: power 1 in its voiced parts before their gains."""
    samples: list[Floats] = []
    f0: list[Floats] = []
    voiced: list[NDArray[np.bool_]] = []

    def add(
        audio: Floats, pitch: Floats | None = None, flags: NDArray[np.bool_] | None = None
    ) -> None:
        samples.append(audio)
        f0.append(np.zeros(len(audio)) if pitch is None else pitch)
        voiced.append(np.zeros(len(audio), bool) if flags is None else flags)

    if random.random() < 0.85:
        add(np.zeros(int(random.uniform(0.02, 0.6) * RATE)))
    while sum(map(len, samples)) < seconds * RATE:
        length = float(np.exp(random.uniform(np.log(0.08), np.log(1.6))))
        stretch = voiced_stretch(length, random)
        gain = 10 ** (random.uniform(-12, 0) / 20)
        add(stretch.samples * gain, stretch.f0_hz, stretch.voiced)
        for _ in range(random.integers(0, 3)):
            kind = random.random()
            size = int(random.uniform(0.03, 0.35) * RATE)
            if kind < 0.45:
                add(np.zeros(size))
            elif kind < 0.9:
                edge = np.minimum(np.arange(size), np.arange(size)[::-1]) / (
                    random.uniform(0.003, 0.04) * RATE
                )
                hiss = frication(size, random) * np.minimum(edge, 1.0)
                add(hiss * 10 ** (random.uniform(-30, 0) / 20))
            else:  # a stop's burst
                burst = frication(size, random) * np.exp(-np.arange(size) / (0.006 * RATE))
                add(burst * 10 ** (random.uniform(-15, 5) / 20))
    if random.random() < 0.85:
        add(np.zeros(int(random.uniform(0.02, 0.6) * RATE)))
    return Utterance(np.concatenate(samples), np.concatenate(f0), np.concatenate(voiced))
