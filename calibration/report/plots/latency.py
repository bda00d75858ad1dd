"""Plots of latency, memory and energy."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from edge_ser.calibration.performance.result import (
    ColdStart,
    Distribution,
    LatencySection,
    LiveLatency,
    WarmLatency,
)
from edge_ser.calibration.report.plots.drawing import (
    BLUE,
    GREEN,
    GREY,
    INK,
    MARKERS,
    MUTED,
    ORANGE,
    PINK,
    SERIES,
    YELLOW,
    Plot,
    horizontal,
    legend,
    plot,
)
from edge_ser.calibration.report.result import Report

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_PERCENTILES = (("p50", "p50", BLUE), ("p95", "p95", ORANGE), ("p99", "p99", PINK))


def latency_plots(report: Report) -> list[Plot]:
    """Every plot of time that the report has figures for."""
    latency = report.latency
    alone = [m for m in latency.live if m.streams == 1]
    found = [_live_histogram(alone[0], _limit(report, "latency"))] if alone else []
    found.append(_time_line(latency.warm[0]))
    if len(alone) > 1:
        found.append(_live_ranges(alone))
    if len(latency.warm) > 1:
        found.append(_warm_ranges(latency))
    found.append(_warm_histogram(latency.warm[0]))
    crowds = [m for m in latency.live if m.variant == latency.live[0].variant]
    if len({m.streams for m in crowds}) > 1:
        found.append(_streams(crowds))
    if latency.cold:
        found.append(_cold(latency.cold, latency.warm))
    found.append(_steadiness(latency.warm))
    return found


def _live_histogram(live: LiveLatency, limit: tuple[str, float] | None) -> Plot:
    times = live.latency

    def paint(axes: Axes) -> None:
        _histogram(axes, times, limit)
        axes.set_xlabel("decision latency, ms")

    reading = (
        f"Half of the {times.count} decisions were at the callback within {times.p50:.0f} ms of "
        f"the newest sample that they used{_high(times)}. The further right the bars reach, the "
        "longer somebody now and then waits; the last bar holds all that is longer."
    )
    title = "Live decision latency: newest sample to callback"
    return plot("live-latency", title, reading, paint)


def _warm_histogram(warm: WarmLatency) -> Plot:
    times = warm.whole

    def paint(axes: Axes) -> None:
        _histogram(axes, times, None)
        axes.set_xlabel("computing time of one decision, ms")

    reading = (
        f"What one decision about a whole window costs when nothing has been prepared: "
        f"{times.p50:.0f} ms in half of {times.count} cases{_high(times)}. A live stream spreads "
        "most of this over the time in which sound and pictures come in."
    )
    return plot("warm-histogram", "Computing time of a warm decision", reading, paint)


def _histogram(axes: Axes, times: Distribution, limit: tuple[str, float] | None) -> None:
    edges, counts = times.histogram.edges, times.histogram.counts
    width = edges[1] - edges[0]
    axes.bar(edges[:-1], counts, width=width * 0.92, align="edge", color=BLUE, alpha=0.75)
    end = edges[0] + width * len(counts)
    left, right = edges[0] - width, end + width
    if limit is not None:
        left, right = min(left, limit[1] - width), max(right, limit[1] + width)
    top = max(counts)
    marks = [
        (name, min(value, end), height, INK)
        for (figure, name, _), height in zip(_PERCENTILES, (1.28, 1.17, 1.06), strict=True)
        if (value := getattr(times, figure)) is not None
    ]
    for name, at, height, colour in marks:
        value = getattr(times, name)
        _mark(axes, at, height * top, f"{name} {value:.0f}", colour, (left, right))
    if limit is not None:
        text = f"budget {limit[0]} {limit[1]:g}"
        _mark(axes, limit[1], 0.9 * top, text, ORANGE, (left, right))
    axes.set(ylim=(0, 1.38 * top), xlim=(left, right))
    axes.set_ylabel("decisions")


def _mark(
    axes: Axes, at: float, height: float, label: str, colour: str, ends: tuple[float, float]
) -> None:
    """An upright line with words beside its top, on the side that has room."""
    axes.plot([at, at], [0, height], color=colour, lw=1.2, ls="--" if colour == ORANGE else "-")
    room = 0.2 if colour == ORANGE else 0.12
    late = ends[1] - at < room * (ends[1] - ends[0])
    axes.annotate(
        label,
        (at, height),
        xytext=(-3 if late else 3, 0),
        textcoords="offset points",
        ha="right" if late else "left",
        va="center",
        fontsize=9.2,
        color=colour,
    )


def _time_line(warm: WarmLatency) -> Plot:
    stages = warm.stages
    total = sum(stage.p50 for stage in stages)

    def paint(axes: Axes) -> None:
        begin = 0.0
        horizontal(axes, [stage.stage.replace("_", " ") for stage in stages])
        for row, stage in enumerate(stages):
            colour = GREY if row == len(stages) - 1 else SERIES[row % 7]
            axes.barh(row, stage.p50, left=begin, color=colour, height=0.62)
            end = begin + stage.p50
            late = end > 0.75 * total
            axes.text(
                begin - 0.01 * total if late else end + 0.01 * total,
                row,
                f"{stage.p50:.1f} ms",
                ha="right" if late else "left",
                va="center",
                fontsize=9.2,
            )
            begin = end
        axes.set_xlim(0, total * 1.02)
        axes.set_xlabel("time since the decision began, ms (medians)")

    largest = max(stages, key=lambda stage: stage.share)
    reading = (
        f"Stages run one after the other, from top left to bottom right. The widest bar is where "
        f"to save: {largest.stage.replace('_', ' ')} takes {largest.share:.0%} of the time "
        f"({warm.variant}, {_threads(warm.threads)})."
    )
    height = 0.8 + 0.27 * len(stages)
    return plot("time-line", "Where a decision's milliseconds go", reading, paint, height=height)


def _ranges(axes: Axes, names: Sequence[str], times: Sequence[Distribution], unit: str) -> None:
    horizontal(axes, names)
    for row, of_row in enumerate(times):
        values = [v for f, _, _ in _PERCENTILES if (v := getattr(of_row, f)) is not None]
        axes.plot([of_row.p50, max(values)], [row, row], color=MUTED, lw=1.2, zorder=1)
    for index, (figure, name, colour) in enumerate(_PERCENTILES):
        shown = [(v, r) for r, t in enumerate(times) if (v := getattr(t, figure)) is not None]
        if shown:
            axes.plot(*zip(*shown, strict=True), MARKERS[index], color=colour, label=name, ls="")
    axes.set_xlim(left=0)
    axes.set_xlabel(unit)
    legend(axes)


def _live_ranges(live: Sequence[LiveLatency]) -> Plot:
    fastest = min(live, key=lambda m: m.latency.p50)
    reading = (
        f"Each row is one precision on one backend: further left is faster, and closer together "
        f"is steadier. {fastest.variant} has the lowest median, {fastest.latency.p50:.0f} ms."
    )
    return plot(
        "live-variants",
        "Live decision latency by backend and precision",
        reading,
        lambda axes: _ranges(
            axes, [m.variant for m in live], [m.latency for m in live], "decision latency, ms"
        ),
        height=1.1 + 0.42 * len(live),
    )


def _warm_ranges(latency: LatencySection) -> Plot:
    names = [f"{m.variant}, {_threads(m.threads)}" for m in latency.warm]
    fastest = min(latency.warm, key=lambda m: m.whole.p50)
    first = latency.warm[0]
    reading = (
        f"All rows took turns on the same clip, so they may be compared. The lowest median has "
        f"{fastest.variant} with {_threads(fastest.threads)}: {fastest.whole.p50:.0f} ms, against "
        f"{first.whole.p50:.0f} ms of {first.variant} with {_threads(first.threads)}. A percentile "
        "that too few decisions stand behind is left out."
    )
    return plot(
        "warm-variants",
        "Computing time by backend, precision and threads",
        reading,
        lambda axes: _ranges(
            axes, names, [m.whole for m in latency.warm], "computing time of one decision, ms"
        ),
        height=1.1 + 0.42 * len(names),
    )


def _streams(live: Sequence[LiveLatency]) -> Plot:
    rows = sorted(live, key=lambda m: m.streams)
    names = [
        f"{m.streams} stream{'s' if m.streams > 1 else ''}, each decides every {m.hop_ms:.0f} ms"
        for m in rows
    ]
    worst = rows[-1]
    kept = (
        "no decision was left out"
        if not worst.hops_skipped
        else f"{worst.hops_skipped} decisions were left out because the device was too slow"
    )
    reading = (
        f"With {worst.streams} conversations at once half of the decisions come within "
        f"{worst.latency.p50:.0f} ms, and {kept}. When the rows drift to the right, or decisions "
        "are left out, the device carries no more conversations."
    )
    return plot(
        "streams",
        "Live decision latency with several conversations at once",
        reading,
        lambda axes: _ranges(axes, names, [m.latency for m in rows], "decision latency, ms"),
        height=1.1 + 0.42 * len(names),
    )


def _cold(cold: Sequence[ColdStart], warm: Sequence[WarmLatency]) -> Plot:
    parts = (
        ("interpreter", "interpreter", GREY),
        ("imports", "imports", YELLOW),
        ("load", "load the bundle", BLUE),
        ("first_decision", "first decision", GREEN),
    )

    def paint(axes: Axes) -> None:
        horizontal(axes, [m.variant for m in cold])
        begin = [0.0] * len(cold)
        for figure, label, colour in parts:
            widths = [getattr(m, figure).median for m in cold]
            axes.barh(range(len(cold)), widths, left=begin, color=colour, height=0.5, label=label)
            begin = [b + w for b, w in zip(begin, widths, strict=True)]
        for row, end in enumerate(begin):
            axes.text(end, row, f" {end:.0f} ms", va="center", fontsize=9.2)
        axes.set_xlim(0, max(begin) * 1.2)
        axes.set_xlabel("time since the process was started, ms (medians)")
        legend(axes, 4)

    first = cold[0]
    reading = (
        f"A fresh process has its first answer after {first.whole.median:.0f} ms "
        f"({first.whole.smallest:.0f} to {first.whole.largest:.0f} in {first.processes} starts); "
        f"a warm decision takes {warm[0].whole.p50:.0f} ms. The colours tell what a device that is "
        "switched on waits for; the first decision also decodes the file."
    )
    height = 1.25 + 0.4 * len(cold)
    return plot(
        "cold-start", "Cold start: from nothing to an answer", reading, paint, height=height
    )


def _steadiness(warm: Sequence[WarmLatency]) -> Plot:
    def paint(axes: Axes) -> None:
        for index, row in enumerate(warm):
            blocks = row.whole.blocks
            axes.plot(
                range(1, len(blocks) + 1),
                blocks,
                marker=MARKERS[index % len(MARKERS)],
                color=SERIES[index % len(SERIES)],
                label=f"{row.variant}, {_threads(row.threads)}",
            )
        axes.set_ylim(bottom=0)
        axes.set_xlabel("block, in the order of time")
        axes.set_ylabel("median of the block, ms")
        axes.grid(axis="y", color="#030303", lw=0.6)
        if len(warm) > 1:
            legend(axes, 2)

    first = warm[0].whole
    low, high = min(first.blocks), max(first.blocks)
    reading = (
        f"Flat lines mean that the machine was steady; here the medians of {warm[0].variant} lie "
        f"between {low:.0f} and {high:.0f} ms. When all lines rise together, something else was "
        "at work on the machine, or it became hot."
    )
    return plot(
        "steadiness", "How steady the machine was", reading, paint, height=2.4 + 0.15 * len(warm)
    )


def _limit(report: Report, prefix: str) -> tuple[str, float] | None:
    """The budget on the highest percentile of a time: the percentile and the limit."""
    known = {v.budget: v.limit for v in report.verdicts if v.budget.startswith(f"{prefix}_p")}
    if not known:
        return None
    name = max(known)
    return name.removeprefix(f"{prefix}_").replace("p999", "p99.9"), known[name]


def _high(times: Distribution) -> str:
    if times.p99 is not None:
        return f", and 99 % within {times.p99:.0f} ms"
    return "" if times.p95 is None else f", and 95 % within {times.p95:.0f} ms"


def _threads(count: int) -> str:
    return "1 thread" if count == 1 else f"{count} threads"
