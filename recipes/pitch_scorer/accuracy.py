"""Errors of the pitch kernel on synthetic speech of another generator than that of the fit.

Run: python -m recipes.pitch_scorer.accuracy EVALUATION.py --seeds 11 12 13 \
         [--peer praat_ac] [--write docs/pitch.md]

EVALUATION.py is a program that makes utterances of known f0 and scores trackers; what is used of it
is `Evaluation`. The kernel runs as a stream, in chunks of 20 ms, at its default options. Frames of
all seeds are pooled; the range is that over the seeds.

GPE, gross pitch error: of the frames voiced in truth and decision, those more than 20 % off. VDE,
voicing decision error: of all frames, those with the wrong voicing (both: W. Chu and A. Alwan,
"Reducing F0 frame error of F0 tracking algorithms under noisy conditions with an
unvoiced/voiced classification frontend", 2009).
"""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Final, Protocol, cast

import numpy as np
import typer
from numpy.typing import NDArray

from edge_ser.constants import SAMPLE_RATE
from edge_ser.errors import ConfigError
from edge_ser.kernels import Pitch
from recipes.command_line import run
from recipes.documents.measured_section import host, write_section
from recipes.pitch_scorer.corpus import HOP
from recipes.pitch_scorer.judge import calibration_error

OURS: Final = "edge-ser"
CONDITIONS: Final = {
    "clean": "clean",
    "white10": "white 10 dB",
    "pink0": "pink 0 dB",
    "hp300": "300 Hz high-pass",
}
"""Conditions of the evaluation program, and their names in the table."""
SECTION: Final = "accuracy"
_CHUNK: Final = SAMPLE_RATE // 50

Tracked = tuple[NDArray[np.float64], NDArray[np.float64]]
"""Times in s, and f0 in Hz with 0 for unvoiced."""
Tracker = Callable[[NDArray[np.float32], int, float, float], Sequence[Any]]


class Evaluation(Protocol):
    """What is used of an evaluation program."""

    T: dict[str, Callable[[], Tracker]]
    """Makers of the peers, by name."""

    def make_corpus(self, seed: int) -> list[Any]:
        """Utterances; ``truth(times)`` of one gives f0 in Hz and voicing."""

    def condition(self, utterance: Any, name: str) -> NDArray[np.float32]:
        """Its samples under a condition, 16 kHz."""

    def score(self, utterance: Any, times: Any, f0: Any) -> dict[str, Any]:
        """Counts of one utterance."""

    def total(self, scores: list[dict[str, Any]]) -> dict[str, float]:
        """Errors of many: ``gpe`` and ``vde``, 0 to 1, and ``med_cents``."""


@dataclass(frozen=True)
class Errors:
    """Of one tracker under one condition, over some seeds; shares are 0 to 1."""

    gross: float
    voicing: float
    median_cents: float
    gross_by_seed: tuple[float, ...]
    voicing_by_seed: tuple[float, ...]


def load_evaluation(path: Path) -> Evaluation:
    """Import an evaluation program.

    Raises:
        ConfigError: if it cannot be imported or lacks a part that is used.
    """
    spec = importlib.util.spec_from_file_location("pitch_evaluation", path)
    if spec is None or spec.loader is None or not path.is_file():
        raise ConfigError(f"{path} is no Python program that can be read")
    module = importlib.util.module_from_spec(spec)
    # Dataclasses look their module up by name.
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    parts = ("T", "make_corpus", "condition", "score", "total")
    missing = [name for name in parts if not hasattr(module, name)]
    if missing:
        raise ConfigError(f"{path} has no {', '.join(missing)}")
    return cast(Evaluation, module)


def stream(samples: NDArray[np.float32], pitch: Pitch) -> NDArray[np.float32]:
    """The kernel's frames ``[n, 4]`` of a sound given in chunks of 20 ms."""
    pitch.reset()
    parts = [pitch.accept(samples[at : at + _CHUNK]) for at in range(0, len(samples), _CHUNK)]
    return np.concatenate([*parts, pitch.finish()])


def kernel_tracker(pitch: Pitch) -> Tracker:
    """The kernel as a tracker: times, f0, and the probability of voicing."""

    def track(samples: NDArray[np.float32], _rate: int, _low: float, _high: float) -> Sequence[Any]:
        rows = stream(samples, pitch).astype(np.float64)
        times = (pitch.options.first_center + HOP * np.arange(len(rows))) / SAMPLE_RATE
        return times, rows[:, 0], rows[:, 2]

    return track


def errors(by_seed: list[list[dict[str, Any]]], evaluation: Evaluation) -> Errors:
    """Pools the scores of several seeds."""
    pooled = evaluation.total([score for scores in by_seed for score in scores])
    each = [evaluation.total(scores) for scores in by_seed]
    return Errors(
        pooled["gpe"],
        pooled["vde"],
        pooled["med_cents"],
        tuple(one["gpe"] for one in each),
        tuple(one["vde"] for one in each),
    )


