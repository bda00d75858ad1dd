"""The load test itself, small: a few clients of each kind for a few seconds."""

from __future__ import annotations

import argparse
from pathlib import Path

import pytest
from fixtures.bundle_factory import make_bundle

from tools import bench_serve


def test_the_good_are_not_disturbed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bench_serve, "HALF_OPEN", 40)
    bundle = make_bundle(tmp_path)
    given = argparse.Namespace(clients=8, seconds=3.0, hop=0.5, bundle=bundle)
    figures = bench_serve.measure(given)
    for name in ("good alone", "good beside bad"):
        assert figures[name]["disturbed"] == 0
        assert figures[name]["decisions"] >= 4
        assert 0 < figures[name]["p50_ms"] <= figures[name]["p99_ms"]
    assert figures["library"]["p50_ms"] > 0
    assert figures["memory_mb good beside bad"] < figures["memory_mb_before"] + 200
