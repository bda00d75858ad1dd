"""How fast the kernels are on this machine, with other libraries beside them.

Every implementation of a task runs in turn, again and again, and the medians are compared: what
slows the machine down for a while then slows all of them down. Times are processor time of the
process, so that other programs do not count and threads do; Python's call is included. Other
libraries take part when they are installed (extra `bench`).
"""

from __future__ import annotations

import importlib
import importlib.util
import platform
import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edge_ser import kernels
from edge_ser.constants import SAMPLE_RATE
from edge_ser.errors import MediaError
from edge_ser.machine.resampler_quality import ResamplerQuality, measured_quality

SECONDS = 10
CHUNK = SAMPLE_RATE // 50
OURS = "edge-ser"

Samples = NDArray[np.float32]
Run = Callable[[], object]


@dataclass
class Task:
    """One job that several implementations do; times are microseconds per `unit`."""

    name: str
    unit: str
    units: int
    runs: dict[str, Run]
    microseconds: dict[str, float] = field(default_factory=dict)
    """Medians by implementation."""
    fastest: dict[str, float] = field(default_factory=dict)
    """The fastest round by implementation, microseconds per `unit` too."""
    quality: dict[str, ResamplerQuality] = field(default_factory=dict)
    """How good each implementation of a resampler is."""

    def speedups(self) -> dict[str, float]:
        """Return how many times faster the kernel is than each other implementation."""
        ours = self.microseconds[OURS]
        return {name: value / ours for name, value in self.microseconds.items() if name != OURS}


_VOWELS = np.array([[730, 1090, 2440], [270, 2290, 3010], [300, 870, 2240], [530, 1840, 2480]])
"""Formants in Hz of four vowels of a man (G. Peterson and H. Barney, "Control methods used in a
study of the vowels", 1952)."""
_SYLLABLES_PER_SECOND = 4
_STEADY = 80  # samples over which resonances are held
_VOICED, _HISSING = 0.65, 0.15  # of a syllable; the rest is pause


def speech_like_audio(seconds: int) -> Samples:
    """Return a deterministic sound: four syllables a second of voice, hiss and pause.

    A voice is the harmonics of a gliding pitch below 4 kHz, weighted by the resonances of vowels
    that follow one another; the pause holds faint noise, as recordings do.

    Returns:
        float32 [16000 * seconds], 16 kHz, at most 0.5.
    """
    rng = np.random.default_rng(0)
    time_axis = np.arange(seconds * SAMPLE_RATE) / SAMPLE_RATE
    f0 = 150 * 2 ** (0.5 * np.sin(2 * np.pi * 0.4 * time_axis) - 0.3 * (time_axis % 2.5) / 2.5)
    phase = 2 * np.pi * np.cumsum(f0) / SAMPLE_RATE
    syllable = time_axis * _SYLLABLES_PER_SECOND
    formants = _VOWELS[syllable[::_STEADY].astype(int) % len(_VOWELS)]
    voice = np.zeros(len(time_axis))
    for harmonic in range(1, int(4000 / f0.min())):
        hz = harmonic * f0[::_STEADY]
        resonances = (1 / (1 + ((hz[:, None] - formants) / 80) ** 2)).sum(axis=1)
        weight = np.where(hz < 4000, (0.05 + resonances) / harmonic, 0)
        voice += np.repeat(weight, _STEADY) * np.cos(harmonic * phase)
    noise = rng.standard_normal(len(time_axis))
    part = syllable % 1
    envelope = np.sin(np.pi * np.clip(part / _VOICED, 0, 1)) ** 0.5
    hiss = 0.08 * np.diff(noise, prepend=0) * ((part > _VOICED) & (part < _VOICED + _HISSING))
    audio = voice * envelope + hiss + 1e-3 * noise
    return np.asarray(0.5 * audio / np.abs(audio).max(), np.float32)


def _optional(name: str) -> Any:
    return importlib.import_module(name) if importlib.util.find_spec(name) else None


