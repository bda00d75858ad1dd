"""Budgets: names that are known, limits that are numbers, verdicts that never pass unmeasured."""

from __future__ import annotations

import pytest
from fixtures.report_factory import (
    VARIANTS,
    accuracy_section,
    energies,
    footprints,
    full_report,
    latency,
)

from edge_ser.calibration.performance.result import NotRun
from edge_ser.calibration.report.budget import BUDGETS, check_budgets, parse_budgets
from edge_ser.calibration.report.make import failed
from edge_ser.calibration.report.result import BudgetVerdict
from edge_ser.calibration.report.verdict import Judge
from edge_ser.errors import ConfigError


def _verdict(text: str, variant: tuple[str, str] = VARIANTS[0], **changes: object) -> BudgetVerdict:
    parts = {
        "latency": latency(),
        "footprint": footprints(),
        "energy": energies(known=True),
        "accuracy": accuracy_section(),
        **changes,
    }
    (found,) = Judge(**parts).verdicts(parse_budgets(text), [variant])  # type: ignore[arg-type]
    return found


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("latency_p98=3", "latency_p50, latency_p90"),
        ("latency_p99", "has no limit"),
        ("latency_p99=fast", "must be a number"),
        ("latency_p99=-1", "must be a number"),
        ("ece=nan", "must be a number"),
        ("ece=inf", "must be a number"),
        ("memory=1,memory=2", "given twice"),
        ("memory@audio=1", "does not depend"),
        ("ece@smell=1", "audio+text+video"),
    ],
)
def test_a_wrong_budget_is_refused_with_what_would_be_right(text: str, says: str) -> None:
    with pytest.raises(ConfigError, match=says.replace("+", r"\+")):
        parse_budgets(text)


def test_budgets_are_read_with_spaces_and_subsets() -> None:
    limits = parse_budgets(" latency_p99 = 150 , ece@audio+video=.05,")
    assert [(limit.name, limit.value) for limit in limits] == [
        ("latency_p99", 150.0),
        ("ece@audio+video", 0.05),
    ]
    assert parse_budgets("") == ()


def test_what_cannot_be_judged_is_refused_before_anything_is_measured() -> None:
    check_budgets(parse_budgets("latency_p99=1"), has_data=False, precisions=["bundle"])
    with pytest.raises(ConfigError, match="--data"):
        check_budgets(parse_budgets("ece=0.1"), has_data=False, precisions=["fp32"])
    for drop in ("accuracy_drop=1", "agreement=99"):
        with pytest.raises(ConfigError, match="fp32"):
            check_budgets(parse_budgets(drop), has_data=True, precisions=["bundle", "int8"])


@pytest.mark.parametrize("name", BUDGETS)
def test_every_budget_finds_its_figure_and_the_limit_itself_still_passes(name: str) -> None:
    variant = VARIANTS[0]
    value = _verdict(f"{name}=1", variant).value
    if name in ("latency_p999", "compute_p999", "engine_size"):
        assert value is None
        return
    assert value is not None
    side = 1 if BUDGETS[name].at_most else -1
    assert _verdict(f"{name}={value!r}", variant).passed
    assert _verdict(f"{name}={max(value + side * 1.0, 0)!r}", variant).passed
    if value - side > 0:
        assert not _verdict(f"{name}={value - side * 0.001!r}", variant).passed


def test_what_was_not_measured_does_not_pass_and_says_why() -> None:
    tail = _verdict("latency_p999=1000")
    assert not tail.passed
    assert "1000 decisions" in tail.note
    assert "unknown" in _verdict("energy=1", energy=energies(known=False)).note
    assert not _verdict("energy=1000000", VARIANTS[2]).passed
    assert not _verdict("accuracy=0", accuracy=None).passed
    broken = latency().model_copy(
        update={"not_run": (NotRun(backend="tensorrt", precision="fp16", why="no GPU"),)}
    )
    absent = _verdict("latency_p50=1000", ("tensorrt", "fp16"), latency=broken)
    assert not absent.passed
    assert "no GPU" in absent.note


def test_accuracy_is_that_of_the_fullest_subset_unless_one_is_named() -> None:
    assert _verdict("accuracy=0").value == pytest.approx(75)
    assert _verdict("accuracy@audio=0").value == pytest.approx(45)


def test_accuracy_lost_counts_downwards_and_the_reference_loses_nothing() -> None:
    assert _verdict("accuracy_drop=0").value == 0
    lost = _verdict("accuracy_drop=0.3", VARIANTS[2])
    assert lost.value == pytest.approx(0.4)
    assert not lost.passed
    assert "95 % interval -0.6 to +1.4" in lost.note


def test_latency_is_judged_on_one_stream_alone() -> None:
    alone = next(m for m in latency().live if m.streams == 1)
    assert _verdict("latency_p99=1").value == alone.latency.p99


def test_broken_budgets_are_told_in_a_line_each() -> None:
    verdicts = (_verdict("latency_p50=1"), _verdict("memory=1000"), _verdict("latency_p999=5"))
    report = full_report().model_copy(update={"verdicts": verdicts, "passed": False})
    lines = failed(report)
    assert len(lines) == 2
    assert "at most 1 ms is wanted" in lines[0]
    assert "unknown" in lines[1]
