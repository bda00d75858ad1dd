"""Clocks count whole samples, never go back, and say which stamps can be true."""

from __future__ import annotations

import time

import numpy as np
import pytest

from edge_ser.clock import (
    EARLIEST,
    NANOSECONDS_PER_SAMPLE,
    OLDEST,
    MonotonicClock,
    PushedClock,
    checked_moment,
    milliseconds,
    monotonic_samples,
    samples_from_nanoseconds,
)
from edge_ser.constants import SAMPLE_RATE
from edge_ser.errors import MediaError


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


@pytest.mark.parametrize("moment", [0, 2**70, np.int64(5), np.uint32(5), 16000.0, np.float32(8)])
def test_whole_numbers_are_moments(moment: object) -> None:
    assert checked_moment("capture_time", moment) == moment


@pytest.mark.parametrize(
    "moment",
    [
        1.5,
        time.monotonic() // 1 + 0.25,
        float("nan"),
        float("inf"),
        "16000",
        True,
        None,
        [16000],
        np.timedelta64(3, "s"),
        np.datetime64("2026-01-01"),
    ],
    ids=str,
)
def test_what_is_no_moment_says_which_unit_is_meant(moment: object) -> None:
    with pytest.raises(MediaError, match="start must be a whole number of 16 kHz samples"):
        checked_moment("start", moment)
