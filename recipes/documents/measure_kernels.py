r"""Measures the kernels against their bars, and writes the figures down.

    python -m recipes.documents.measure_kernels [--rounds 31] [--hours 72] [--audio CLIP] \
        [--write docs/kernels.md]

Speed is what `edge-ser bench kernels` measures: medians of the processor time of interleaved runs
through Python, the peers of the extra `bench` beside them. Clocks are simulated: a minute of 20 ms
buffers whose time stamps are off by up to 10 ms. Memory is the resident set of this process: what
one front-end adds to it, and what running one for so many hours of sound adds. The errors of the
pitch kernel: `python -m recipes.pitch_scorer.judge`.
"""

from __future__ import annotations

import itertools
import statistics
import sys
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import psutil
import typer

from edge_ser import kernels
from edge_ser.constants import SAMPLE_RATE
from edge_ser.machine.kernel_bench import report, speech_like_audio
from edge_ser.media.media import read_clip
from recipes.command_line import run
from recipes.documents.measured_section import host, write_section

DRIFTS_PPM = (-300, -150, 0, 150, 300)
RATES = (8000, 11025, 22050, 24000, 32000, 44100, 48000, 96000, 192000)
MICROPHONE_RATE = 48000
BARS = {
    "MFCC-13, 10 s at once": "5 x librosa, 15 x kaldi-native-fbank",
    "MFCC-13, chunks of 20 ms": "8 x kaldi-native-fbank",
    "pitch, chunks of 20 ms": "6 µs, 3 x Praat AC",
    "resample 44100 to 16000 Hz, as sharp as soxr HQ": "1 x soxr HQ",
    "resample 48000 to 16000 Hz, as sharp as soxr HQ": "1 x soxr HQ",
}


def clock_errors(seeds: int) -> tuple[list[float], list[float]]:
    """What drift (ppm) and offset (ms) are off after a minute of buffers, for every drift and seed.

    Time stamps are off by up to 10 ms; the clocks start near 2^31 and 2^53.
    """
    drifts, offsets = [], []
    row = np.zeros((2, 1), np.float32)
    counter, start = 2**31 - 7, 2**53 - 11
    newest = 60 * SAMPLE_RATE - 320
    for drift, seed in itertools.product(DRIFTS_PPM, range(seeds)):
        random = np.random.default_rng([seed, drift + 1000, 0])
        aligner = kernels.Aligner(kernels.AlignerOptions())
        for position in range(0, newest + 1, 320):
            stamp = start + round(position * (1 + drift * 1e-6) + random.uniform(-160, 160))
            aligner.push(row, stamp, counter + position)
        found, time = aligner.drift(), aligner.media_time(counter + newest)
        if found is None or time is None:
            raise SystemExit("the aligner has no clock after a minute")
        drifts.append(abs(found[0] - drift))
        offsets.append(abs(time - start - newest * (1 + drift * 1e-6)) / SAMPLE_RATE * 1000)
    return drifts, offsets


