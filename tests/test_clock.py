"""Clocks count whole samples, never go back, and say which stamps can be true."""

from __future__ import annotations

import time

import pytest

from edge_ser.clock import (
    EARLIEST,
    NANOSECONDS_PER_SAMPLE,
    OLDEST,
    MonotonicClock,
    PushedClock,
    milliseconds,
    monotonic_samples,
    samples_from_nanoseconds,
)
from edge_ser.constants import SAMPLE_RATE


def test_a_sample_is_a_whole_number_of_nanoseconds() -> None:
    assert NANOSECONDS_PER_SAMPLE * SAMPLE_RATE == 10**9
    assert samples_from_nanoseconds(10**9) == SAMPLE_RATE


@pytest.mark.parametrize("samples", [2**31, 2**53 + 1, 2**62 + 3])
def test_no_digit_is_lost(samples: int) -> None:
    assert samples_from_nanoseconds(samples * NANOSECONDS_PER_SAMPLE) == samples


def test_the_monotonic_clock_goes_with_the_systems() -> None:
    clock = MonotonicClock()
    first = clock.now()
    time.sleep(0.05)
    second = clock.now()
    assert 0.04 * SAMPLE_RATE <= second - first <= 5 * SAMPLE_RATE
    assert abs(monotonic_samples() - clock.now()) < SAMPLE_RATE
    assert clock.seconds_until(first) == 0
    assert 0.9 < clock.seconds_until(clock.now() + SAMPLE_RATE) <= 1
    clock.saw(2**62)
    assert clock.now() < 2**62


def test_stamps_from_the_future_or_long_ago_are_not_plausible() -> None:
    clock = MonotonicClock()
    assert clock.plausible(clock.now())
    assert clock.plausible(clock.now() - OLDEST // 2)
    assert clock.plausible(clock.now() + EARLIEST // 2)
    assert not clock.plausible(clock.now() + SAMPLE_RATE)
    assert not clock.plausible(clock.now() - 2 * OLDEST)
    assert not clock.plausible(time.time_ns() // NANOSECONDS_PER_SAMPLE)


def test_a_pushed_clock_follows_the_newest_and_never_goes_back() -> None:
    clock = PushedClock()
    clock.saw(100)
    clock.saw(50)
    assert clock.now() == 100
    assert clock.seconds_until(100) == 0
    assert clock.seconds_until(101) is None
    assert clock.plausible(-(2**60))


def test_milliseconds() -> None:
    assert milliseconds(SAMPLE_RATE) == 1000
