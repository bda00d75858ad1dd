"""Scores of a run over its folds, as numbers and as Markdown."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from edge_ser.errors import ConfigError
from edge_ser.export.scoring.metrics import Metrics, chance, score
from edge_ser.export.scoring.people_draws import (
    PeopleDraws,
    accuracy_figure,
    confusion_columns,
    draw_people,
    f1_figure,
    precision_figure,
    recall_figure,
)
from edge_ser.export.scoring.result import Interval as DrawnInterval
from edge_ser.export.training.predictions import FoldResult, RunResult


@dataclass(frozen=True)
class Interval:
    """A mean over folds with its spread, and the 95 % interval over people."""

    mean: float
    deviation: float | None
    """Between folds; None where there is a single one."""
    low: float
    high: float

    def __str__(self) -> str:
        spread = "" if self.deviation is None else f" ± {self.deviation:.3f}"
        return f"{self.mean:.3f}{spread} [{self.low:.3f}, {self.high:.3f}]"

    def points(self) -> str:
        """The same in points with a sign, for differences."""
        spread = "" if self.deviation is None else f" ± {100 * self.deviation:.1f}"
        low, high = 100 * self.low, 100 * self.high
        return f"{100 * self.mean:+.1f}{spread} [{low:+.1f}, {high:+.1f}]"


@dataclass(frozen=True)
class SubsetScores:
    """What is reached when only some of the modalities are shown."""

    accuracy: Interval
    recall: Interval
    lost: Interval
    """Accuracy with all modalities less accuracy with these, on the same clips."""


@dataclass(frozen=True)
class RunScores:
    """What a run reached."""

    name: str
    protocol: str
    warning: str
    folds: int
    count: int
    people: int
    """Test people; 0 where nobody is named: intervals then draw single items."""
    labels: tuple[str, ...]
    accuracy: Interval
    recall: Interval
    precision: Interval
    f1: Interval
    chance_accuracy: float
    """Accuracy of always answering the commonest label."""
    chance_recall: float
    pooled: Metrics
    """Over the test parts of all folds together."""
    per_speaker: dict[str, float]
    """Accuracy of every test person."""
    per_sex: dict[str, float]
    subsets: dict[str, SubsetScores]
    """By the modalities that were left, where more than one was known."""
    notes: tuple[str, ...]
    parameters: int
    seconds: float

    def to_dict(self) -> dict[str, Any]:
        """A dictionary that JSON can hold: what is not a number is None."""
        made: dict[str, Any] = _plain(asdict(self))
        return made


def scores(result: RunResult) -> RunScores:
    """Score a run.

    Every figure is a mean over folds with the deviation between folds; the interval draws people,
    not clips, because clips of one person resemble each other.

    Raises:
        ConfigError: if the run has no fold.
    """
    if not result.folds:
        raise ConfigError(f"{result.name} has no fold to score")
    labels = len(result.labels)
    each = [score(f.predicted, f.true, labels) for f in result.folds]
    true = np.concatenate([f.true for f in result.folds])
    predicted = np.concatenate([f.predicted for f in result.folds])
    draws = draw_people(_people(result.folds))
    named = [s for f in result.folds for s in f.speakers]
    hit = (true == predicted).astype(float)
    commonest, guessed = chance(true)
    confusion = confusion_columns(predicted, true, labels)
    return RunScores(
        name=result.name,
        protocol=result.folds[0].protocol,
        warning=result.folds[0].warning,
        folds=len(result.folds),
        count=len(true),
        people=len(set(named) - {""}),
        labels=result.labels,
        accuracy=_interval(
            [m.accuracy for m in each], draws.interval(confusion, accuracy_figure(labels))
        ),
        recall=_interval(
            [m.recall for m in each], draws.interval(confusion, recall_figure(labels))
        ),
        precision=_interval(
            [m.precision for m in each], draws.interval(confusion, precision_figure(labels))
        ),
        f1=_interval([m.f1 for m in each], draws.interval(confusion, f1_figure(labels))),
        chance_accuracy=commonest,
        chance_recall=guessed,
        pooled=score(predicted, true, labels),
        per_speaker=_means(hit, named),
        per_sex=_means(hit, [s for f in result.folds for s in f.sexes]),
        subsets=_subsets(result, draws),
        notes=tuple(dict.fromkeys(note for f in result.folds for note in f.notes)),
        parameters=max(f.parameters for f in result.folds),
        seconds=sum(f.seconds for f in result.folds),
    )


def paired_difference(better: RunResult, other: RunResult) -> Interval:
    """Accuracy of one run less that of another on the same clips.

    Raises:
        ConfigError: if the runs were not tested on the same clips in the same folds.
    """
    if [f.names for f in better.folds] != [f.names for f in other.folds]:
        raise ConfigError(f"{better.name} and {other.name} were not tested on the same clips")
    per_fold: list[float] = []
    every: list[npt.NDArray[np.float64]] = []
    for first, second in zip(better.folds, other.folds, strict=True):
        gain = (first.predicted == first.true).astype(float)
        gain -= second.predicted == second.true
        per_fold.append(float(gain.mean()))
        every.append(gain)
    return _interval(per_fold, draw_people(_people(better.folds)).mean(np.concatenate(every)))


def markdown(scored: RunScores) -> str:
    """A run's scores in Markdown: summary, labels, confusion, ablation, sexes, people."""
    whom = f"{scored.people} test people" if scored.people else "nobody is named"
    over = "people" if scored.people else "items"
    how = f"mean ± deviation over folds [95 % over {over}]"
    lines = [
        f"### {scored.name}",
        "",
        f"Protocol: {scored.protocol}. {scored.folds} {'fold' if scored.folds == 1 else 'folds'}, "
        f"{scored.count} test items, {whom}.",
        *([f"**{scored.warning}.**"] if scored.warning else []),
        *(f"{note}." for note in scored.notes),
        "",
        f"| | {how if scored.folds > 1 else f'value [95 % over {over}]'} | chance |",
        "|---|---|---|",
        f"| accuracy | {scored.accuracy} | {scored.chance_accuracy:.3f} |",
        f"| unweighted average recall | {scored.recall} | {scored.chance_recall:.3f} |",
        f"| macro precision | {scored.precision} | |",
        f"| macro F1 | {scored.f1} | |",
        "",
        *([_cost(scored), ""] if scored.parameters else []),
        "| label | precision | recall | F1 | items |",
        "|---|---|---|---|---|",
    ]
    for label, row in zip(scored.labels, scored.pooled.per_label, strict=True):
        cells = " | ".join("-" if np.isnan(x) else f"{x:.3f}" for x in row[:3])
        lines.append(f"| {label} | {cells} | {row[3]} |")
    lines += ["", "| said \\ heard as | " + " | ".join(scored.labels) + " |"]
    lines.append("|---" * (len(scored.labels) + 1) + "|")
    for label, counts in zip(scored.labels, scored.pooled.confusion, strict=True):
        lines.append(f"| {label} | " + " | ".join(str(x) for x in counts) + " |")
    if scored.subsets:
        lines += [
            "",
            "| modalities left | accuracy | unweighted average recall | points of accuracy lost |",
            "|---|---|---|---|",
        ]
        for name, subset in scored.subsets.items():
            lines.append(
                f"| {name} | {subset.accuracy} | {subset.recall} | {subset.lost.points()} |"
            )
    if any(scored.per_sex):
        lines += ["", "Accuracy by sex: " + _listed(scored.per_sex) + "."]
    if scored.people:
        lines += ["", "Accuracy by person: " + _listed(scored.per_speaker) + "."]
    return "\n".join([*lines, ""])