def _chunks(audio: Samples) -> list[Samples]:
    return [audio[at : at + CHUNK] for at in range(0, len(audio), CHUNK)]


def _streaming(kernel: Any, chunks: Sequence[Samples]) -> Run:
    def run() -> None:
        kernel.reset()
        accept = kernel.accept
        for chunk in chunks:
            accept(chunk)

    return run


def _mfcc_options() -> kernels.MfccOptions:
    return kernels.MfccOptions.kaldi(
        mel=kernels.MelOptions.kaldi(num_mels=40, sample_scale=1.0), num_ceps=13
    )


def _kaldi_mfcc(knf: Any, chunks: Sequence[Samples]) -> Run:
    options = knf.MfccOptions()
    options.frame_opts.dither = 0
    options.frame_opts.samp_freq = SAMPLE_RATE
    options.mel_opts.num_bins = 40
    options.num_ceps = 13

    def run() -> None:
        online = knf.OnlineMfcc(options)
        done = 0
        for chunk in chunks:
            online.accept_waveform(SAMPLE_RATE, chunk)
            ready = online.num_frames_ready
            for frame in range(done, ready):
                online.get_frame(frame)
            done = ready

    return run


def _mfcc_tasks(audio: Samples) -> list[Task]:
    whole = kernels.Mfcc(_mfcc_options())
    frames = len(whole.compute(audio))
    at_once: dict[str, Run] = {OURS: lambda: whole.compute(audio)}
    streaming: dict[str, Run] = {OURS: _streaming(kernels.Mfcc(_mfcc_options()), _chunks(audio))}
    if librosa := _optional("librosa"):
        at_once["librosa"] = lambda: librosa.feature.mfcc(
            y=audio, sr=SAMPLE_RATE, n_mfcc=13, n_mels=40, n_fft=512, win_length=400, hop_length=160
        )
    if knf := _optional("kaldi_native_fbank"):
        at_once["kaldi-native-fbank"] = _kaldi_mfcc(knf, [audio])
        streaming["kaldi-native-fbank"] = _kaldi_mfcc(knf, _chunks(audio))
    return [
        Task(f"MFCC-13, {len(audio) / SAMPLE_RATE:.0f} s at once", "frame", frames, at_once),
        Task("MFCC-13, chunks of 20 ms", "frame", frames, streaming),
    ]


