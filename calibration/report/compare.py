"""What changed between two reports, and what cannot be told from them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final, Literal, TypeVar

from edge_ser.calibration.performance.result import Distribution, Measured, Spread
from edge_ser.calibration.report.result import Change, Comparison, Report
from edge_ser.calibration.report.verdict import single_stream
from edge_ser.errors import ConfigError
from edge_ser.export.scoring.result import AccuracySection, SubsetAccuracy

Section = Literal["live latency", "compute", "cold start", "size", "energy", "accuracy"]
_Kind = TypeVar("_Kind", bound=Measured)

_STEADY: Final = 0.03
"""A change of a time below this share is no change, however steady the machine was."""
_REPEATS: Final = 0.10
"""As near are the quietest blocks of two reports, where other programs use the machine."""


def refuse_incomparable(old: Report, clip_sha256: str, has_data: bool) -> None:
    """Refuse a comparison of which nothing would be left, before anything is measured.

    Raises:
        ConfigError: latency was measured with another clip, and accuracy only in one report.
    """
    if old.latency.clip.sha256 == clip_sha256 or (has_data and old.accuracy is not None):
        return
    raise ConfigError(
        f"nothing can be compared: the older report's latency was measured with another clip "
        f"({old.latency.clip.name}), and there is no accuracy in both; measure with the same "
        "--clip, or give --data to both"
    )


def compare_reports(old: Report, new: Report) -> Comparison:
    """Hold two reports beside each other, as far as they measured the same.

    Args:
        old: the earlier one.
        new: the later one.
    """
    changes: list[Change] = []
    cannot: list[str] = []
    same_clip = (old.latency.clip.sha256, old.latency.clip.words_sha256) == (
        new.latency.clip.sha256,
        new.latency.clip.words_sha256,
    )
    if same_clip:
        changes += [
            *_live(old, new, cannot),
            *_warm(old, new),
            *_cold(old, new),
            *_joules(old, new),
        ]
    else:
        cannot.append(
            f"Latency and energy are not compared: they were measured with {old.latency.clip.name} "
            f"then and with {new.latency.clip.name} now, or with other words."
        )
    changes += _sizes(old, new)
    changes += _right(old, new, cannot)
    cannot += _only_in_one(old, new)
    return Comparison(
        old_made_at=old.made_at,
        old_made_by=old.made_by,
        old_device=old.host.summary(),
        old_bundle=f"{old.bundle.name} {old.bundle.version} ({old.bundle.hash[:8]})",
        differences=tuple(_differences(old, new)),
        changes=tuple(changes),
        not_compared=tuple(cannot),
    )


def _differences(old: Report, new: Report) -> Iterator[str]:
    pairs = [
        ("device", old.host.summary(), new.host.summary()),
        ("system", old.host.system, new.host.system),
        ("power mode", old.watch.after.power_mode, new.watch.after.power_mode),
        ("governor", old.watch.after.governor, new.watch.after.governor),
        (
            "bundle",
            f"{old.bundle.name} {old.bundle.version} ({old.bundle.hash[:8]})",
            f"{new.bundle.name} {new.bundle.version} ({new.bundle.hash[:8]})",
        ),
    ]
    versions = sorted(set(old.host.versions) | set(new.host.versions))
    pairs += [(v, old.host.versions.get(v), new.host.versions.get(v)) for v in versions]
    for what, before, after in pairs:
        if before != after:
            yield f"{what}: {before or 'not known'} then, {after or 'not known'} now"


def _only_in_one(old: Report, new: Report) -> Iterator[str]:
    before = {m.variant for m in old.latency.warm}
    after = {m.variant for m in new.latency.warm}
    for variant in sorted(before - after):
        yield f"{variant} is only in the older report."
    for variant in sorted(after - before):
        yield f"{variant} is only in this report."


def _live(old: Report, new: Report, cannot: list[str]) -> Iterator[Change]:
    for variant in _variants(new.latency.live):
        before = single_stream(old.latency.live, *variant)
        after = single_stream(new.latency.live, *variant)
        if before is None or after is None:
            continue
        if (before.hop_ms, before.window_seconds) != (after.hop_ms, after.window_seconds):
            cannot.append(
                f"Live latency of {after.variant} is not compared: a stream decided every "
                f"{before.hop_ms:.0f} ms then and every {after.hop_ms:.0f} ms now; give --hop."
            )
            continue
        yield from _times("live latency", after.variant, before.latency, after.latency)


def _warm(old: Report, new: Report) -> Iterator[Change]:
    for after in new.latency.warm:
        before = _same(old.latency.warm, after)
        if before is not None:
            name = f"{after.variant}, {after.threads} thread(s)"
            yield from _times("compute", name, before.whole, after.whole)
            was, now = before.whole.quietest, after.whole.quietest
            if was is not None and now is not None:
                room = _REPEATS * was
                yield _change("compute", f"{name}, quietest block", "ms", was, now, room)


def _times(
    section: Section, name: str, before: Distribution, after: Distribution
) -> Iterator[Change]:
    for figure, label in (("p50", "p50"), ("p95", "p95"), ("p99", "p99")):
        was, now = getattr(before, figure), getattr(after, figure)
        if was is None or now is None:
            continue
        room = max(_unsteadiness(before), _unsteadiness(after), _STEADY)
        yield _change(section, f"{name}, {label}", "ms", was, now, room * was)


def _unsteadiness(times: Distribution) -> float:
    """Half the range of the blocks' medians, as a share of the median."""
    return (max(times.blocks) - min(times.blocks)) / 2 / max(times.p50, 1e-9)


