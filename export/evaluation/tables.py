"""Scores of a run over its folds, as numbers and as Markdown."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from edge_ser.errors import ConfigError
from edge_ser.export.evaluation.metrics import Metrics, grouped_interval, score
from edge_ser.export.training.run import RunResult


@dataclass(frozen=True)
class Interval:
    """A mean over folds with its spread, and the 95 % interval over people."""

    mean: float
    deviation: float
    low: float
    high: float

    def __str__(self) -> str:
        return f"{self.mean:.3f} ± {self.deviation:.3f} [{self.low:.3f}, {self.high:.3f}]"


@dataclass(frozen=True)
class RunScores:
    """What a run reached."""

    name: str
    protocol: str
    warning: str
    folds: int
    count: int
    labels: tuple[str, ...]
    accuracy: Interval
    recall: Interval
    chance_accuracy: float
    """Accuracy of always answering the commonest label."""
    chance_recall: float
    pooled: Metrics
    """Over the test parts of all folds together."""
    per_speaker: dict[str, float]
    """Accuracy of every test person."""
    per_sex: dict[str, float]
    parameters: int
    seconds: float

    def to_dict(self) -> dict[str, Any]:
        """A dictionary that JSON can hold."""
        return asdict(self)


def scores(result: RunResult) -> RunScores:
    """Score a run.

    Accuracy and unweighted average recall are means over folds with the deviation between folds;
    the interval draws people, not clips.

    Raises:
        ConfigError: if the run has no fold.
    """
    if not result.folds:
        raise ConfigError(f"{result.config.name} has no fold to score")
    labels = len(result.labels)
    each = [score(f.log_probabilities.argmax(1), f.true, labels) for f in result.folds]
    true = np.concatenate([f.true for f in result.folds])
    predicted = np.concatenate([f.log_probabilities.argmax(1) for f in result.folds])
    speakers = [s for f in result.folds for s in f.speakers]
    sexes = [s for f in result.folds for s in f.sexes]
    hit = (true == predicted).astype(float)
    # Weighted by the inverse frequency of their labels, hits average to the recall.
    frequency = np.bincount(true, minlength=labels) / len(true)
    present = int((frequency > 0).sum())
    balanced = hit / (frequency[true] * present)
    return RunScores(
        name=result.config.name,
        protocol=result.folds[0].protocol,
        warning=result.folds[0].warning,
        folds=len(result.folds),
        count=len(true),
        labels=result.labels,
        accuracy=_interval([m.accuracy for m in each], hit, speakers),
        recall=_interval([m.recall for m in each], balanced, speakers),
        chance_accuracy=float(frequency.max()),
        chance_recall=1.0 / present,
        pooled=score(predicted, true, labels),
        per_speaker=_means(hit, speakers),
        per_sex=_means(hit, sexes),
        parameters=max(f.parameters for f in result.folds),
        seconds=sum(f.seconds for f in result.folds),
    )


def paired_difference(better: RunResult, other: RunResult) -> Interval:
    """Accuracy of one run less that of another on the same clips.

    Raises:
        ConfigError: if the runs were not tested on the same clips in the same folds.
    """
    if [f.names for f in better.folds] != [f.names for f in other.folds]:
        raise ConfigError(
            f"{better.config.name} and {other.config.name} were not tested on the same clips"
        )
    per_fold: list[float] = []
    every: list[float] = []
    speakers: list[str] = []
    for first, second in zip(better.folds, other.folds, strict=True):
        gain = (first.log_probabilities.argmax(1) == first.true).astype(float)
        gain -= second.log_probabilities.argmax(1) == second.true
        per_fold.append(float(gain.mean()))
        every.append(gain)
        speakers += first.speakers
    return _interval(per_fold, np.concatenate(every), speakers)


def markdown(scored: RunScores) -> str:
    """A run's scores in Markdown: summary, labels, confusion, sexes, people."""
    lines = [
        f"### {scored.name}",
        "",
        f"Protocol: {scored.protocol}. {scored.folds} folds, {scored.count} test clips.",
        *([f"**{scored.warning}.**"] if scored.warning else []),
        "",
        "| | mean ± deviation over folds [95 % over people] | chance |",
        "|---|---|---|",
        f"| accuracy | {scored.accuracy} | {scored.chance_accuracy:.3f} |",
        f"| unweighted average recall | {scored.recall} | {scored.chance_recall:.3f} |",
        f"| macro F1, pooled | {scored.pooled.f1:.3f} | |",
        "",
        f"{scored.parameters / 1e6:.2f} M parameters; trained in {scored.seconds / 60:.0f} min.",
        "",
        "| label | precision | recall | F1 | clips |",
        "|---|---|---|---|---|",
    ]
    for label, (precision, recall, f1, count) in zip(
        scored.labels, scored.pooled.per_label, strict=True
    ):
        lines.append(f"| {label} | {precision:.3f} | {recall:.3f} | {f1:.3f} | {count} |")
    lines += ["", "| said \\ heard as | " + " | ".join(scored.labels) + " |"]
    lines.append("|---" * (len(scored.labels) + 1) + "|")
    for label, row in zip(scored.labels, scored.pooled.confusion, strict=True):
        lines.append(f"| {label} | " + " | ".join(str(x) for x in row) + " |")
    if any(scored.per_sex):
        lines += ["", "Accuracy by sex: " + _listed(scored.per_sex) + "."]
    lines += ["", "Accuracy by person: " + _listed(scored.per_speaker) + ".", ""]
    return "\n".join(lines)


def _interval(folds: Sequence[float], values: np.ndarray, people: Sequence[str]) -> Interval:
    low, high = grouped_interval(list(values), people)
    deviation = float(np.std(folds, ddof=1)) if len(folds) > 1 else 0.0
    return Interval(float(np.mean(folds)), deviation, low, high)


def _means(values: np.ndarray, groups: Sequence[str]) -> dict[str, float]:
    return {
        name: float(np.mean([v for v, g in zip(values, groups, strict=True) if g == name]))
        for name in sorted(set(groups))
    }


def _listed(values: dict[str, float]) -> str:
    return ", ".join(f"{name or 'unknown'} {value:.3f}" for name, value in values.items())
