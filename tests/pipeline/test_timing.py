"""Stages add up to what was spent, also where one lies within another or ran beside it."""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest

from edge_ser.pipeline.timing import StageTimer


@pytest.fixture(autouse=True)
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Seconds that the timer reads; tests move them on."""
    now = [0.0]
    monkeypatch.setattr(time, "perf_counter", lambda: now[0])
    return now


def test_a_stage_within_another_counts_as_its_own_alone(clock: list[float]) -> None:
    timer = StageTimer()
    with timer.stage("outer"):
        clock[0] += 1
        for _ in range(2):
            with timer.stage("inner"):
                clock[0] += 2
        clock[0] += 3
    assert timer.stages() == {"inner": 4000, "outer": 4000, "total": 8000}


def test_getting_items_is_a_stage_and_using_them_is_another(clock: list[float]) -> None:
    def items() -> Iterator[int]:
        for number in range(3):
            clock[0] += 1
            yield number
        clock[0] += 0.5

    timer = StageTimer()
    with timer.stage("use"):
        for _ in timer.each("get", items()):
            clock[0] += 2
    assert timer.stages() == {"get": 3500, "use": 6000, "total": 9500}


def test_what_ran_beside_is_added(clock: list[float]) -> None:
    timer, other = StageTimer(), StageTimer()
    for one in (timer, other):
        with one.stage("decode"):
            clock[0] += 1
    timer.beside(other)
    assert timer.stages()["decode"] == 2000