def _cold(old: Report, new: Report) -> Iterator[Change]:
    for after in new.latency.cold:
        before = _same(old.latency.cold, after)
        if before is None:
            continue
        for figure, label in (("whole", "whole process"), ("load", "load")):
            was, now = getattr(before, figure), getattr(after, figure)
            yield _spread_change("cold start", f"{after.variant}, {label}", "ms", was, now)


def _sizes(old: Report, new: Report) -> Iterator[Change]:
    for after in new.footprint:
        before = _same(old.footprint, after)
        if before is None:
            continue
        yield _change(
            "size", f"{after.variant}, bundle", "MB", before.bundle_mb, after.bundle_mb, 0.0
        )
        if before.engines_mb is not None and after.engines_mb is not None:
            yield _change(
                "size", f"{after.variant}, engines", "MB", before.engines_mb, after.engines_mb, 0.0
            )
        if before.resident_peak_mb is not None and after.resident_peak_mb is not None:
            yield _spread_change(
                "size",
                f"{after.variant}, peak memory",
                "MB",
                before.resident_peak_mb,
                after.resident_peak_mb,
            )


def _joules(old: Report, new: Report) -> Iterator[Change]:
    for after in new.energy:
        before = _same(old.energy, after)
        if before is None or before.millijoules is None or after.millijoules is None:
            continue
        if (before.source, before.scope) == (after.source, after.scope):
            was, now = before.millijoules, after.millijoules
            yield _change("energy", f"{after.variant}, a decision", "mJ", was, now, 0.05 * was)


def _right(old: Report, new: Report, cannot: list[str]) -> Iterator[Change]:
    before, after = old.accuracy, new.accuracy
    if before is None or after is None:
        if before is not None or after is not None:
            cannot.append("Accuracy is not compared: only one of the reports had labelled clips.")
        return
    why = _other_data(before, after)
    if why is not None:
        cannot.append(f"Accuracy is not compared: {why}.")
        return
    for variant in after.variants:
        for was in before.variants:
            if (was.backend, was.precision) != (variant.backend, variant.precision):
                continue
            olds = {subset.subset: subset for subset in was.subsets}
            for subset in variant.subsets:
                if subset.subset in olds:
                    name = f"{variant.backend} {variant.precision}, {subset.subset}"
                    yield from _scores(name, olds[subset.subset], subset)


def _other_data(before: AccuracySection, after: AccuracySection) -> str | None:
    if before.labels != after.labels:
        return "the labels of the bundles differ"
    if before.data.clips != after.data.clips or before.data.people != after.data.people:
        return "the reports were made with other clips, or with another number of them"
    if (before.data.name, before.data.seed) != (after.data.name, after.data.seed):
        return "the clips, or the seed by which they were drawn, were others"
    return None


def _scores(name: str, before: SubsetAccuracy, after: SubsetAccuracy) -> Iterator[Change]:
    half = max((before.accuracy.high - before.accuracy.low) / 2, 0.0)
    yield _change(
        "accuracy",
        f"{name}, accuracy",
        "%",
        100 * before.accuracy.value,
        100 * after.accuracy.value,
        100 * half,
        more_is_better=True,
    )
    error, now = before.calibration_error, after.calibration_error
    half = max((error.high - error.low) / 2, 0.0)
    yield _change("accuracy", f"{name}, calibration error", "", error.value, now.value, half)


def _spread_change(
    section: Section, figure: str, unit: str, before: Spread, after: Spread
) -> Change:
    half = max(before.largest - before.smallest, after.largest - after.smallest) / 2
    room = max(half, _STEADY * before.median)
    return _change(section, figure, unit, before.median, after.median, room)


def _change(
    section: Section,
    figure: str,
    unit: str,
    before: float,
    after: float,
    room: float,
    *,
    more_is_better: bool = False,
) -> Change:
    """One change; within `room`, in the figure's unit, it is neither better nor worse."""
    moved = after - before
    clear = abs(moved) > room + 1e-12
    percent = 100 * moved / before if before and unit in ("ms", "MB", "mJ") else None
    return Change(
        section=section,
        figure=figure,
        unit=unit,
        before=before,
        after=after,
        percent=percent,
        better=(moved > 0) == more_is_better if clear else None,
        note="" if clear or not moved else f"within the spread of {room:.3g} {unit}".strip(),
    )


def _same(found: Sequence[_Kind], like: _Kind) -> _Kind | None:
    key = (like.backend, like.precision, like.threads)
    return next((m for m in found if (m.backend, m.precision, m.threads) == key), None)


def _variants(found: Sequence[Measured]) -> list[tuple[str, str]]:
    return list(dict.fromkeys((m.backend, m.precision) for m in found))
