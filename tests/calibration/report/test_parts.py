"""Parts of a report: kept, resumed, and never those of another report."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from edge_ser.calibration.performance.result import Spread
from edge_ser.calibration.report.parts import ReportParts
from edge_ser.errors import ConfigError

VALUE = Spread(median=2.0, smallest=1.0, largest=3.0, count=3)


def _never() -> Any:
    raise AssertionError("it was measured again")


def test_what_was_measured_is_not_measured_again(tmp_path: Path) -> None:
    folder = tmp_path / "page.html.parts"
    interrupted = ReportParts(folder, {"seed": 0})
    with interrupted:
        assert interrupted.once("one", Spread, lambda: VALUE) == VALUE
    with ReportParts(folder, {"seed": 0}) as parts:
        assert parts.once("one", Spread, _never) == VALUE
        assert parts.once("two", list[Spread], lambda: [VALUE]) == [VALUE]
        assert parts.resumed == 1
        assert parts.seconds > 0
    parts.remove()
    assert not folder.exists()


def test_parts_of_other_settings_are_not_taken(tmp_path: Path) -> None:
    other = VALUE.model_copy(update={"count": 9})
    with ReportParts(tmp_path / "p", {"seed": 0}) as parts:
        parts.once("one", Spread, lambda: VALUE)
    with ReportParts(tmp_path / "p", {"seed": 1}) as parts:
        assert parts.once("one", Spread, lambda: other) == other
        assert parts.resumed == 0


def test_a_damaged_part_is_measured_again(tmp_path: Path) -> None:
    with ReportParts(tmp_path / "p", {}) as parts:
        parts.once("one", Spread, lambda: VALUE)
        (file,) = (tmp_path / "p").glob("one-*")
        file.write_bytes(file.read_bytes()[:40])
        other = VALUE.model_copy(update={"count": 9})
        assert parts.once("one", Spread, lambda: other) == other
        # A part of an older edge-ser whose model has changed meanwhile.
        assert parts.once("one", list[int], lambda: [1]) == [1]


def test_two_reports_at_once_to_one_page_are_refused(tmp_path: Path) -> None:
    with (
        ReportParts(tmp_path / "p", {}),
        pytest.raises(ConfigError, match="another --output"),
        ReportParts(tmp_path / "p", {}),
    ):
        pass
    with ReportParts(tmp_path / "p", {}) as again:
        assert again.resumed == 0