def _cost(scored: RunScores) -> str:
    return f"{scored.parameters / 1e6:.2f} M parameters; took {scored.seconds / 60:.1f} min."


def _subsets(result: RunResult, draws: PeopleDraws) -> dict[str, SubsetScores]:
    names = [n for n in result.folds[0].subsets if all(n in f.subsets for f in result.folds)]
    made: dict[str, SubsetScores] = {}
    true = np.concatenate([f.true for f in result.folds])
    labels = len(result.labels)
    for name in names:
        answers = [np.asarray(f.subsets[name].argmax(1), np.int64) for f in result.folds]
        each = [score(a, f.true, labels) for a, f in zip(answers, result.folds, strict=True)]
        lost = [
            (f.predicted == f.true).astype(float) - (a == f.true)
            for a, f in zip(answers, result.folds, strict=True)
        ]
        confusion = confusion_columns(np.concatenate(answers), true, labels)
        made[name] = SubsetScores(
            accuracy=_interval(
                [m.accuracy for m in each], draws.interval(confusion, accuracy_figure(labels))
            ),
            recall=_interval(
                [m.recall for m in each], draws.interval(confusion, recall_figure(labels))
            ),
            lost=_interval([float(x.mean()) for x in lost], draws.mean(np.concatenate(lost))),
        )
    return made


def _people(folds: Sequence[FoldResult]) -> list[str]:
    # An item of nobody in particular stands for itself.
    return [s or n for f in folds for s, n in zip(f.speakers, f.names, strict=True)]


def _interval(folds: Sequence[float], drawn: DrawnInterval) -> Interval:
    deviation = float(np.std(folds, ddof=1)) if len(folds) > 1 else None
    return Interval(float(np.mean(folds)), deviation, drawn.low, drawn.high)


def _means(values: npt.NDArray[np.float64], groups: Sequence[str]) -> dict[str, float]:
    order = np.asarray(groups)
    return {name: float(values[order == name].mean()) for name in sorted(set(groups))}


def _listed(values: dict[str, float]) -> str:
    return ", ".join(f"{name or 'unknown'} {value:.3f}" for name, value in values.items())


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {k: _plain(v) for k, v in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(v) for v in value]
    return None if isinstance(value, float) and not np.isfinite(value) else value
