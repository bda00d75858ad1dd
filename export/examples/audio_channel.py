"""What a channel does to sound between a mouth and a microphone's file: bands, codecs, losses.

All functions take and give float64 [n], 16 kHz, nominally -1 to 1, of the same length.
"""

from __future__ import annotations

import io
from typing import Final

import av
import numpy as np
import numpy.typing as npt

from edge_ser.constants import SAMPLE_RATE

Samples = npt.NDArray[np.float64]

TELEPHONE_HZ: Final = (300.0, 3400.0)
"""The band of a telephone line (ITU-T G.712)."""
_MU: Final = 255.0
_EDGE: Final = 1.08
"""A filter's transition ends this much above its edge."""
_PACKET: Final = SAMPLE_RATE // 50


def band_limited(samples: Samples, lowest_hz: float, highest_hz: float) -> Samples:
    """Keep a band; above it a short cosine slope, below it one of half an octave."""
    if not len(samples):
        return samples
    # Padded with silence, or the end of the sound would ring into its beginning.
    size = len(samples) + SAMPLE_RATE // 20
    frequency = np.fft.rfftfreq(size, 1 / SAMPLE_RATE)
    above = np.clip((frequency / highest_hz - 1) / (_EDGE - 1), 0.0, 1.0)
    gain = 0.5 + 0.5 * np.cos(np.pi * above)
    if lowest_hz > 0:
        below = np.clip(2 * (frequency / lowest_hz - 0.5), 0.0, 1.0)
        gain = gain * (0.5 - 0.5 * np.cos(np.pi * below))
    filtered = np.fft.irfft(np.fft.rfft(samples, size) * gain, size)
    return np.asarray(filtered[: len(samples)], np.float64)


def telephone(samples: Samples, *, mu_law: bool) -> Samples:
    """A telephone's band, with or without its logarithmic 8 bits (ITU-T G.711, mu-law)."""
    narrow = band_limited(samples, *TELEPHONE_HZ)
    if not mu_law:
        return narrow
    narrow = np.clip(narrow, -1.0, 1.0)
    companded = np.sign(narrow) * np.log1p(_MU * np.abs(narrow)) / np.log1p(_MU)
    companded = np.round(companded * 127.0) / 127.0
    expanded = np.sign(companded) * np.expm1(np.abs(companded) * np.log1p(_MU)) / _MU
    return band_limited(expanded, *TELEPHONE_HZ)


def opus_coded(samples: Samples, bits_per_second: int) -> Samples:
    """Through the Opus codec (RFC 6716) in its voice mode, as calls and messengers send speech."""
    if not len(samples):
        return samples
    file = io.BytesIO()
    whole = np.clip(samples * 32767.0, -32768, 32767).astype(np.int16)
    with av.open(file, "w", format="ogg") as written:
        stream = written.add_stream("libopus", rate=SAMPLE_RATE, layout="mono")
        stream.bit_rate = bits_per_second
        stream.codec_context.options = {"application": "voip"}
        frame = av.AudioFrame.from_ndarray(whole[None], format="s16", layout="mono")
        frame.sample_rate = SAMPLE_RATE
        for packet in [*stream.encode(frame), *stream.encode(None)]:
            written.mux(packet)
    file.seek(0)
    resampler = av.AudioResampler("flt", "mono", SAMPLE_RATE)
    with av.open(file) as read:
        pieces = [
            piece.to_ndarray()[0]
            for frame in [*read.decode(audio=0), None]
            for piece in resampler.resample(frame)
        ]
    decoded = np.concatenate(pieces).astype(np.float64)[: len(samples)]
    return np.asarray(np.pad(decoded, (0, len(samples) - len(decoded))), np.float64)


def clipped(samples: Samples, share: float) -> Samples:
    """Overdriven, so that this share of the samples is cut off; 0 cuts none."""
    if not len(samples):
        return samples
    ceiling = max(float(np.quantile(np.abs(samples), 1.0 - share)), 1e-6)
    return np.asarray(np.clip(samples, -ceiling, ceiling), np.float64)


def with_lost_packets(
    samples: Samples, share: float, generator: np.random.Generator, burst: float = 2.0
) -> Samples:
    """Packets of 20 ms are lost, in bursts, and are silence or the last packet again, fading.

    The losses are a two-state Markov chain (Gilbert, "Capacity of a Burst-Noise Channel", 1960).

    Args:
        samples: the sound.
        share: of packets that are lost, below 1.
        generator: decides which.
        burst: mean number of packets that are lost together, at least 1.
    """
    out: Samples = samples.copy()
    repeats = bool(generator.random() < 0.5)
    starts = share / (burst * (1.0 - share))
    lost, fade = False, 1.0
    for start in range(0, len(samples), _PACKET):
        lost = bool(generator.random() < (1.0 - 1.0 / burst if lost else starts))
        if not lost:
            fade = 1.0
            continue
        fade *= 0.5
        piece = out[start : start + _PACKET]
        before = out[max(start - _PACKET, 0) : start]
        if repeats and len(before) >= len(piece):
            piece[:] = before[: len(piece)] * fade
        else:
            piece[:] = 0.0
    return out
