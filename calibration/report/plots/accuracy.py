"""Plots of accuracy and calibration."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from edge_ser.calibration.report.plots.drawing import (
    BLUE,
    GREEN,
    GREY,
    INK,
    MARKERS,
    MUTED,
    ORANGE,
    SERIES,
    Plot,
    horizontal,
    legend,
    plot,
)
from edge_ser.calibration.report.verdict import fullest
from edge_ser.export.scoring.result import (
    AccuracySection,
    GroupGap,
    SubsetAccuracy,
    VariantAccuracy,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes


def accuracy_plots(section: AccuracySection) -> list[Plot]:
    """Every plot of how right the bundle is; empty when nothing ran."""
    ran = [v for v in section.variants if v.subsets]
    if not ran:
        return []
    first = ran[0]
    whole = fullest(first.subsets)
    found = [_by_subset(ran)]
    if len(ran) > 1:
        found.append(_differences(ran[1:]))
    found += [
        _confusion(section.labels, whole, first),
        _reliability(first.subsets),
        _risk(first.subsets),
    ]
    spoken = next((s for s in first.subsets if s.by_speaker is not None), None)
    if spoken is not None and spoken.by_speaker is not None:
        found.append(_people(spoken, spoken.by_speaker))
    return found


def _by_subset(ran: Sequence[VariantAccuracy]) -> Plot:
    names = [s.subset for s in ran[0].subsets]
    chance = [s.chance_accuracy for s in ran[0].subsets]

    def paint(axes: Axes) -> None:
        horizontal(axes, [name.replace("+", " + ") for name in names])
        step = 0.6 / len(ran)
        for index, variant in enumerate(ran):
            for subset in variant.subsets:
                row = names.index(subset.subset) if subset.subset in names else len(names)
                at = row - 0.3 + step * (index + 0.5)
                score = subset.accuracy
                axes.plot([100 * score.low, 100 * score.high], [at, at], color=MUTED, lw=1.2)
                axes.plot(
                    100 * score.value,
                    at,
                    MARKERS[index % len(MARKERS)],
                    color=SERIES[index % len(SERIES)],
                    label=f"{variant.backend} {variant.precision}" if row == 0 else None,
                )
        axes.plot(
            [100 * c for c in chance], range(len(names)), "|", ms=16, color=INK, label="chance"
        )
        axes.set_xlim(0, 100)
        axes.set_xlabel("accuracy, %")
        legend(axes)

    best = max(ran[0].subsets, key=lambda s: s.accuracy.value)
    reading = (
        f"Points are accuracies, lines their 95 % intervals over people; the upright stroke is "
        f"what always answering the commonest label would reach. The best subset is "
        f"{best.subset.replace('+', ' + ')} with {best.accuracy.value:.1%}. Rows with other clips "
        "or pairings must not be compared with one another: the table says which."
    )
    height = 1.2 + (0.3 + 0.09 * len(ran)) * len(names)
    return plot(
        "subsets", "Accuracy by the modalities that are present", reading, paint, height=height
    )


def _differences(others: Sequence[VariantAccuracy]) -> Plot:
    rows = [
        (f"{v.precision}, {s.subset.replace('+', ' + ')}", d.difference)
        for v in others
        for s in v.subsets
        if s.agreement is not None
        for d in s.agreement.differences
        if d.metric == "accuracy"
    ]

    def paint(axes: Axes) -> None:
        horizontal(axes, [name for name, _ in rows])
        axes.axvline(0, color=INK, lw=0.9)
        for row, (_, change) in enumerate(rows):
            axes.plot([100 * change.low, 100 * change.high], [row, row], color=MUTED, lw=1.4)
            colour = GREEN if change.value >= 0 else ORANGE
            axes.plot(100 * change.value, row, "o", color=colour)
        axes.set_xlabel("change of accuracy against the reference, points")

    reading = (
        "Points left of the line lost accuracy against the reference on the very same clips; a "
        "95 % interval (paired, over people) that reaches the line says that the loss may be "
        "chance."
    )
    height = 0.9 + 0.33 * len(rows)
    return plot(
        "precision-cost", "What each precision costs in accuracy", reading, paint, height=height
    )


def _confusion(labels: Sequence[str], subset: SubsetAccuracy, variant: VariantAccuracy) -> Plot:
    def paint(axes: Axes) -> None:
        from matplotlib.patches import Rectangle

        for row, counts in enumerate(subset.confusion):
            total = sum(counts)
            for column, count in enumerate(counts):
                share = count / total if total else 0.0
                axes.add_patch(
                    Rectangle((column - 0.5, row - 0.5), 1, 1, color=BLUE, alpha=0.7 * share, lw=0)
                )
                if count:
                    axes.text(
                        column, row, f"{100 * share:.0f}", ha="center", va="center", fontsize=8.8
                    )
        axes.set_xticks(range(len(labels)), labels=list(labels), rotation=40, ha="right")
        axes.set_yticks(range(len(labels)), labels=list(labels))
        axes.set(xlim=(-0.5, len(labels) - 0.5), ylim=(len(labels) - 0.5, -0.5))
        axes.set_xlabel("answered label; numbers are % of the row's clips")
        axes.set_ylabel("true label")

    wrong: list[tuple[float, str, str]] = [
        (count / sum(row), labels[i], labels[j])
        for i, row in enumerate(subset.confusion)
        for j, count in enumerate(row)
        if i != j and sum(row) > 0
    ]
    share, true, answered = max(wrong, default=(0.0, "", ""))
    mistaken = (
        f" The commonest mistake: {share:.0%} of {true} are answered as {answered}."
        if share > 0
        else ""
    )
    reading = (
        f"{subset.subset.replace('+', ' + ')}, {subset.clips} clips ({variant.backend} "
        f"{variant.precision}). A perfect bundle has 100 on the diagonal; each row adds up to "
        f"100.{mistaken}"
    )
    height = 1.5 + 0.33 * len(labels)
    return plot("confusion", "Which labels are taken for which", reading, paint, height=height)


def _reliability(subsets: Sequence[SubsetAccuracy]) -> Plot:
    columns = 2
    rows = -(-len(subsets) // columns)

    def paint(panels: Any) -> None:
        flat: list[Axes] = panels if isinstance(panels, list) else [panels]
        for axes, subset in zip(flat, subsets, strict=False):
            axes.plot([0, 1], [0, 1], color=MUTED, lw=0.9, ls="--")
            most = max(b.clips for b in subset.reliability) or 1
            for one in subset.reliability:
                width = one.high - one.low
                axes.bar(
                    one.low, 0.25 * one.clips / most, width, align="edge", color=GREY, alpha=0.45
                )
            known = [
                (b.confidence, b.accuracy)
                for b in subset.reliability
                if b.confidence is not None and b.accuracy is not None
            ]
            axes.plot(*zip(*known, strict=True), "o-", color=BLUE, ms=3.5, lw=1.3)
            error = subset.calibration_error.value
            axes.set_title(f"{subset.subset.replace('+', ' + ')}: {error:.3f}", fontsize=9.2)
            axes.set(xlim=(0, 1), ylim=(0, 1), xlabel="confidence", ylabel="share right")
        for axes in flat[len(subsets) :]:
            axes.set_axis_off()

    worst = max(subsets, key=lambda s: s.calibration_error.value)
    reading = (
        "Each panel is one subset of modalities with its expected calibration error. Points on the "
        "dashed line keep their word: of the clips answered with confidence 0.7, 70 % are right. "
        "Below it the bundle promises too much. Grey bars show how many clips stand behind a "
        f"point. The largest error has {worst.subset.replace('+', ' + ')}: "
        f"{worst.calibration_error.value:.3f}."
    )
    return plot(
        "reliability",
        "Do probabilities mean what they say",
        reading,
        paint,
        height=0.3 + 2.05 * rows,
        panels=(rows, columns) if len(subsets) > 1 else (1, 1),
    )


def _risk(subsets: Sequence[SubsetAccuracy]) -> Plot:
    def paint(axes: Axes) -> None:
        for index, subset in enumerate(subsets):
            curve = subset.abstention.curve
            axes.plot(
                [100 * p.coverage for p in curve],
                [100 * p.accuracy for p in curve],
                color=SERIES[index % len(SERIES)],
                ls="-" if index < 4 else "--",
                label=subset.subset.replace("+", " + "),
            )
        axes.axvline(80, color=MUTED, lw=0.9, ls=":")
        axes.set(xlim=(0, 100), ylim=(0, 102))
        axes.set_xlabel("clips that are answered, most certain first, %")
        axes.set_ylabel("accuracy of these, %")
        axes.grid(axis="y", color="#030303", lw=0.6)
        legend(axes, 2)

    whole = fullest(subsets)
    gain = whole.abstention.gain
    reading = (
        "A useful confidence makes every curve fall from left to right: the fewer are answered, "
        "the more of them are right. Leaving out the least certain 20 % (dotted line) changes the "
        f"accuracy of {whole.subset.replace('+', ' + ')} by {100 * gain.value:+.1f} points (95 % "
        f"interval {100 * gain.low:+.1f} to {100 * gain.high:+.1f})."
    )
    return plot("risk", "What abstaining brings", reading, paint, height=3.5)


def _people(subset: SubsetAccuracy, gap: GroupGap) -> Plot:
    groups = sorted(gap.groups, key=lambda g: g.accuracy)

    def paint(axes: Axes) -> None:
        axes.bar(
            range(len(groups)),
            [100 * g.accuracy for g in groups],
            color=BLUE,
            alpha=0.75,
            width=0.7,
        )
        axes.axhline(100 * subset.accuracy.value, color=ORANGE, lw=1.3, label="all together")
        names = [g.group for g in groups]
        rotated = max(len(n) for n in names) * len(names) > 40
        axes.set_xticks(
            range(len(groups)), labels=names, rotation=60 if rotated else 0, fontsize=8.8
        )
        axes.set(ylim=(0, 105))
        axes.set_xlabel(f"people, by accuracy ({subset.subset.replace('+', ' + ')})")
        axes.set_ylabel("accuracy, %")
        legend(axes)

    reading = (
        f"The gap between the best and the worst understood person is {gap.gap:.1%}; a bundle that "
        f"knows no difference between people would show {gap.random_gap_median:.1%} by chance, and "
        f"less than {gap.random_gap_95:.1%} in 95 % of the cases (p = {gap.p_value:.3f})."
    )
    return plot("people", "For whom it works", reading, paint, height=3.1)
