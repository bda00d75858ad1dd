"""Tables of a report: plain text in rows, ready for the page."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from edge_ser.calibration.device.host_result import HostState
from edge_ser.calibration.performance.result import Distribution, Spread
from edge_ser.calibration.report.result import Report
from edge_ser.calibration.robustness.result import RobustnessSection
from edge_ser.export.scoring.result import AccuracySection, Interval

NONE = "\u2013"


@dataclass(frozen=True)
class Table:
    """One table.

    Attributes:
        caption: what it shows.
        head: name of each column, and whether it holds numbers.
        rows: cells as text.
        folded: whether it is long, and opened only by who wants it.
    """

    caption: str
    head: tuple[tuple[str, bool], ...]
    rows: tuple[tuple[str, ...], ...]
    folded: bool = False


def table(caption: str, head: str, rows: Sequence[Sequence[str]], *, folded: bool = False) -> Table:
    """Make a table.

    Args:
        caption: what it shows.
        head: column names, separated by ``|``; one that begins with ``#`` holds numbers.
        rows: as many cells each.
        folded: see `Table`.
    """
    names = tuple((name.strip().lstrip("#"), name.strip()[:1] == "#") for name in head.split("|"))
    return Table(caption, names, tuple(tuple(row) for row in rows), folded)


def number(value: float | None, digits: int = 1) -> str:
    """A number with so many digits after the point."""
    return NONE if value is None else f"{value:.{digits}f}"


def verdict_table(report: Report) -> Table:
    """Every budget against every variant that is signed off."""
    rows = []
    for verdict in sorted(report.verdicts, key=lambda v: v.passed):
        side = "at most" if verdict.at_most else "at least"
        rows.append(
            (
                "passed" if verdict.passed else "FAILED",
                f"{verdict.budget}: {verdict.meaning}",
                verdict.variant,
                _with_unit(verdict.value, verdict.unit),
                f"{side} {_with_unit(verdict.limit, verdict.unit)}",
                verdict.note,
            )
        )
    return table("", "|budget|variant|#measured|#wanted|what it rests on", rows)


def latency_tables(report: Report) -> list[Table]:
    """Live, warm, stages and cold."""
    latency = report.latency
    live = [
        (
            m.variant,
            str(m.threads),
            str(m.streams),
            number(m.hop_ms, 0),
            *_times(m.latency),
            number(m.compute.p50),
            str(m.hops_skipped),
            number(m.processor_percent, 0),
        )
        for m in latency.live
    ]
    warm = [
        (m.variant, str(m.threads), number(m.whole.quietest), *_times(m.whole), _noise(m.whole))
        for m in latency.warm
    ]
    cold = [
        (
            m.variant,
            *(_spread(s, 0) for s in (m.interpreter, m.imports, m.load, m.first_decision, m.whole)),
            str(m.processes),
        )
        for m in latency.cold
    ]
    times = "#p50|#p90|#p95|#p99|#p99.9|#largest|#decisions"
    rests = "a percentile is given only where at least one decision lies above it"
    return [
        table(
            f"Live decision latency, ms; {rests}. Skipped: decisions left out by a device that is "
            "too slow. Processor: of the whole process in % of one core, replay included.",
            f"variant|#threads|#streams|#hop ms|{times}|#compute p50|#skipped|#processor %",
            live,
        ),
        table(
            "Computing time of a warm decision, ms, taken in blocks, variants in turn. Quietest: "
            "median of the quietest block, which repeats from report to report; p50: of the usual "
            f"one; noise: by how much that took longer; {rests}.",
            f"variant|#threads|#quietest|{times}|#noise",
            warm,
        ),
        _stages(report),
        table(
            "Cold start, ms: median (smallest to largest) of fresh processes.",
            "variant|#interpreter|#imports|#load|#first decision|#whole|#processes",
            cold,
        ),
    ]


def _stages(report: Report) -> Table:
    """One row a stage, one column a variant."""
    warm = report.latency.warm
    names = list(dict.fromkeys(s.stage for m in warm for s in m.stages))
    found = [{s.stage: s for s in m.stages} for m in warm]
    rows = [
        (
            name.replace("_", " "),
            *(
                f"{s.p50:.2f} ({s.p95:.2f}), {s.share:.0%}" if (s := of.get(name)) else NONE
                for of in found
            ),
        )
        for name in names
    ]
    head = [f"#{m.variant}, {m.threads} thread{'s' if m.threads > 1 else ''}" for m in warm]
    return table(
        "Stages of a warm decision: median (95 %) in ms, and share of the whole; sound and "
        "pictures run side by side.",
        "|".join(["stage", *head]),
        rows,
    )


def room_table(report: Report) -> Table:
    """Size and memory of every variant."""
    rows = [
        (
            f.variant,
            number(f.bundle_mb),
            ", ".join(f"{name} {size:.1f}" for name, size in f.graphs_mb.items()),
            number(f.engines_mb) if f.engines_mb is not None else "none needed",
            _memory(f.resident_imported_mb),
            _memory(f.resident_loaded_mb),
            _memory(f.resident_deciding_mb),
            _memory(f.resident_peak_mb),
            _spread(f.load_ms, 0),
        )
        for f in report.footprint
    ]
    return table(
        "Sizes and resident memory in MB (10^6 bytes), load time in ms; median (smallest to "
        "largest) of fresh processes.",
        "variant|#bundle|graphs|#engines|#imported|#graphs open|#deciding|#peak|#load ms",
        rows,
    )


def accuracy_tables(section: AccuracySection) -> list[Table]:
    """Scores by variant and subset, agreement with the reference, and scores by label."""
    scores, agreements, labels = [], [], []
    for variant in section.variants:
        name = f"{variant.backend} {variant.precision}"
        if variant.not_run is not None:
            scores.append((name, f"not run: {variant.not_run}", *([NONE] * 11)))
        for s in variant.subsets:
            subset = s.subset.replace("+", " + ")
            scores.append(
                (
                    name,
                    subset,
                    s.pairing,
                    str(s.clips),
                    str(s.people),
                    str(s.absent),
                    _percent(s.accuracy),
                    _percent(s.recall),
                    f"{100 * s.f1:.1f}",
                    f"{100 * s.chance_accuracy:.1f}",
                    f"{s.calibration_error.value:.3f} ({s.calibration_error.low:.3f} to "
                    f"{s.calibration_error.high:.3f})",
                    f"{s.brier:.3f}",
                    f"{s.negative_log_likelihood:.3f}",
                )
            )
            if s.agreement is not None:
                differences = {d.metric: d.difference for d in s.agreement.differences}
                agreements.append(
                    (
                        name,
                        subset,
                        f"{100 * s.agreement.same_label:.2f}",
                        f"{s.agreement.largest_change:.4f}",
                        f"{s.agreement.mean_change:.5f}",
                        _points(differences.get("accuracy")),
                        _points(differences.get("macro F1")),
                    )
                )
        if variant.reference:
            labels += [
                (
                    s.subset.replace("+", " + "),
                    one.label,
                    str(one.clips),
                    *(
                        NONE if v is None else f"{100 * v:.1f}"
                        for v in (one.precision, one.recall, one.f1)
                    ),
                )
                for s in variant.subsets
                for one in s.per_label
            ]
    found = [
        table(
            "Scores in %, with 95 % intervals over people; absent: clips in which a modality could "
            "not be used.",
            "variant|subset|pairing|#clips|#people|#absent|#accuracy|#recall|#F1|#chance|"
            "#calibration error|#Brier|#NLL",
            scores,
        )
    ]
    if agreements:
        found.append(
            table(
                "Against the reference, on the same clips: label and probabilities; changes in "
                "points with paired 95 % intervals.",
                "variant|subset|#same label %|#largest change|#mean change|#accuracy|#macro F1",
                agreements,
            )
        )
    if labels:
        found.append(
            table(
                "Every label of the reference, in %.",
                "subset|label|#clips|#precision|#recall|#F1",
                labels,
                folded=True,
            )
        )
    return found


def robustness_table(section: RobustnessSection) -> Table:
    """Every point of every curve, and the offsets."""
    rows: list[tuple[str, ...]] = [
        (
            curve.disturbance,
            curve.subset.replace("+", " + "),
            point.condition,
            str(point.clips),
            f"{100 * point.present:.0f}",
            _percent(point.accuracy),
            _points(point.difference),
            f"{point.calibration_error:.3f}",
            f"{100 * point.same_label:.0f}",
        )
        for curve in section.curves
        for point in curve.points
    ]
    if section.offset is not None:
        for moment in section.offset.points:
            for way, outcome in (("by arrival", moment.unaligned), ("aligner", moment.aligned)):
                rows.append(
                    (
                        "offset",
                        section.offset.subset.replace("+", " + "),
                        f"{moment.offset_ms:+d} ms, {way}",
                        str(section.offset.moments),
                        NONE,
                        _percent(outcome.accuracy),
                        f"{outcome.cost.value:+.3f} nats ({outcome.cost.low:+.3f} to "
                        f"{outcome.cost.high:+.3f})",
                        NONE,
                        f"{100 * outcome.same_label:.0f}",
                    )
                )
    return table(
        "Present: share of the clips in which the disturbed modality could still be used; change "
        "against the undisturbed clips in points (offset: of the true label's log-probability).",
        "disturbance|subset|condition|#clips|#present %|#accuracy %|#change|#calibration error|"
        "#same label %",
        rows,
    )


def change_table(report: Report, *, clear: bool) -> Table:
    """Changes against the older report: those that are clear, or those that are none."""
    found = report.comparison.changes if report.comparison is not None else ()
    changes = [c for c in found if (c.better is not None) == clear]
    words = {True: "better", False: "worse", None: "the same"}
    rows = [
        (
            words[c.better],
            c.section,
            c.figure,
            _with_unit(c.before, c.unit),
            _with_unit(c.after, c.unit),
            NONE if c.percent is None else f"{c.percent:+.1f} %",
            c.note,
        )
        for c in changes
    ]
    return table("", "|part|figure|#before|#now|#change|", rows)


def host_table(report: Report) -> Table:
    """What the device is."""
    host = report.host
    virtual = {True: "yes", False: "no", None: "not known"}[host.virtual]
    rows = [
        ("device", host.device or NONE),
        ("processor", host.processor),
        ("cores that may be used", str(host.cores)),
        ("memory", NONE if host.memory_mb is None else f"{host.memory_mb:.0f} MB"),
        ("system", host.system),
        ("virtual machine", virtual),
        ("instructions of the kernels", host.simd),
        ("versions", ", ".join(f"{k} {v}" for k, v in host.versions.items())),
        ("noise of the machine", _noise_of_all(report.latency.noise_percent)),
        ("other programs took", _share(report.watch.other_load_percent)),
        ("other virtual machines took", _share(report.watch.stolen_percent)),
        (
            "slowed down by heat",
            {True: "yes", False: "no", None: "the platform does not tell"}[report.watch.throttled],
        ),
    ]
    return table("What this report was made on.", "|", rows)


def state_table(report: Report) -> Table:
    """How the device was before and after."""
    before, after = _state(report.watch.before), _state(report.watch.after)
    rows = [(name, before[name], after[name]) for name in before]
    return table(f"Before and after; {NONE}: the platform does not tell.", "|before|after", rows)


def parts_table(report: Report) -> Table:
    """What `edge-ser doctor` finds."""
    rows = [(p.part, p.state, p.detail) for p in report.host.parts]
    return table("What edge-ser doctor finds.", "part|state|what", rows, folded=True)


def _state(state: HostState) -> dict[str, str]:
    heat = ", ".join(f"{name} {value:.0f} °C" for name, value in state.temperatures.items())
    clock = state.megahertz
    return {
        "time": state.at,
        "frequency governor": state.governor or NONE,
        "frequency": NONE if clock is None else f"{clock[0]:.0f} to {clock[1]:.0f} MHz",
        "highest frequency": NONE
        if state.megahertz_limit is None
        else f"{state.megahertz_limit:.0f} MHz",
        "temperatures": heat or NONE,
        "throttle events": NONE if state.throttle_events is None else str(state.throttle_events),
        "slowed down to cool": ", ".join(state.cooling) or NONE,
        "power mode": state.power_mode or NONE,
        "tegrastats": state.tegrastats or NONE,
        "load average": number(state.load_average, 2),
    }


def _times(times: Distribution) -> tuple[str, ...]:
    values = (times.p50, times.p90, times.p95, times.p99, times.p999, times.largest)
    return (*(number(v) for v in values), str(times.count))


def _noise(times: Distribution) -> str:
    return NONE if times.noise_percent is None else f"{times.noise_percent:.0f} %"


def _spread(spread: Spread, digits: int) -> str:
    low, high = f"{spread.smallest:.{digits}f}", f"{spread.largest:.{digits}f}"
    return f"{spread.median:.{digits}f} ({low} to {high})"


def _memory(spread: Spread | None) -> str:
    return "not known" if spread is None else _spread(spread, 0)


def _percent(score: Interval) -> str:
    return f"{100 * score.value:.1f} ({100 * score.low:.1f} to {100 * score.high:.1f})"


def _points(change: Interval | None) -> str:
    if change is None:
        return NONE
    return f"{100 * change.value:+.1f} ({100 * change.low:+.1f} to {100 * change.high:+.1f})"


def _noise_of_all(noise: float | None) -> str:
    if noise is None:
        return "not known"
    return f"a usual block of decisions took {noise:.0f} % longer than the quietest"


def _share(value: float | None) -> str:
    return "not known" if value is None else f"{value:.1f} % of all cores meanwhile"


def _with_unit(value: float | None, unit: str) -> str:
    return "unknown" if value is None else f"{value:.4g} {unit}".strip()
