"""Budgets held against what was measured."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final, TypeVar

from edge_ser.calibration.performance.footprint_result import Energy, Footprint
from edge_ser.calibration.performance.result import (
    Distribution,
    LatencySection,
    LiveLatency,
    Measured,
    Spread,
)
from edge_ser.calibration.performance.statistics import WANTED_COUNT
from edge_ser.calibration.report.budget import Limit, Source
from edge_ser.calibration.report.result import BudgetVerdict
from edge_ser.export.scoring.result import AccuracySection, SubsetAccuracy

_Kind = TypeVar("_Kind", bound=Measured)

Found = tuple["float | None", str]
"""A value in the budget's unit, and what it rests on or why there is none."""

_PERCENT: Final = ("accuracy", "recall", "f1", "same_label")


class Judge:
    """Looks up the value of every budget."""

    def __init__(
        self,
        latency: LatencySection,
        footprint: Sequence[Footprint],
        energy: Sequence[Energy],
        accuracy: AccuracySection | None,
    ) -> None:
        self._latency = latency
        self._footprint = footprint
        self._energy = energy
        self._accuracy = accuracy
        self._looks: dict[Source, Callable[[Limit, str, str], Found]] = {
            "live": self._live,
            "warm": self._warm,
            "cold": self._cold,
            "size": self._size,
            "energy": self._joules,
            "accuracy": self._right,
        }

    def verdicts(
        self, limits: Sequence[Limit], variants: Sequence[tuple[str, str]]
    ) -> tuple[BudgetVerdict, ...]:
        """Hold every limit against every variant that is signed off.

        Args:
            limits: what was asked for.
            variants: backend and precision of each.
        """
        return tuple(
            self._verdict(limit, backend, precision)
            for limit in limits
            for backend, precision in variants
        )

    def _verdict(self, limit: Limit, backend: str, precision: str) -> BudgetVerdict:
        budget = limit.budget
        not_run = next(
            (
                n.why
                for n in self._latency.not_run
                if (n.backend, n.precision) == (backend, precision)
            ),
            None,
        )
        if not_run is not None:
            value, note = None, f"not run: {not_run}"
        else:
            value, note = self._looks[budget.source](limit, backend, precision)
        kept = value is not None and (
            value <= limit.value if budget.at_most else value >= limit.value
        )
        return BudgetVerdict(
            budget=limit.name,
            meaning=budget.meaning + ("" if limit.subset is None else f", {limit.subset}"),
            limit=limit.value,
            unit=budget.unit,
            at_most=budget.at_most,
            variant=f"{backend} {precision}",
            value=value,
            passed=kept,
            note=note,
        )

    def _live(self, limit: Limit, backend: str, precision: str) -> Found:
        found = single_stream(self._latency.live, backend, precision)
        if found is None:
            return None, "no live stream was measured"
        where = f"one stream, a decision every {found.hop_ms:.0f} ms"
        return _percentile(found.latency, limit, where)

    def _warm(self, limit: Limit, backend: str, precision: str) -> Found:
        found = _of(self._latency.warm, backend, precision)
        if found is None:
            return None, "no warm decision was measured"
        return _percentile(found.whole, limit, f"{found.threads} thread(s)")

    def _cold(self, limit: Limit, backend: str, precision: str) -> Found:
        found = _of(self._latency.cold, backend, precision)
        if found is None:
            return None, "no fresh process was measured"
        figure: Spread = getattr(found, limit.budget.figure)
        return figure.median, f"{found.processes} fresh processes"

    def _size(self, limit: Limit, backend: str, precision: str) -> Found:
        found = _of(self._footprint, backend, precision)
        if found is None:
            return None, "it was not measured"
        figure = getattr(found, limit.budget.figure)
        if figure is None:
            return None, "this platform or backend does not tell"
        if isinstance(figure, Spread):
            return figure.largest, f"the largest of {figure.count} processes"
        return float(figure), "on disk"

    def _joules(self, limit: Limit, backend: str, precision: str) -> Found:
        del limit
        found = _of(self._energy, backend, precision)
        if found is None or found.millijoules is None:
            why = found.unknown if found is not None else "it was not measured"
            return None, f"unknown: {why}"
        return found.millijoules, f"{found.source}, {found.scope}, over {found.decisions} decisions"

    def _right(self, limit: Limit, backend: str, precision: str) -> Found:
        subset = self._subset(limit, backend, precision)
        if isinstance(subset, str):
            return None, subset
        note = f"{subset.subset}, {subset.clips} clips of {subset.people} people, {subset.pairing}"
        figure = limit.budget.figure
        if figure in ("drop", "same_label"):
            return _against_reference(figure, subset, note, precision)
        if figure == "abstention_gain":
            gain = subset.abstention.gain
            return 100 * gain.value, f"95 % interval {100 * gain.low:.1f} to {100 * gain.high:.1f}"
        value = getattr(subset, figure)
        number = float(getattr(value, "value", value))
        return (100 * number if figure in _PERCENT else number), note

    def _subset(self, limit: Limit, backend: str, precision: str) -> SubsetAccuracy | str:
        if self._accuracy is None:
            return "there were no labelled clips"
        for variant in self._accuracy.variants:
            if (variant.backend, variant.precision) != (backend, precision):
                continue
            if variant.not_run is not None:
                return f"not run: {variant.not_run}"
            if limit.subset is None and variant.subsets:
                return fullest(variant.subsets)
            for subset in variant.subsets:
                if subset.subset == limit.subset:
                    return subset
            return f"the data have no clips for {limit.subset or 'any modality'}"
        return "its accuracy was not measured"


def fullest(subsets: Sequence[SubsetAccuracy]) -> SubsetAccuracy:
    """The subset with the most modalities; of several, the one with the most clips."""
    return max(subsets, key=lambda s: (s.subset.count("+"), s.clips))


def single_stream(live: Sequence[LiveLatency], backend: str, precision: str) -> LiveLatency | None:
    """The measurement of one stream that most decisions stand behind."""
    alone = [m for m in live if m.streams == 1 and (m.backend, m.precision) == (backend, precision)]
    return max(alone, key=lambda m: m.latency.count, default=None)


def _against_reference(figure: str, subset: SubsetAccuracy, note: str, precision: str) -> Found:
    agreement = subset.agreement
    if agreement is None:
        same = 0.0 if figure == "drop" else 100.0
        return (same, "it is the reference") if precision == "fp32" else (None, "no reference ran")
    if figure == "same_label":
        return 100 * agreement.same_label, note
    for difference in agreement.differences:
        if difference.metric == "accuracy":
            change = difference.difference
            low, high = -100 * change.high, -100 * change.low
            return -100 * change.value, f"95 % interval {low:+.1f} to {high:+.1f}; {note}"
    return None, "the difference was not measured"


def _percentile(times: Distribution, limit: Limit, where: str) -> Found:
    value = getattr(times, limit.budget.figure)
    if value is None:
        wanted = WANTED_COUNT[limit.budget.figure]
        return None, f"it wants {wanted} decisions, and there are {times.count}"
    return float(value), f"{times.count} decisions; {where}"


def _of(found: Sequence[_Kind], backend: str, precision: str) -> _Kind | None:
    """The first measurement of a variant: with the first number of threads that was asked for."""
    return next((m for m in found if (m.backend, m.precision) == (backend, precision)), None)
