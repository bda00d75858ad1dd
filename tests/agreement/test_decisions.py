"""The default bundle decides as it did when `decisions.json` was recorded."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from agreement.decisions import LARGEST_DIFFERENCE, RECORDED, decide, differences


@pytest.mark.data
def test_every_recorded_decision_is_still_the_same(data_folder: Path) -> None:
    found = differences(json.loads(RECORDED.read_text()), decide(data_folder))
    assert {name: far for name, far in found.items() if far > LARGEST_DIFFERENCE} == {}


def test_a_clip_or_a_label_that_is_missing_differs() -> None:
    one = {"a": {"happy": 0.25, "sad": 0.75}}
    assert differences(one, one) == {"a": 0.0}
    assert differences(one, {}) == {"a": 1.0}
    assert differences(one, {"a": {"happy": 0.25}}) == {"a": 1.0}
    assert differences(one, {"a": {"happy": 0.5, "sad": 0.5}}) == {"a": 0.25}