def _log_mel_tasks(audio: Samples) -> list[Task]:
    whisper = kernels.LogMel(kernels.MelOptions.whisper())
    runs: dict[str, Run] = {OURS: lambda: whisper.compute(audio)}
    if librosa := _optional("librosa"):
        runs["librosa"] = lambda: librosa.feature.melspectrogram(
            y=audio, sr=SAMPLE_RATE, n_fft=400, hop_length=160, n_mels=80
        )
    return [Task("Whisper log-mel, 80 bands, at once", "frame", len(audio) // 160, runs)]


def _pitch_task(audio: Samples) -> Task:
    runs: dict[str, Run] = {OURS: _streaming(kernels.Pitch(), _chunks(audio))}
    if parselmouth := _optional("parselmouth"):
        praat = parselmouth.Sound(audio.astype(np.float64), SAMPLE_RATE)
        runs["Praat AC (whole clip)"] = lambda: praat.to_pitch_ac(
            time_step=0.01, pitch_floor=50.0, pitch_ceiling=550.0
        )
    return Task("pitch, chunks of 20 ms", "10 ms", len(audio) // 160, runs)


def _resampler_task(
    audio: Samples, rate: int, options: kernels.ResamplerOptions, what: str
) -> Task:
    """Ours with those options beside soxr HQ, whose streams show their latency."""
    at_rate = np.resize(audio, SECONDS * rate)
    resampler = kernels.Resampler(options)
    runs: dict[str, Run] = {OURS: lambda: resampler.compute(at_rate)}
    quality = {OURS: measured_quality(rate, resampler.compute, resampler.accept)}
    if soxr := _optional("soxr"):
        runs["soxr HQ"] = lambda: soxr.resample(at_rate, rate, SAMPLE_RATE)
        quality["soxr HQ"] = measured_quality(
            rate,
            lambda samples: soxr.resample(samples, rate, SAMPLE_RATE),
            soxr.ResampleStream(rate, SAMPLE_RATE, 1).resample_chunk,
        )
    name = f"resample {rate} to {SAMPLE_RATE} Hz{what}"
    return Task(name, "10 ms", 100 * SECONDS, runs, quality=quality)


def _resampler_tasks(audio: Samples) -> list[Task]:
    tasks: list[Task] = []
    for rate in (44100, 48000):
        usual = kernels.ResamplerOptions(source_rate=rate)
        # Passes and stops at least what soxr HQ does: the figures beside it show that.
        sharp = kernels.ResamplerOptions(source_rate=rate, pass_band=0.9135, stop_band_db=135)
        tasks.append(_resampler_task(audio, rate, usual, ""))
        tasks.append(_resampler_task(audio, rate, sharp, ", as sharp as soxr HQ"))
    return tasks


def make_tasks(audio: Samples | None = None) -> list[Task]:
    """Return every task, with the implementations that are installed.

    Args:
        audio: float32 [n], 16 kHz mono, at least a second; `speech_like_audio` if not given. The
            resampler always takes the latter.
    """
    if audio is None:
        audio = speech_like_audio(SECONDS)
    return [
        *_mfcc_tasks(audio),
        *_log_mel_tasks(audio),
        _pitch_task(audio),
        *_resampler_tasks(audio),
    ]


def measure(task: Task, rounds: int) -> None:
    """Run all implementations of a task in turn, `rounds` times after a warm-up; keep medians."""
    seconds: dict[str, list[float]] = {name: [] for name in task.runs}
    for round_number in range(rounds + 1):
        for name, run in task.runs.items():
            start = time.process_time()
            run()
            elapsed = time.process_time() - start
            if round_number > 0:
                seconds[name].append(elapsed)
    for name, values in seconds.items():
        task.microseconds[name] = statistics.median(values) / task.units * 1e6
        task.fastest[name] = min(values) / task.units * 1e6


def recorded_samples(path: Path) -> Samples:
    """The audio of a recording, float32 [n] at 16 kHz mono, for `report`.

    Raises:
        MediaError: if the file cannot be read, or holds less than a second.
    """
    from edge_ser.media.media import read_clip

    samples = read_clip(path, want_video=False).samples
    if len(samples) < SAMPLE_RATE:
        raise MediaError(f"{path} holds {len(samples) / SAMPLE_RATE:.2f} s of sound, less than 1 s")
    return samples


def report(rounds: int = 15, audio: Samples | None = None) -> dict[str, Any]:
    """Measure everything and return figures ready for JSON.

    `tasks` is a list of objects: `name`, `unit`, `microseconds` (median per unit, by
    implementation), `fastest` (the same of the fastest round), `speedups` (of edge-ser's median
    over that of each other implementation), `quality` (of resamplers: `pass_band`, `rejection_db`,
    `latency_ms`, by implementation). `audio`: see `make_tasks`.
    """
    tasks = make_tasks(audio)
    for task in tasks:
        measure(task, rounds)
    return {
        "machine": platform.machine(),
        "processor": platform.processor() or platform.machine(),
        "python": platform.python_version(),
        "simd": kernels.simd_levels()[-1],
        "rounds": rounds,
        "tasks": [
            {
                "name": task.name,
                "unit": task.unit,
                "microseconds": {k: round(v, 3) for k, v in task.microseconds.items()},
                "fastest": {k: round(v, 3) for k, v in task.fastest.items()},
                "speedups": {k: round(v, 2) for k, v in task.speedups().items()},
                "quality": {k: v.as_dict() for k, v in task.quality.items()},
            }
            for task in tasks
        ],
    }
