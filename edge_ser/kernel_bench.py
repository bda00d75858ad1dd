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
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edge_ser import kernels
from edge_ser.constants import SAMPLE_RATE

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

    def speedups(self) -> dict[str, float]:
        """Return how many times faster the kernel is than each other implementation."""
        ours = self.microseconds[OURS]
        return {name: value / ours for name, value in self.microseconds.items() if name != OURS}


def speech_like_sound(seconds: int, rate: int = SAMPLE_RATE) -> Samples:
    """Return a deterministic sound with voiced, unvoiced and silent stretches, float32."""
    rng = np.random.default_rng(0)
    time_axis = np.arange(seconds * rate) / rate
    f0 = 140 + 40 * np.sin(2 * np.pi * 0.7 * time_axis)
    phase = 2 * np.pi * np.cumsum(f0) / rate
    voiced = np.sum([np.sin(k * phase) / k for k in range(1, 20)], axis=0) * 0.2
    noise = rng.standard_normal(len(time_axis))
    part = (time_axis * 3).astype(int) % 3
    sound = np.where(part == 0, voiced, np.where(part == 1, 0.05 * noise, 0)) + 1e-3 * noise
    return sound.astype(np.float32)


def _optional(name: str) -> Any:
    return importlib.import_module(name) if importlib.util.find_spec(name) else None


def _chunks(sound: Samples) -> list[Samples]:
    return [sound[at : at + CHUNK] for at in range(0, len(sound), CHUNK)]


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


def _mfcc_tasks(sound: Samples) -> list[Task]:
    whole = kernels.Mfcc(_mfcc_options())
    frames = len(whole.compute(sound))
    at_once: dict[str, Run] = {OURS: lambda: whole.compute(sound)}
    streaming: dict[str, Run] = {OURS: _streaming(kernels.Mfcc(_mfcc_options()), _chunks(sound))}
    if librosa := _optional("librosa"):
        at_once["librosa"] = lambda: librosa.feature.mfcc(
            y=sound, sr=SAMPLE_RATE, n_mfcc=13, n_mels=40, n_fft=512, win_length=400, hop_length=160
        )
    if knf := _optional("kaldi_native_fbank"):
        at_once["kaldi-native-fbank"] = _kaldi_mfcc(knf, [sound])
        streaming["kaldi-native-fbank"] = _kaldi_mfcc(knf, _chunks(sound))
    return [
        Task(f"MFCC-13, {SECONDS} s at once", "frame", frames, at_once),
        Task("MFCC-13, chunks of 20 ms", "frame", frames, streaming),
    ]


def _log_mel_tasks(sound: Samples) -> list[Task]:
    whisper = kernels.LogMel(kernels.MelOptions.whisper())
    runs: dict[str, Run] = {OURS: lambda: whisper.compute(sound)}
    if librosa := _optional("librosa"):
        runs["librosa"] = lambda: librosa.feature.melspectrogram(
            y=sound, sr=SAMPLE_RATE, n_fft=400, hop_length=160, n_mels=80
        )
    return [Task("Whisper log-mel, 80 bands, at once", "frame", len(sound) // 160, runs)]


def _pitch_task(sound: Samples) -> Task:
    runs: dict[str, Run] = {OURS: _streaming(kernels.Pitch(), _chunks(sound))}
    if parselmouth := _optional("parselmouth"):
        praat = parselmouth.Sound(sound.astype(np.float64), SAMPLE_RATE)
        runs["Praat AC (whole clip)"] = lambda: praat.to_pitch_ac(
            time_step=0.01, pitch_floor=50.0, pitch_ceiling=550.0
        )
    return Task("pitch, chunks of 20 ms", "10 ms", len(sound) // 160, runs)


def _other_tasks(sound: Samples) -> list[Task]:
    frames = len(sound) // 160
    prosody = _streaming(kernels.Prosody(), _chunks(sound))
    tasks = [Task("prosody, chunks of 20 ms", "frame", frames, {OURS: prosody})]
    for rate in (44100, 48000):
        at_rate = speech_like_sound(SECONDS, rate)
        resampler = kernels.Resampler(kernels.ResamplerOptions(source_rate=rate))
        runs: dict[str, Run] = {OURS: lambda r=resampler, x=at_rate: r.compute(x)}  # type: ignore[misc]
        if soxr := _optional("soxr"):
            runs["soxr HQ"] = lambda x=at_rate, hz=rate, s=soxr: s.resample(x, hz, SAMPLE_RATE)  # type: ignore[misc]
        tasks.append(Task(f"resample {rate} to {SAMPLE_RATE} Hz", "10 ms", frames, runs))
    return tasks


def make_tasks() -> list[Task]:
    """Return every task, with the implementations that are installed."""
    sound = speech_like_sound(SECONDS)
    return [
        *_mfcc_tasks(sound),
        *_log_mel_tasks(sound),
        _pitch_task(sound),
        *_other_tasks(sound),
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


def report(rounds: int = 15) -> dict[str, Any]:
    """Measure everything and return figures ready for JSON.

    `tasks` is a list of objects: `name`, `unit`, `microseconds` (median per unit, by
    implementation), `speedups` (of edge-ser over each other implementation).
    """
    tasks = make_tasks()
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
                "speedups": {k: round(v, 2) for k, v in task.speedups().items()},
            }
            for task in tasks
        ],
    }
