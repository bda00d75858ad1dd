"""The gate of `build-engine`: held-out people decide whether a precision is written at all."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
from fixtures.small_networks import make_clips, make_small_bundle
from typer import Typer
from typer.testing import CliRunner

from edge_ser.bundles.loading import load_bundle
from edge_ser.cli import build_engine as verb
from edge_ser.errors import ConfigError, EngineError
from edge_ser.export.comparison import gate
from edge_ser.export.comparison.bundle_gate import failures, judge_bundle
from edge_ser.export.data.clip_set import read_clips
from edge_ser.export.engines import build
from edge_ser.export.variants.typed_bundle import PrecisionOptions, typed_bundle

app = Typer()
app.command()(verb.build_engine)


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    base = tmp_path_factory.mktemp("gate")
    return make_small_bundle(base / "small"), make_clips(base / "clips")


def _build(folders: tuple[Path, Path], output: Path, *more: str) -> str:
    bundle, clips = (str(f) for f in folders)
    arguments = ["--fp16", "--bundle", bundle, "--clips", clips]
    result = CliRunner().invoke(app, [*arguments, "--output", str(output), *more])
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    assert result.exit_code == verb.EXIT_NOT_BUILT, result.output
    return result.output


@pytest.fixture(autouse=True)
def _no_device(monkeypatch: pytest.MonkeyPatch) -> None:
    """Graphs are written and judged; no engine is built."""
    monkeypatch.setattr(build, "device_capability", lambda: None)


def test_half_precision_on_a_cpu_is_refused_with_the_reason_unless_forced(
    folders: tuple[Path, Path], tmp_path: Path
) -> None:
    source = load_bundle(folders[0])
    request = build.BuildRequest(backend="onnxruntime", fp16=True, output=tmp_path / "out")
    with pytest.raises(ConfigError, match=r"slower than fp32 on a CPU.*--int8.*--force"):
        build.build(source, request)
    assert list(tmp_path.iterdir()) == []
    built = build.build(source, replace(request, force=True))
    assert {g.precision for g in built.bundle.manifest.graphs.values()} == {"fp16"}


def test_a_precision_that_passes_is_written_with_its_verdicts(
    folders: tuple[Path, Path], tmp_path: Path
) -> None:
    text = _build(folders, tmp_path / "out")
    assert "Held-out people" in text
    report = json.loads((tmp_path / "out" / "precision.json").read_text())
    assert report["gate"]["passed"] is True
    audio = report["gate"]["subsets"]["audio"]
    assert audio["clips"] == 12
    assert audio["people"] == 4
    assert audio["bound"] == gate.BOUNDS["fp16"]
    assert report["forced"] == []


def test_a_precision_that_fails_is_not_written_unless_forced_and_that_is_recorded(
    folders: tuple[Path, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # No precision gains three points of everything: every one fails.
    monkeypatch.setitem(gate.BOUNDS, "fp16", -0.03)
    with pytest.raises(EngineError, match=r"fp16 does not pass the gate: .*points worse.*--force"):
        _build(folders, tmp_path / "out")
    assert list(tmp_path.iterdir()) == []
    _build(folders, tmp_path / "out", "--force")
    report = json.loads((tmp_path / "out" / "precision.json").read_text())
    assert report["forced"] == ["gate"]
    assert report["gate"]["passed"] is False


def test_fp32_is_what_it_is_compared_with(folders: tuple[Path, Path]) -> None:
    bundle = load_bundle(folders[0])
    typed = typed_bundle(bundle, PrecisionOptions(target="tensorrt"))
    verdicts = judge_bundle(bundle, typed, "fp32", read_clips(folders[1], bundle.manifest))
    assert set(verdicts) >= {"audio", "text", "video", "audio+text+video"}
    assert all(v.agreement == 1 and v.proven for v in verdicts.values())
    assert failures(verdicts) == []
