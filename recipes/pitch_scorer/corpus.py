"""The corpus that the pitch scorer is fitted on: evidence of frames, and their true pitch.

A shard holds 50 synthetic utterances, each in four recordings: the first shards over steady or
swelling backgrounds, those from GUSTS_FROM on also with bursts of noise. Shard k of a stream
depends on (stream, k) alone, so a corpus can be made in pieces and is the same each time.
"""

from __future__ import annotations

import io
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from edge_ser._kernels import pitch_evidence
from edge_ser.files import write_atomically
from recipes.pitch_scorer.recording_conditions import recorded
from recipes.pitch_scorer.synthetic_speech import Utterance, utterance

FIRST_CENTER = 200
HOP = 160
UTTERANCES = 50
RECORDINGS = 4
GUSTS_FROM = 12
FITTING, HELD_OUT = 1, 2
"""Streams of random numbers: what the weights are fitted on, and what they are judged on."""


@dataclass(frozen=True)
class Frames:
    """Consecutive frames of several recordings."""

    features: NDArray[np.float16]
    f0_hz: NDArray[np.float32]
    """Truth at the frame's centre; 0 where unvoiced."""
    lengths: NDArray[np.int64]
    """Frames of each recording."""


def true_f0(speech: Utterance, first_frame: int, frames: int) -> NDArray[np.float32]:
    """Truth at the centres of `frames` frames from `first_frame` on; 0 outside the utterance."""
    centres = FIRST_CENTER + HOP * (first_frame + np.arange(frames))
    inside = (centres >= 0) & (centres < len(speech.samples))
    centres = np.clip(centres, 0, len(speech.samples) - 1)
    return np.where(inside & speech.voiced[centres], speech.f0_hz[centres], 0).astype(np.float32)


def make_shard(stream: int, index: int) -> Frames:
    """Synthesises one shard; about 15 s of one core."""
    features: list[NDArray[np.float16]] = []
    f0: list[NDArray[np.float32]] = []
    for number in range(index * UTTERANCES, (index + 1) * UTTERANCES):
        random = np.random.default_rng([stream, number])
        speech = utterance(random)
        for _ in range(RECORDINGS):
            audio = recorded(speech, random, with_gusts=index >= GUSTS_FROM)
            rows, first = pitch_evidence(audio.astype(np.float32), FIRST_CENTER)
            features.append(rows.astype(np.float16))
            f0.append(true_f0(speech, first, len(rows)))
    lengths = np.array([len(values) for values in f0], np.int64)
    return Frames(np.concatenate(features), np.concatenate(f0), lengths)


def load_corpus(folder: Path, stream: int, shards: int) -> Frames:
    """The first `shards` shards of a stream: read from `folder`, or made and kept there."""
    parts: list[Frames] = []
    for index in range(shards):
        path = folder / f"{stream}-{index:03}.npz"
        if not path.exists():
            made = make_shard(stream, index)
            buffer = io.BytesIO()
            np.savez(buffer, features=made.features, f0_hz=made.f0_hz, lengths=made.lengths)
            write_atomically(path, buffer.getvalue(), parents=True)
        with np.load(path, allow_pickle=False) as stored:
            parts.append(Frames(stored["features"], stored["f0_hz"], stored["lengths"]))
    return Frames(
        np.concatenate([part.features for part in parts]),
        np.concatenate([part.f0_hz for part in parts]),
        np.concatenate([part.lengths for part in parts]),
    )
