"""Work is shed in the stated order and comes back carefully."""

from __future__ import annotations

import itertools

from edge_ser.streaming.load import LEVELS, LoadController

HOP = 8000
BUSY, QUIET, MIDDLE = 7000, 1000, 5000


def feed(controller: LoadController, busy: int, hops: int) -> None:
    for _ in range(hops):
        controller.hop_done(busy, 0, HOP)


def test_the_order_is_pictures_then_words_then_hops() -> None:
    for before, after in itertools.pairwise(LEVELS):
        assert after.face_divisor >= before.face_divisor
        assert after.text <= before.text
        assert after.hop_divisor >= before.hop_divisor
        assert after.text or after.face_divisor == max(level.face_divisor for level in LEVELS)
        assert after.hop_divisor == 1 or not after.text
        assert after.description


def test_one_busy_hop_changes_nothing() -> None:
    controller = LoadController()
    for _ in range(20):
        feed(controller, BUSY, 1)
        feed(controller, MIDDLE, 1)
    assert controller.level is LEVELS[0]


def test_two_busy_hops_shed_one_level_and_it_ends_at_the_last() -> None:
    controller = LoadController()
    for level in LEVELS[1:]:
        feed(controller, BUSY, 2)
        assert controller.level is level
    feed(controller, BUSY, 10)
    assert controller.level is LEVELS[-1]


def test_decisions_that_come_too_late_count_as_busy() -> None:
    controller = LoadController()
    for _ in range(2):
        controller.hop_done(0, HOP + 1, HOP)
    assert controller.level is LEVELS[1]


def test_quiet_hops_bring_everything_back() -> None:
    controller = LoadController()
    feed(controller, BUSY, 20)
    feed(controller, QUIET, 12 * len(LEVELS))
    assert controller.level is LEVELS[0]


def test_a_return_that_fails_is_tried_less_often() -> None:
    controller = LoadController()
    feed(controller, BUSY, 2)
    returns = []
    for hop in range(2000):
        shed = controller.level is LEVELS[1]
        feed(controller, QUIET if shed else BUSY, 1)
        if shed and controller.level is LEVELS[0]:
            returns.append(hop)
    gaps = [b - a for a, b in itertools.pairwise(returns)]
    assert gaps == sorted(gaps)
    assert gaps[0] < 40 < 200 < gaps[-1]
