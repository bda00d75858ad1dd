"""Judge the pitch kernel on synthetic speech it was not fitted on: errors, and calibration.

Run: python -m recipes.pitch_scorer.judge [--utterances 100] [--stream 3]

Calibration error is the expected one of M. P. Naeini et al., "Obtaining well calibrated
probabilities using Bayesian binning", 2015: over ten equal bins of the probability, the mean
distance of the share of voiced frames from the mean probability, weighted by frames.
"""

from __future__ import annotations

import json
import sys
from dataclasses import asdict, dataclass
from typing import Annotated

import numpy as np
import typer
from numpy.typing import NDArray

from edge_ser.kernels import Pitch, PitchOptions
from recipes.command_line import run
from recipes.pitch_scorer.corpus import FIRST_CENTER, true_f0
from recipes.pitch_scorer.recording_conditions import recorded
from recipes.pitch_scorer.synthetic_speech import utterance

BINS = 10


@dataclass(frozen=True)
class Verdict:
    """Errors over the frames of a corpus; shares are 0 to 1."""

    frames: int
    voicing_decision_error: float
    gross_pitch_error: float
    """Of the frames voiced in truth and decision, those more than 20 % off."""
    median_cents: float
    calibration_error: float


def calibration_error(probability: NDArray[np.float64], voiced: NDArray[np.bool_]) -> float:
    """Expected calibration error of probabilities 0 to 1; 0 for no frame."""
    which = np.minimum((probability * BINS).astype(np.int64), BINS - 1)
    error = 0.0
    for number in range(BINS):
        inside = which == number
        if inside.any():
            gap = abs(float(probability[inside].mean()) - float(voiced[inside].mean()))
            error += gap * float(inside.mean())
    return error


def verdict(frames: NDArray[np.float32], truth: NDArray[np.float32]) -> Verdict:
    """Compares the kernel's frames ``[n, 4]`` with the true f0 in Hz, 0 where unvoiced."""
    decided, voiced = frames[:, 0] > 0, truth > 0
    both = decided & voiced
    ratio = frames[both, 0].astype(np.float64) / truth[both]
    gross = np.abs(ratio - 1) > 0.2
    return Verdict(
        frames=len(frames),
        voicing_decision_error=float(np.mean(decided != voiced)),
        gross_pitch_error=float(gross.mean()) if len(gross) else 0.0,
        median_cents=float(np.median(np.abs(1200 * np.log2(ratio[~gross])))) if len(ratio) else 0.0,
        calibration_error=calibration_error(frames[:, 2].astype(np.float64), voiced),
    )


def judge(utterances: int, stream: int) -> Verdict:
    """Two recordings of each utterance of a stream of random numbers."""
    pitch = Pitch(PitchOptions(first_center=FIRST_CENTER))
    rows: list[NDArray[np.float32]] = []
    truth: list[NDArray[np.float32]] = []
    for number in range(utterances):
        random = np.random.default_rng([stream, number])
        speech = utterance(random)
        for _ in range(2):
            rows.append(pitch.compute(recorded(speech, random).astype(np.float32)))
            truth.append(true_f0(speech, 0, len(rows[-1])))
    return verdict(np.concatenate(rows), np.concatenate(truth))


def command(
    utterances: Annotated[int, typer.Option(min=1, help="How many.")] = 100,
    stream: Annotated[int, typer.Option(help="1 and 2 served the fit.")] = 3,
) -> None:
    """Judge the pitch kernel on synthetic speech; prints the verdict as JSON.

    A complete command: python -m recipes.pitch_scorer.judge --utterances 100
    """
    typer.echo(json.dumps(asdict(judge(utterances, stream)), indent=2))


if __name__ == "__main__":
    sys.exit(run(command))
