"""Plots of what noise, dim light, lost pictures, wrong words and an offset cost."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from edge_ser.calibration.report.plots.drawing import (
    BLUE,
    MARKERS,
    MUTED,
    ORANGE,
    SERIES,
    Plot,
    legend,
    plot,
)
from edge_ser.calibration.report.result import Change
from edge_ser.calibration.robustness.result import OffsetCurve, RobustnessCurve, RobustnessSection

if TYPE_CHECKING:
    from matplotlib.axes import Axes


def robustness_plots(section: RobustnessSection) -> list[Plot]:
    """One plot for each disturbance, and one for the offset."""
    kinds = list(dict.fromkeys(curve.disturbance for curve in section.curves))
    found = [_curves([c for c in section.curves if c.disturbance == kind]) for kind in kinds]
    if section.offset is not None:
        found.append(_offset(section.offset))
    return found


def _curves(curves: Sequence[RobustnessCurve]) -> Plot:
    kind = curves[0].disturbance
    points = curves[0].points
    labels = [p.condition if p.strength is not None else "none" for p in points]

    def paint(axes: Axes) -> None:
        for index, curve in enumerate(curves):
            at = [i + 0.06 * (index - (len(curves) - 1) / 2) for i in range(len(curve.points))]
            values = [100 * p.accuracy.value for p in curve.points]
            below = [v - 100 * p.accuracy.low for v, p in zip(values, curve.points, strict=True)]
            above = [100 * p.accuracy.high - v for v, p in zip(values, curve.points, strict=True)]
            axes.errorbar(
                at,
                values,
                yerr=[[max(b, 0) for b in below], [max(a, 0) for a in above]],
                marker=MARKERS[index % len(MARKERS)],
                color=SERIES[index % len(SERIES)],
                elinewidth=0.9,
                label=curve.subset.replace("+", " + "),
            )
        axes.set_xticks(range(len(labels)), labels=[_two_lines(label) for label in labels])
        axes.set_ylim(0, 102)
        axes.set_xlim(-0.4, len(labels) - 0.6)
        axes.set_xlabel(f"{kind}, stronger to the right")
        axes.set_ylabel("accuracy, %")
        axes.grid(axis="y", color="#030303", lw=0.6)
        legend(axes, 2)

    first = curves[0]
    worst = min(first.points, key=lambda p: p.accuracy.value)
    change = worst.difference
    reading = (
        f"The same clips, undisturbed on the left. {first.subset.replace('+', ' + ')} loses most "
        f"at {worst.condition}: {100 * change.value:+.1f} points (95 % interval "
        f"{100 * change.low:+.1f} to {100 * change.high:+.1f})."
        if worst.strength is not None
        else f"The same clips, undisturbed on the left. {first.subset.replace('+', ' + ')} loses "
        "nothing at any strength."
    )
    name = f"robust-{kind.replace(' ', '-')}"
    return plot(name, f"What it costs: {kind}", reading, paint, height=3.1)


def _offset(curve: OffsetCurve) -> Plot:
    offsets = [p.offset_ms for p in curve.points]

    def paint(axes: Axes) -> None:
        ways = (("unaligned", "dated by arrival", ORANGE), ("aligned", "with the aligner", BLUE))
        for index, (figure, label, colour) in enumerate(ways):
            costs = [getattr(p, figure).cost for p in curve.points]
            axes.fill_between(
                offsets,
                [c.low for c in costs],
                [c.high for c in costs],
                color=colour,
                alpha=0.18,
                lw=0,
            )
            axes.plot(
                offsets,
                [c.value for c in costs],
                marker=MARKERS[index],
                color=colour,
                label=label,
            )
        axes.axhline(0, color=MUTED, lw=0.8)
        axes.set_xlabel("pictures arrive later than their sound by, ms")
        axes.set_ylabel("change of the true label's\nlog-probability, nats")
        legend(axes)

    reading = f"{curve.reading} Bands are 95 % intervals over people; below 0 is a loss."
    title = "What an offset between sound and picture costs"
    return plot("offset", title, reading, paint, height=3.0)


def change_plot(changes: Sequence[Change]) -> Plot | None:
    """Relative changes against an older report; None when there are none."""
    rows = [c for c in changes if c.percent is not None and c.section != "size"][:14]
    if not rows:
        return None

    def paint(axes: Axes) -> None:
        from edge_ser.calibration.report.plots.drawing import GREEN, GREY, horizontal

        horizontal(axes, [f"{c.section}: {c.figure}" for c in rows])
        colours = [GREY if c.better is None else GREEN if c.better else ORANGE for c in rows]
        axes.barh(range(len(rows)), [c.percent or 0 for c in rows], color=colours, height=0.55)
        axes.axvline(0, color=MUTED, lw=0.9)
        axes.set_xlabel("change against the older report, %; left is less")

    worse = [c for c in rows if c.better is False]
    reading = (
        "Green bars are better than before, orange ones worse, grey ones within what each of the "
        "reports varies by itself. "
        + (f"{len(worse)} of {len(rows)} figures became worse." if worse else "None became worse.")
    )
    return plot("changes", "What changed", reading, paint, height=0.9 + 0.42 * len(rows))


def _two_lines(label: str) -> str:
    words = label.split()
    middle = (len(words) + 1) // 2
    return "\n".join(filter(None, (" ".join(words[:middle]), " ".join(words[middle:]))))