def stop_band_db(rate: int) -> float:
    """The loudest that a full-scale tone above the lower Nyquist frequency leaves, in dB."""
    options = kernels.ResamplerOptions(source_rate=rate, target_rate=SAMPLE_RATE)
    resampler = kernels.Resampler(options)
    time = np.arange(rate // 2) / rate
    lower = min(rate, SAMPLE_RATE) / 2
    worst = -np.inf
    for part in (0.0, 0.001, 0.01, 0.05, 0.13, 0.37, 0.71, 0.999):
        if rate > SAMPLE_RATE:
            # Not at exactly 8 kHz, where samples may fall on the zeros of the sine.
            hz = lower + part * (rate / 2 - lower) + 1.7
            rest = resampler.compute(np.sin(2 * np.pi * hz * time).astype(np.float32))
        else:
            # Upwards: what is not the tone itself is an image.
            hz = 20 + part * 0.9 * (lower - 20)
            given = resampler.compute(np.sin(2 * np.pi * hz * time).astype(np.float32))
            rest = given - np.sin(2 * np.pi * hz * np.arange(len(given)) / SAMPLE_RATE)
        middle = rest[len(rest) // 4 : -len(rest) // 4].astype(np.float64)
        worst = max(worst, 10 * np.log10(np.mean(middle**2) / 0.5 + 1e-30))
    return float(worst)


class FrontEnd:
    """All that a recogniser runs on a microphone of 48 kHz."""

    def __init__(self) -> None:
        self._resampler = kernels.Resampler(kernels.ResamplerOptions(source_rate=MICROPHONE_RATE))
        self._framed: list[kernels.LogMel | kernels.LogEnergy | kernels.Mfcc | kernels.Pitch] = [
            kernels.LogMel(kernels.MelOptions.whisper()),
            kernels.LogEnergy(),
            kernels.Mfcc(kernels.MfccOptions.kaldi()),
            kernels.Pitch(),
        ]

    def accept(self, samples: np.ndarray[Any, np.dtype[np.float32]]) -> None:
        """Take samples of 48 kHz and drop the frames."""
        audio = self._resampler.accept(samples)
        for kernel in self._framed:
            kernel.accept(audio)


def memory(hours: float) -> tuple[float, float]:
    """MB that one front-end takes, and MB that `hours` of sound add to a running one."""
    process = psutil.Process()
    chunk = np.resize(speech_like_audio(1), MICROPHONE_RATE // 5)
    running = FrontEnd()
    for _ in range(3000):  # ten minutes: Python's own pools are full then
        running.accept(chunk)
    before = process.memory_info().rss
    many = [FrontEnd() for _ in range(40)]
    for front_end in many:
        front_end.accept(chunk)
    each = (process.memory_info().rss - before) / len(many) / 1e6
    del many
    before = process.memory_info().rss
    for _ in range(round(hours * 3600 * 5)):
        running.accept(chunk)
    return each, (process.memory_info().rss - before) / 1e6


def speed_table(figures: dict[str, Any]) -> list[str]:
    """The tasks with the time of each implementation, and how much faster the kernel is."""
    lines = [
        "| task | implementation | µs, median | µs, fastest | edge-ser is faster by | bar |",
        "|---|---|---|---|---|---|",
    ]
    for task in figures["tasks"]:
        first = True
        for name, median in task["microseconds"].items():
            speedup = "" if first else f"{task['speedups'][name]:.1f} x"
            what = f"{task['name']}, per {task['unit']}" if first else ""
            bar = BARS.get(task["name"], "") if first else ""
            lines.append(
                f"| {what} | {name} | {median:.2f} | {task['fastest'][name]:.2f} | {speedup} "
                f"| {bar} |"
            )
            first = False
    return lines


def quality_table(figures: dict[str, Any]) -> list[str]:
    """What the resamplers pass and stop, and how far their streams lag."""
    lines = [
        "| task | implementation | passes, of Nyquist | stops by, dB | lags by at most, ms |",
        "|---|---|---|---|---|",
    ]
    for task in figures["tasks"]:
        for name, of in task["quality"].items():
            lines.append(
                f"| {task['name']} | {name} | {of['pass_band']:.4f} | {of['rejection_db']:.1f} "
                f"| {of['latency_ms']:.1f} |"
            )
    return lines


def measure(
    rounds: int, hours: float, seeds: int, audio: Path | None
) -> tuple[dict[str, Any], str]:
    """Everything: the speed as figures, and all of it as Markdown."""
    # First, while the heap holds nothing that others have left behind.
    each, grown = memory(hours)
    samples = None if audio is None else read_clip(audio, want_video=False).samples
    figures = report(rounds, samples)
    of_what = "a synthetic sound" if audio is None else f"`{audio.name}`"
    drifts, offsets = clock_errors(seeds)
    cuts = ", ".join(f"{rate}: {stop_band_db(rate):.0f}" for rate in RATES)
    packages = ("edge-ser", "numpy", "librosa", "kaldi-native-fbank", "praat-parselmouth", "soxr")
    text = "\n".join(
        [
            f"Speed on {of_what} at {figures['simd']}, {rounds} interleaved rounds:",
            "",
            *speed_table(figures),
            "",
            "What the resamplers let pass (at most 0.1 dB down) and stop, and how far a stream "
            "that gets a millisecond at a time lags:",
            "",
            *quality_table(figures),
            "",
            f"Clocks after a minute of time stamps that are off by up to 10 ms, true drifts of "
            f"{DRIFTS_PPM[0]} to {DRIFTS_PPM[-1]} ppm, {len(drifts)} runs: the drift is off by "
            f"{statistics.median(drifts):.2f} ppm in the median and {max(drifts):.2f} at worst, "
            f"the offset by {statistics.median(offsets):.2f} and {max(offsets):.2f} ms "
            "(bar: 10 ppm, 5 ms).",
            "",
            f"Memory: a front-end (resampler from 48 kHz, log-mel, MFCC, "
            f"energy, pitch) takes {each:.2f} MB; {hours:g} hours of sound "
            f"add {grown:.2f} MB (bar: 2 MB, constant).",
            "",
            f"Resampler to 16 kHz, loudest residue of tones that must not pass, in dB by source "
            f"rate in Hz (bar: -80): {cuts}.",
            "",
            f"{host(packages)}.",
        ]
    )
    return figures, text


def command(
    rounds: Annotated[int, typer.Option(help="Runs of every implementation.")] = 31,
    hours: Annotated[float, typer.Option(help="Of sound, about 8 s each.")] = 72,
    seeds: Annotated[int, typer.Option(help="Runs of every drift.")] = 20,
    audio: Annotated[Path | None, typer.Option(help="A recording to measure speed on.")] = None,
    write: Annotated[
        Path | None, typer.Option(help="Document with the lines <!-- measured -->.")
    ] = None,
) -> None:
    """Measure the kernels: speed beside their peers, clocks, memory, the resampler.

    A complete command: python -m recipes.documents.measure_kernels --write docs/kernels.md
    """
    _, text = measure(rounds, hours, seeds, audio)
    typer.echo(text)
    if write is not None:
        write_section(write, "measured", text)


if __name__ == "__main__":
    sys.exit(run(command))
