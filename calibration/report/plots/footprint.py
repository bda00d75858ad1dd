"""Plots of memory and energy."""

from __future__ import annotations

from typing import TYPE_CHECKING

from edge_ser.calibration.report.plots.drawing import (
    BLUE,
    GREEN,
    GREY,
    ORANGE,
    Plot,
    horizontal,
    legend,
    plot,
)
from edge_ser.calibration.report.result import Report

if TYPE_CHECKING:
    from matplotlib.axes import Axes


def room_plots(report: Report) -> list[Plot]:
    """Memory, and energy where it is known."""
    found = []
    if any(f.resident_peak_mb is not None for f in report.footprint):
        found.append(_memory(report))
    if any(e.millijoules is not None for e in report.energy):
        found.append(_energy(report))
    return found


def _memory(report: Report) -> Plot:
    rows = [f for f in report.footprint if f.resident_peak_mb is not None]
    parts = (
        ("resident_imported_mb", "imported", GREY),
        ("resident_loaded_mb", "graphs open", BLUE),
        ("resident_deciding_mb", "after decisions", GREEN),
        ("resident_peak_mb", "peak", ORANGE),
    )

    def paint(axes: Axes) -> None:
        horizontal(axes, [f.variant for f in rows])
        for index, (figure, label, colour) in enumerate(parts):
            shown = [(s.median, r) for r, f in enumerate(rows) if (s := getattr(f, figure))]
            if not shown:
                continue
            at = [r - 0.27 + 0.18 * index for _, r in shown]
            axes.barh(at, [v for v, _ in shown], height=0.17, color=colour, label=label)
            for place, (value, _) in zip(at, shown, strict=True):
                axes.text(value, place, f" {value:.0f}", va="center", fontsize=8.2)
        axes.set_xlim(right=axes.get_xlim()[1] * 1.06)
        axes.set_xlabel("resident memory, MB")
        legend(axes, 4)

    first = rows[0]
    peak = first.resident_peak_mb
    reading = (
        f"A process that decides about the clip's file holds at most "
        f"{peak.median if peak else 0:.0f} MB ({first.variant}). The peak belongs to opening and "
        "decoding; what a service keeps is the bar after decisions."
    )
    height = 1.25 + 0.75 * len(rows)
    return plot("memory", "Resident memory of a process", reading, paint, height=height)


def _energy(report: Report) -> Plot:
    rows = [e for e in report.energy if e.millijoules is not None]

    def paint(axes: Axes) -> None:
        horizontal(axes, [e.variant for e in rows])
        whole = [e.millijoules or 0.0 for e in rows]
        above = [e.millijoules_above_idle or 0.0 for e in rows]
        axes.barh(range(len(rows)), whole, height=0.55, color=GREY, label="with idle power")
        axes.barh(range(len(rows)), above, height=0.3, color=BLUE, label="above idle")
        axes.set_xlabel("energy of one decision, mJ")
        legend(axes)

    first = rows[0]
    reading = (
        f"{first.variant}: {first.millijoules:.0f} mJ a decision, of which "
        f"{first.millijoules_above_idle:.0f} mJ are drawn because of the decision. Measured by "
        f"{first.source}, which covers {first.scope}."
    )
    height = 1.2 + 0.5 * len(rows)
    return plot("energy", "Energy of one decision", reading, paint, height=height)
