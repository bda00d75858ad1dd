"""The report as one HTML page that needs no network, no script and no other file."""

from __future__ import annotations

from dataclasses import dataclass
from importlib import resources
from typing import Any

from edge_ser.calibration.report.plots.accuracy import accuracy_plots
from edge_ser.calibration.report.plots.footprint import room_plots
from edge_ser.calibration.report.plots.latency import latency_plots
from edge_ser.calibration.report.plots.robustness import change_plot, robustness_plots
from edge_ser.calibration.report.result import Report
from edge_ser.calibration.report.tables import (
    accuracy_tables,
    change_table,
    host_table,
    latency_tables,
    parts_table,
    robustness_table,
    room_table,
    state_table,
    verdict_table,
)
from edge_ser.calibration.report.verdict import fullest
from edge_ser.export.scoring.result import AccuracySection, GroupGap

_NOISY = 10.0
"""Percent; above it a report says that it should be repeated."""


@dataclass(frozen=True)
class Card:
    """One figure for the eye."""

    value: str
    label: str


def render_page(report: Report, json_name: str) -> str:
    """Draw and write the page.

    Args:
        report: everything that was measured.
        json_name: name of the file that holds the same as data, beside the page.

    Raises:
        ImportError: jinja2 or matplotlib is missing.
    """
    from jinja2 import Environment, StrictUndefined

    folder = resources.files(__package__ or "edge_ser.calibration") / "templates"
    environment = Environment(
        autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    template = environment.from_string((folder / "report.html.j2").read_text("utf-8"))
    accuracy = report.accuracy
    comparison = report.comparison
    changed = change_plot(comparison.changes) if comparison is not None else None
    return template.render(
        r=report,
        css=(folder / "report.css").read_text("utf-8"),
        json_name=json_name,
        headline=headline(report),
        verdict_class={True: "passed", False: "failed", None: ""}[report.passed],
        verdict_sentence=_sentence(report),
        verdict_table=verdict_table(report),
        warnings=_warnings(report),
        cards=_cards(report),
        change_plots=[changed] if changed is not None else [],
        change_table=change_table(report, clear=True),
        same_table=change_table(report, clear=False),
        latency_plots=latency_plots(report),
        latency_tables=latency_tables(report),
        room_plots=room_plots(report),
        room_table=room_table(report),
        energy_lines=_energy_lines(report),
        accuracy_plots=accuracy_plots(accuracy) if accuracy is not None else [],
        accuracy_tables=accuracy_tables(accuracy) if accuracy is not None else [],
        group_lines=_group_lines(accuracy) if accuracy is not None else [],
        robustness=_robustness(report),
        host_table=host_table(report),
        state_table=state_table(report),
        parts_table=parts_table(report),
        settings_line=_settings(report),
    )


def headline(report: Report) -> str:
    """The verdict in a word or three."""
    return {True: "Passed", False: "Failed", None: "No budget was given"}[report.passed]


def _sentence(report: Report) -> str:
    if report.passed is None:
        return "Nothing is signed off: the figures below are held against no limit (--budget)."
    broken = [v for v in report.verdicts if not v.passed]
    count = len(report.verdicts)
    what = "budget" if count == 1 else "budgets"
    if not broken:
        return f"{count} {what}, all kept."
    unknown = [v for v in broken if v.value is None]
    sentence = f"{len(broken)} of {count} {what} {'is' if len(broken) == 1 else 'are'} not kept"
    if unknown:
        sentence += f"; {len(unknown)} of them could not be measured, which does not pass"
    return f"{sentence}."


def _warnings(report: Report) -> list[str]:
    found = []
    noise = report.latency.noise_percent
    if noise is not None and noise > _NOISY:
        found.append(
            f"The machine was noisy: a usual block of decisions took {noise:.0f} % longer than the "
            "quietest. The figures of quietest blocks repeat; the others may not."
        )
    for live in report.latency.live:
        if live.hops_skipped or live.degraded or live.audio_lost_ms:
            lost = f", {live.audio_lost_ms:.0f} ms of sound were lost" if live.audio_lost_ms else ""
            left = f" ({'; '.join(live.degraded)})" if live.degraded else ""
            found.append(
                f"{live.variant}, {live.streams} stream(s) at a decision every {live.hop_ms:.0f} "
                f"ms: the device did not keep up, {live.hops_skipped} decisions were left "
                f"out{lost}{left}."
            )
    return found


def _cards(report: Report) -> list[Card]:
    cards = []
    alone = next((m for m in report.latency.live if m.streams == 1), None)
    if alone is not None:
        cards.append(Card(f"{alone.latency.p50:.0f} ms", "live decision latency, median"))
        high, name = alone.latency.p99, "99 %"
        if high is None:
            high, name = alone.latency.largest, "longest"
        cards.append(Card(f"{high:.0f} ms", f"live decision latency, {name}"))
    warm = report.latency.warm[0]
    quietest, what = warm.whole.quietest, "computing time of a warm decision"
    if quietest is None:
        cards.append(Card(f"{warm.whole.p50:.0f} ms", f"{what}, median"))
    else:
        cards.append(Card(f"{quietest:.0f} ms", f"{what}, quietest block"))
    if report.latency.noise_percent is not None:
        cards.append(Card(f"{report.latency.noise_percent:.0f} %", "noise of the machine"))
    if report.latency.cold:
        cold = report.latency.cold[0].whole.median
        cards.append(Card(f"{cold / 1000:.2f} s", "fresh process to first decision"))
    if report.footprint:
        first = report.footprint[0]
        cards.append(Card(f"{first.bundle_mb:.1f} MB", "bundle"))
        if first.resident_peak_mb is not None:
            cards.append(Card(f"{first.resident_peak_mb.median:.0f} MB", "peak resident memory"))
    if report.accuracy is not None:
        reference = next((v for v in report.accuracy.variants if v.subsets), None)
        if reference is not None:
            whole = fullest(reference.subsets)
            name = whole.subset.replace("+", " + ")
            cards.append(Card(f"{whole.accuracy.value:.1%}", f"accuracy, {name}, {whole.pairing}"))
            error = whole.calibration_error.value
            cards.append(Card(f"{error:.3f}", f"expected calibration error, {name}"))
    return cards


def _energy_lines(report: Report) -> list[str]:
    lines = []
    for energy in report.energy:
        if energy.millijoules is None:
            lines.append(
                f"Energy of a decision, {energy.variant}: unknown on this machine: "
                f"{energy.unknown}."
            )
        else:
            lines.append(
                f"Energy of a decision, {energy.variant}: {energy.millijoules:.1f} mJ, of which "
                f"{energy.millijoules_above_idle:.1f} mJ above idle ({energy.idle_watts:.2f} W "
                f"idle, {energy.busy_watts:.2f} W busy); {energy.source}, {energy.scope}; "
                f"{energy.decisions} decisions in {energy.seconds:.1f} s."
            )
    return list(dict.fromkeys(lines))


def _group_lines(section: AccuracySection) -> list[str]:
    reference = next((v for v in section.variants if v.subsets), None)
    if reference is None:
        return []
    lines = []
    for subset in reference.subsets:
        for gap in (subset.by_speaker, subset.by_sex):
            if gap is not None:
                lines.append(_gap(subset.subset, gap))
    return lines


def _gap(subset: str, gap: GroupGap) -> str:
    groups = ""
    if gap.grouping == "sex":
        groups = "; ".join(f"{g.group} {g.accuracy:.1%} of {g.clips} clips" for g in gap.groups)
        groups = f" ({groups})"
    return (
        f"{subset.replace('+', ' + ')}, by {gap.grouping}: gap {gap.gap:.1%}{groups}, by chance "
        f"{gap.random_gap_median:.1%}, p = {gap.p_value:.3f}. {gap.note}"
    )


def _robustness(report: Report) -> list[dict[str, Any]]:
    found = []
    for section in report.robustness:
        about = (
            f"{section.backend} {section.precision}, at most {section.clips} clips a curve, even "
            f"over labels and people, {section.pairing}; seed {section.seed}."
        )
        if section.no_offset:
            about += f" No curve of the offset: {section.no_offset}."
        protocols = [f"{c.disturbance}, {c.subset}: {c.protocol}" for c in section.curves]
        if section.offset is not None:
            protocols.append(f"offset: {section.offset.protocol}")
        found.append(
            {
                "about": about,
                "plots": robustness_plots(section),
                "table": robustness_table(section),
                "protocols": list(dict.fromkeys(protocols)),
            }
        )
    return found


def _settings(report: Report) -> str:
    settings = report.settings
    return (
        f"precisions {', '.join(settings.precisions)}; backends {', '.join(settings.backends)}; "
        f"threads {', '.join(map(str, settings.threads))}; "
        f"streams {', '.join(map(str, settings.streams))}; {settings.decisions} decisions; "
        f"{settings.processes} fresh processes; signed off: {', '.join(settings.sign_off)}; "
        f"clips {settings.clips if settings.clips is not None else 'all'}; "
        f"speech gate {'on' if settings.speech_gate else 'off'}; seed {settings.seed}."
    )
