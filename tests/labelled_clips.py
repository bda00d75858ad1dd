"""Folders of small recordings that a tiny bundle can tell apart, and logits that are known."""

from __future__ import annotations

import wave
from pathlib import Path

import numpy as np

from edge_ser.calibration.evaluation_data import EvaluationData
from edge_ser.calibration.subset_logits import SubsetLogits

RATE = 16000
TONES = {"neutral": 150, "happy": 320, "sad": 90}


def write_tone(path: Path, hertz: float, seconds: float = 0.6, seed: int = 0) -> Path:
    """A tone with some noise, 16 bit mono."""
    path.parent.mkdir(parents=True, exist_ok=True)
    times = np.arange(round(seconds * RATE)) / RATE
    noise = np.random.default_rng(seed).normal(0, 0.02, len(times))
    samples = np.clip(0.3 * np.sin(2 * np.pi * hertz * times) + noise, -1, 1)
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(RATE)
        file.writeframes((samples * 32767).astype("<i2").tobytes())
    return path


def write_labelled_folder(folder: Path, people: int = 5, clips: int = 2) -> Path:
    """``label/speaker/clip.wav`` of a few people, words beside each clip."""
    for label, hertz in TONES.items():
        for person in range(people):
            for clip in range(clips):
                path = folder / label / f"p{person}" / f"{clip}.wav"
                write_tone(path, hertz + 3 * person + clip, seed=person * 10 + clip)
                path.with_suffix(".txt").write_text(f"this is number {clip} of {label}")
    return folder


def logits_of_people(
    people: int = 8, clips: int = 40, labels: int = 3, temperature: float = 1.0, seed: int = 0
) -> SubsetLogits:
    """Logits whose true temperature is known; sexes and folds take turns."""
    rng = np.random.default_rng(seed)
    count = people * clips
    logits = rng.normal(0, 2.5, (count, labels))
    shares = np.exp(logits / temperature)
    shares /= shares.sum(1, keepdims=True)
    true = (shares.cumsum(1) > rng.random((count, 1))).argmax(1)
    who = [i % people for i in range(count)]
    return SubsetLogits(
        logits,
        true,
        tuple(f"person {i}" for i in who),
        tuple("female" if i % 2 else "male" for i in who),
        np.array([i % 4 for i in who], np.int64),
        (True,) * count,
        0,
    )


def people_of(data: EvaluationData) -> set[str]:
    """Everybody in the data."""
    return {data.person(i) for i in range(len(data.items))}
