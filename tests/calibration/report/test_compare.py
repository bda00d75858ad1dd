"""Comparison: what moved, what only seems to have moved, and what must not be compared."""

from __future__ import annotations

import pytest
from fixtures.report_factory import full_report, latency

from edge_ser.calibration.report.compare import compare_reports, refuse_incomparable
from edge_ser.calibration.report.result import Change, Report
from edge_ser.errors import ConfigError


def _changes(old: Report, new: Report, section: str) -> list[Change]:
    return [c for c in compare_reports(old, new).changes if c.section == section]


def test_times_that_grew_are_worse_and_those_that_shrank_better() -> None:
    slower = _changes(full_report(1.0), full_report(1.5), "live latency")
    assert slower
    assert all(c.better is False for c in slower)
    assert all(c.percent == pytest.approx(50) for c in slower)
    faster = _changes(full_report(1.5), full_report(1.0), "compute")
    assert all(c.better is True for c in faster)


def test_a_change_within_the_spread_is_none() -> None:
    changes = compare_reports(full_report(1.0), full_report(1.01)).changes
    assert changes
    times = [c for c in changes if c.section in ("live latency", "compute", "cold start")]
    assert all(c.better is None for c in times)
    assert any("within the spread" in c.note for c in times)


def test_less_accuracy_is_worse_only_beyond_its_interval() -> None:
    old = full_report()
    assert old.accuracy is not None
    variants = []
    for variant in old.accuracy.variants:
        subsets = tuple(
            s.model_copy(
                update={"accuracy": s.accuracy.model_copy(update={"value": s.accuracy.value - 0.1})}
            )
            for s in variant.subsets
        )
        variants.append(variant.model_copy(update={"subsets": subsets}))
    worse = old.accuracy.model_copy(update={"variants": tuple(variants)})
    new = old.model_copy(update={"accuracy": worse})
    scores = [c for c in _changes(old, new, "accuracy") if c.figure.endswith(", accuracy")]
    assert len(scores) == 21
    assert all(c.better is False and c.percent is None for c in scores)


def test_latency_with_another_clip_is_not_compared() -> None:
    comparison = compare_reports(full_report(clip="d" * 64), full_report())
    assert {c.section for c in comparison.changes} == {"size", "accuracy"}
    assert any("measured with astronaut.mp4" in line for line in comparison.not_compared)


def test_live_latency_at_another_hop_is_not_compared() -> None:
    old = full_report().model_copy(update={"latency": latency(hop_ms=200.0)})
    comparison = compare_reports(old, full_report())
    assert not any(c.section == "live latency" for c in comparison.changes)
    assert any("--hop" in line for line in comparison.not_compared)
    assert any(c.section == "compute" for c in comparison.changes)


def test_accuracy_on_other_clips_is_not_compared() -> None:
    old = full_report()
    assert old.accuracy is not None
    data = old.accuracy.data.model_copy(update={"clips": {"audio": 3}})
    other = old.model_copy(update={"accuracy": old.accuracy.model_copy(update={"data": data})})
    comparison = compare_reports(other, old)
    assert not any(c.section == "accuracy" for c in comparison.changes)
    assert any("other clips" in line for line in comparison.not_compared)
    without = compare_reports(full_report(data=False), old)
    assert any("only one of the reports" in line for line in without.not_compared)


def test_what_differs_is_named() -> None:
    old = full_report()
    host = old.host.model_copy(update={"cores": 8, "versions": {"python": "3.12"}})
    comparison = compare_reports(old.model_copy(update={"host": host}), full_report())
    text = "\n".join(comparison.differences)
    assert "8 cores then" in text
    assert "python: 3.12 then, 3.11 now" in text
    assert "edge-ser: not known then" in text
    assert compare_reports(old, full_report()).differences == ()


def test_a_comparison_of_which_nothing_is_left_is_refused_at_once() -> None:
    old = full_report(data=False)
    refuse_incomparable(old, "a" * 64, has_data=False)
    with pytest.raises(ConfigError, match="another clip"):
        refuse_incomparable(old, "e" * 64, has_data=True)
    refuse_incomparable(full_report(), "e" * 64, has_data=True)
