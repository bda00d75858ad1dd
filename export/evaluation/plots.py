"""Pictures of a score: confusion, labels, people, and what each modality is worth.

Needs matplotlib (extra ``report``).
"""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from edge_ser.errors import MissingExtraError
from edge_ser.export.evaluation.tables import Interval, RunScores, markdown
from edge_ser.files import make_folder, write_atomically
from edge_ser.shown.pictures import literal_text

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_BAR: Final = "#0072B2"
_CHANCE: Final = "#D55E00"
_INK: Final = "#222222"
_WIDTH: Final = 7.0


def write_report(scored: RunScores, folder: Path) -> list[Path]:
    """Write a run's scores as Markdown, JSON and plots into a folder.

    Returns:
        The files.

    Raises:
        ConfigError: if the folder cannot be made or written to.
        MissingExtraError: if matplotlib is not installed.
    """
    try:
        from matplotlib.figure import Figure  # noqa: F401
    except ImportError:
        raise MissingExtraError("Drawing scores", "report") from None
    make_folder(folder)
    content = {
        "scores.md": markdown(scored).encode(),
        "scores.json": json.dumps(scored.to_dict(), indent=2).encode() + b"\n",
        "confusion.png": _png(_confusion, scored),
        "labels.png": _png(_labels, scored),
    }
    if scored.people > 1:
        content["people.png"] = _png(_people, scored)
    if scored.subsets:
        content["ablation.png"] = _png(_ablation, scored)
    for name, data in content.items():
        write_atomically(folder / name, data)
    return [folder / name for name in content]


def _figure(height: float) -> tuple[Figure, Axes]:
    from matplotlib.figure import Figure

    figure = Figure(figsize=(_WIDTH, height), dpi=120, layout="constrained")
    axes = figure.subplots()
    axes.tick_params(labelsize=8, colors="#444444")
    return figure, axes


def _title(axes: Axes, scored: RunScores, what: str) -> None:
    leak = "\nLEAKY SPLIT: not a score on new people" if scored.warning.startswith("LEAKY") else ""
    axes.set_title(f"{scored.name}: {what}{leak}", fontsize=9, loc="left", color=_INK)


def _confusion(scored: RunScores) -> Figure:
    counts = np.array(scored.pooled.confusion, np.float64)
    share = counts / np.maximum(counts.sum(1, keepdims=True), 1)
    figure, axes = _figure(1.6 + 0.55 * len(scored.labels))
    axes.imshow(share, cmap="Blues", vmin=0, vmax=1, aspect="auto")
    for row, column in np.ndindex(counts.shape):
        axes.text(
            column,
            row,
            f"{share[row, column]:.2f}\n{int(counts[row, column])}",
            ha="center",
            va="center",
            fontsize=7,
            color="white" if share[row, column] > 0.55 else _INK,
        )
    places = range(len(scored.labels))
    axes.set_xticks(places, labels=list(scored.labels), rotation=30, ha="right")
    axes.set_yticks(places, labels=list(scored.labels))
    axes.set_xlabel("recognised as", fontsize=8)
    axes.set_ylabel("labelled", fontsize=8)
    _title(axes, scored, "share of each label, and items")
    return figure


def _labels(scored: RunScores) -> Figure:
    figure, axes = _figure(1.4 + 0.5 * len(scored.labels))
    rows = np.arange(len(scored.labels))
    values = np.nan_to_num(np.array([row[:3] for row in scored.pooled.per_label], np.float64))
    for place, (name, colour) in enumerate(
        (("precision", "#56B4E9"), ("recall", _BAR), ("F1", "#009E73"))
    ):
        axes.barh(rows + 0.26 * (place - 1), values[:, place], 0.24, color=colour, label=name)
    axes.set_yticks(rows, labels=list(scored.labels))
    axes.set(xlim=(0, 1), ylim=(len(rows) - 0.5, -0.6))
    axes.legend(fontsize=7.5, frameon=False, ncols=3, loc="lower right")
    _title(axes, scored, "precision, recall and F1 of each label")
    return figure


def _people(scored: RunScores) -> Figure:
    names = sorted(scored.per_speaker, key=lambda name: scored.per_speaker[name])
    figure, axes = _figure(1.2 + 0.2 * len(names))
    axes.barh(range(len(names)), [scored.per_speaker[n] for n in names], color=_BAR, height=0.7)
    axes.set_yticks(range(len(names)), labels=[n or "unknown" for n in names])
    axes.axvline(scored.chance_accuracy, color=_CHANCE, lw=1, ls="--", label="chance")
    axes.axvline(scored.accuracy.mean, color=_INK, lw=1, label="all")
    axes.set(xlim=(0, 1))
    axes.legend(fontsize=7.5, frameon=False, loc="lower right")
    _title(axes, scored, "accuracy of each test person")
    return figure


def _ablation(scored: RunScores) -> Figure:
    names = ["all", *scored.subsets]
    values = [scored.accuracy, *(s.accuracy for s in scored.subsets.values())]
    figure, axes = _figure(1.2 + 0.35 * len(names))
    axes.barh(
        range(len(names)),
        [v.mean for v in values],
        xerr=_errors(values),
        color=_BAR,
        height=0.6,
        error_kw={"lw": 1, "ecolor": _INK},
    )
    axes.axvline(scored.chance_accuracy, color=_CHANCE, lw=1, ls="--", label="chance")
    axes.set_yticks(range(len(names)), labels=names)
    axes.set(xlim=(0, 1), ylim=(len(names) - 0.5, -0.6))
    axes.legend(fontsize=7.5, frameon=False, loc="lower right")
    _title(axes, scored, "accuracy by the modalities that are left, 95 % intervals")
    return figure


def _errors(values: list[Interval]) -> Any:
    below = [max(v.mean - v.low, 0.0) for v in values]
    above = [max(v.high - v.mean, 0.0) for v in values]
    return np.array([below, above])


def _png(draw: Callable[[RunScores], Figure], scored: RunScores) -> bytes:
    buffer = io.BytesIO()
    with literal_text():
        draw(scored).savefig(buffer, format="png", metadata={"Software": None})
    return buffer.getvalue()
