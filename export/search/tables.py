"""What a grid search found: tables, a plot, and the choice of each fold."""

from __future__ import annotations

import io
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final

import numpy as np
from rich.table import Table

from edge_ser.errors import MissingExtraError
from edge_ser.export.search.grid import JobResult, Point, Search
from edge_ser.files import write_atomically

PROTOCOL: Final = (
    "Unweighted average recall on people who were held out to choose by; the test people of a fold "
    "have no part in its choice. The mean over folds chooses the configuration of a final model: "
    "every fold's test people choose in other folds, so a score of that configuration on them "
    "would flatter it. An honest score trains each fold with its own choice."
)


@dataclass(frozen=True)
class Found:
    """One point with what it reached."""

    point: Point
    recalls: dict[str, float]
    """By fold."""
    seconds: float

    @property
    def mean(self) -> float:
        """Over folds."""
        return float(np.mean(list(self.recalls.values())))

    @property
    def deviation(self) -> float | None:
        """Between folds; None where there is one."""
        values = list(self.recalls.values())
        return float(np.std(values, ddof=1)) if len(values) > 1 else None

    def __str__(self) -> str:
        spread = "" if self.deviation is None else f" ± {self.deviation:.3f}"
        return f"{self.mean:.3f}{spread}"


def ranked(search: Search, results: Sequence[JobResult]) -> list[Found]:
    """Every point, the best mean first."""
    found = []
    for point in search.points:
        own = [r for r in results if r.point == point.number]
        found.append(Found(point, {r.fold: r.recall for r in own}, sum(r.seconds for r in own)))
    return sorted(found, key=lambda f: (-f.mean, f.point.number))


def choices(found: Sequence[Found]) -> dict[str, Found]:
    """The best point of every fold, by that fold's people alone."""
    folds = list(found[0].recalls)
    return {fold: min(found, key=lambda f: (-f.recalls[fold], f.point.number)) for fold in folds}


def rich_table(search: Search, found: Sequence[Found]) -> Table:
    """The table that the command prints."""
    table = Table("point", *search.config.grid, title=search.config.name, title_justify="left")
    table.add_column("recall, mean ± deviation over folds", justify="right")
    table.add_column("s", justify="right")
    for one in found:
        values = [str(value) for value in one.point.values.values()]
        table.add_row(str(one.point.number), *values, str(one), f"{one.seconds:.0f}")
    return table


def search_markdown(search: Search, found: Sequence[Found]) -> str:
    """The same as Markdown, with every fold and what it chose."""
    keys = list(search.config.grid)
    folds = list(found[0].recalls)
    lines = [
        f"# {search.config.name}",
        "",
        PROTOCOL,
        "",
        "| point | " + " | ".join(keys) + " | mean ± deviation | " + " | ".join(folds) + " |",
        "|---" * (len(keys) + len(folds) + 2) + "|",
    ]
    for one in found:
        values = " | ".join(str(value) for value in one.point.values.values())
        cells = " | ".join(f"{one.recalls[fold]:.3f}" for fold in folds)
        lines.append(f"| {one.point.number} | {values} | {one} | {cells} |")
    lines += ["", "| fold | its choice |", "|---|---|"]
    lines += [f"| {fold} | {one.point} |" for fold, one in choices(found).items()]
    return "\n".join(lines) + "\n"


def write_search(search: Search, found: Sequence[Found], output: Path) -> list[Path]:
    """Write ``search.md``, ``search.json`` and ``search.png``.

    Raises:
        MissingExtraError: if matplotlib is not installed.
        ConfigError: if the folder cannot be written to.
    """
    document = {
        "name": search.config.name,
        "protocol": PROTOCOL,
        "grid": search.config.grid,
        "points": [
            {
                "number": one.point.number,
                "values": one.point.values,
                "mean": one.mean,
                "deviation": one.deviation,
                "recalls": one.recalls,
                "seconds": one.seconds,
            }
            for one in found
        ],
        "choices": {fold: one.point.number for fold, one in choices(found).items()},
    }
    content = {
        "search.md": search_markdown(search, found).encode(),
        "search.json": json.dumps(document, indent=2, default=asdict).encode() + b"\n",
        "search.png": _plot(search, found),
    }
    for name, data in content.items():
        write_atomically(output / name, data)
    return [output / name for name in content]


def _plot(search: Search, found: Sequence[Found]) -> bytes:
    """A row a point: every fold as a dot, the mean as a bar."""
    try:
        from matplotlib.figure import Figure
    except ImportError:
        raise MissingExtraError("Drawing a search", "report") from None
    figure = Figure(figsize=(8, 1.3 + 0.32 * len(found)), dpi=120, layout="constrained")
    axes = figure.subplots()
    rows = range(len(found))
    for row, one in zip(rows, found, strict=True):
        values = list(one.recalls.values())
        axes.plot(values, [row] * len(values), "o", ms=4, color="#56B4E9", alpha=0.8)
        axes.plot([one.mean], [row], "|", ms=16, mew=2.5, color="#D55E00")
    axes.set_yticks(rows, labels=[str(one.point) for one in found], fontsize=8)
    axes.set_ylim(len(found) - 0.5, -0.5)
    axes.spines[["top", "right"]].set_visible(False)
    axes.grid(axis="x", color="#eeeeee", lw=0.8)
    axes.set_axisbelow(True)
    axes.set_xlabel("unweighted average recall on people held out to choose by", fontsize=8)
    axes.set_title(f"{search.config.name}: each fold (dots), mean (bar)", fontsize=9, loc="left")
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", metadata={"Software": None})
    return buffer.getvalue()