@dataclass(frozen=True)
class Accuracy:
    """Errors by tracker and condition, and the calibration of the kernel's probabilities."""

    errors: dict[str, dict[str, Errors]]
    calibration: dict[str, float]
    """Expected calibration error by condition."""


def measure(evaluation: Evaluation, seeds: Sequence[int], peers: Sequence[str] = ()) -> Accuracy:
    """Runs the kernel and its peers over the corpora of some seeds.

    Raises:
        ConfigError: if the evaluation program does not know a peer.
    """
    unknown = [name for name in peers if name not in evaluation.T]
    if unknown:
        raise ConfigError(f"no tracker {unknown[0]!r}; there are: {', '.join(evaluation.T)}")
    trackers = {OURS: kernel_tracker(Pitch()), **{name: evaluation.T[name]() for name in peers}}
    scores: dict[str, dict[str, list[list[dict[str, Any]]]]] = {
        name: {condition: [] for condition in CONDITIONS} for name in trackers
    }
    probability: dict[str, list[NDArray[np.float64]]] = {name: [] for name in CONDITIONS}
    voiced: dict[str, list[NDArray[np.bool_]]] = {name: [] for name in CONDITIONS}
    for seed in seeds:
        corpus = evaluation.make_corpus(seed)
        for condition in CONDITIONS:
            disturbed = [evaluation.condition(utterance, condition) for utterance in corpus]
            for name, track in trackers.items():
                one: list[dict[str, Any]] = []
                for utterance, samples in zip(corpus, disturbed, strict=True):
                    found = track(samples, SAMPLE_RATE, 50.0, 550.0)
                    one.append(evaluation.score(utterance, found[0], found[1]))
                    if name == OURS:
                        probability[condition].append(found[2])
                        voiced[condition].append(utterance.truth(found[0])[1])
                scores[name][condition].append(one)
    return Accuracy(
        {
            name: {condition: errors(some, evaluation) for condition, some in by_condition.items()}
            for name, by_condition in scores.items()
        },
        {
            condition: calibration_error(
                np.concatenate(probability[condition]), np.concatenate(voiced[condition])
            )
            for condition in CONDITIONS
        },
    )


def table(accuracy: Accuracy, seeds: Sequence[int]) -> str:
    """The figures as Markdown, in percent."""

    def cell(share: float, by_seed: tuple[float, ...]) -> str:
        spread = f" ({100 * min(by_seed):.2f} to {100 * max(by_seed):.2f})"
        return f"{100 * share:.2f}" + (spread if len(by_seed) > 1 else "")

    lines = [
        "| | " + " | ".join(CONDITIONS.values()) + " |",
        "|---" * (len(CONDITIONS) + 1) + "|",
    ]
    for name, by_condition in accuracy.errors.items():
        found = [by_condition[condition] for condition in CONDITIONS]
        gross = " | ".join(cell(e.gross, e.gross_by_seed) for e in found)
        voicing = " | ".join(cell(e.voicing, e.voicing_by_seed) for e in found)
        lines += [f"| {name}, GPE | {gross} |", f"| {name}, VDE | {voicing} |"]
    ours = [accuracy.errors[OURS][condition].median_cents for condition in CONDITIONS]
    lines.append(
        f"| {OURS}, median distance in cents | " + " | ".join(f"{c:.1f}" for c in ours) + " |"
    )
    calibration = " | ".join(f"{accuracy.calibration[condition]:.3f}" for condition in CONDITIONS)
    lines.append(f"| {OURS}, calibration error of the probability | {calibration} |")
    packages = ["edge-ser", "numpy", "scipy", "praat-parselmouth", "swift-f0"]
    lines += ["", f"Seeds {', '.join(map(str, seeds))}. {host(packages)}."]
    return "\n".join(lines)


def command(
    evaluation: Annotated[Path, typer.Argument(help="The evaluation program, a Python file.")],
    seed: Annotated[list[int], typer.Option("--seed", help="Of the sounds; may be repeated.")],
    peer: Annotated[
        list[str] | None, typer.Option(help="A tracker of the program; may be repeated.")
    ] = None,
    write: Annotated[
        Path | None, typer.Option(help="Document with the lines <!-- accuracy -->.")
    ] = None,
) -> None:
    """Measure the pitch kernel's errors.

    A complete command: python -m recipes.pitch_scorer.accuracy pitch_eval.py --seed 7 --seed 8
    """
    text = table(measure(load_evaluation(evaluation), seed, peer or []), seed)
    typer.echo(text)
    if write is not None:
        write_section(write, SECTION, text)


def main(arguments: Sequence[str] | None = None) -> int:
    """The command; gives the exit code."""
    return run(command, arguments)


if __name__ == "__main__":
    sys.exit(main())
