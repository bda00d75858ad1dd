"""The steady label: follows what lasts, ignores what flickers, is let go when nothing is known."""

from __future__ import annotations

import itertools

import pytest

from edge_ser.constants import MODALITIES, SAMPLE_RATE
from edge_ser.errors import ConfigError
from edge_ser.result import BundleReference, Decision, ModalityReport, Window
from edge_ser.streaming.smoothing import SMOOTHING, LabelSmoother, smoothing_options

HOP = SAMPLE_RATE // 2


def decision(happy: float | None) -> Decision:
    """Two labels; None abstains."""
    value = 0.5 if happy is None else happy
    label = "happy" if value > 0.5 else "neutral"
    return Decision(
        label=None if happy is None else label,
        probabilities={"neutral": 1 - value, "happy": value},
        modalities={m: ModalityReport(False, reason="test") for m in MODALITIES},
        abstained=happy is None,
        abstain_reason="test" if happy is None else None,
        window=Window(0, 1),
        bundle=BundleReference("test", "0.0.1", "0" * 64),
    )


def labels(name: str, values: list[float | None], start: int = 0) -> list[str | None]:
    smoother = LabelSmoother(smoothing_options(name))
    return [smoother.update(decision(v), start + i * HOP) for i, v in enumerate(values)]


def changes(shown: list[str | None]) -> int:
    return sum(a != b for a, b in itertools.pairwise(shown))


def test_off_shows_every_decision() -> None:
    assert labels("off", [0.9, 0.1, None, 0.6]) == ["happy", "neutral", None, "happy"]


@pytest.mark.parametrize("name", ["light", "strong"])
def test_a_label_that_flickers_is_held(name: str) -> None:
    flicker: list[float | None] = [0.7] * 6 + [0.45, 0.6] * 10
    assert changes(labels(name, flicker)) == 0
    assert changes(labels("off", flicker)) == 20


@pytest.mark.parametrize(("name", "most"), [("light", 3), ("strong", 10)])
def test_a_change_that_lasts_is_followed(name: str, most: int) -> None:
    shown = labels(name, [0.9] * 10 + [0.1] * 20)
    assert changes(shown) == 1
    assert 1 <= shown.index("neutral") - 10 <= most


def test_strong_holds_longer_than_light() -> None:
    values: list[float | None] = [0.9] * 10 + [0.2] * 20
    assert labels("light", values).index("neutral") < labels("strong", values).index("neutral")


@pytest.mark.parametrize("name", ["off", "light", "strong"])
def test_a_label_is_let_go_when_decisions_abstain_for_long(name: str) -> None:
    shown = labels(name, [0.9, 0.9] + [None] * 20)
    held = shown[2:].index(None) * HOP
    assert held <= SMOOTHING[name].hold  # type: ignore[index]
    assert shown[-1] is None


def test_what_was_before_a_long_silence_does_not_count() -> None:
    smoother = LabelSmoother(smoothing_options("strong"))
    smoother.update(decision(0.99), 0)
    assert smoother.update(decision(None), 100 * HOP) is None
    assert smoother.update(decision(0.3), 101 * HOP) == "neutral"


@pytest.mark.parametrize("start", [2**31 - HOP, 2**53, 2**60])
def test_any_clock_will_do(start: int) -> None:
    values: list[float | None] = [0.9, 0.4, 0.6, 0.1, 0.1, 0.1, None, 0.2]
    assert labels("light", values, start) == labels("light", values)


def test_unknown_names_are_refused() -> None:
    with pytest.raises(ConfigError, match="off, light, strong"):
        smoothing_options("medium")
