"""A whole report of a tiny bundle: measured, judged, written, resumed, compared, refused."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from fixtures.bundle_factory import make_bundle
from fixtures.report_factory import full_report

from edge_ser.calibration.report import make as report
from edge_ser.calibration.report import measure as report_measure
from edge_ser.calibration.report.budget import parse_budgets
from edge_ser.calibration.report.make import make_report, read_report
from edge_ser.calibration.report.request import ReportRequest
from edge_ser.cli.main import main
from edge_ser.errors import ConfigError, EngineError, MissingExtraError


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_bundle(tmp_path_factory.mktemp("bundle") / "tiny")


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Every measurement replaced by invented figures of one variant; tells which were made."""
    made: list[str] = []
    figures = full_report()

    def told(name: str, value: Any) -> Any:
        def measure(*_: Any, **__: Any) -> Any:
            made.append(name)
            return value

        return measure

    def named(measured: Any) -> Any:
        return measured.model_copy(update={"precision": "bundle"})

    warm, live = named(figures.latency.warm[0]), named(figures.latency.live[0])
    cold, room = named(figures.latency.cold[0]), named(figures.footprint[0])
    replaced = {
        "measure_warm": [warm],
        "measure_cold": ([cold], [room]),
        "measure_live": live,
        "measure_energy": named(figures.energy[0]),
    }
    for name, value in replaced.items():
        monkeypatch.setattr(report_measure, name, told(name, value))
    monkeypatch.setattr(report, "render_page", lambda *_: "<!DOCTYPE html>\n")
    return made


def _request(bundle: Path, output: Path, **changes: Any) -> ReportRequest:
    settings: dict[str, Any] = {"threads": (1,), "streams": (1,), "decisions": 10, "processes": 1}
    settings["speech_gate"] = False  # the clips are tones
    return ReportRequest(output=output, bundle=bundle, **{**settings, **changes})


def test_a_report_is_measured_written_and_failed_by_its_budget(
    bundle: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    page = tmp_path / "report.html"
    arguments = ["--bundle", str(bundle), "--output", str(page), "--decisions", "10"]
    arguments += ["--threads", "1", "--streams", "1", "--processes", "1"]
    with pytest.raises(SystemExit) as ended:
        main(["report", *arguments, "--budget", "latency_p50=0.001,memory=100000"])
    assert ended.value.code == 4
    told = capsys.readouterr().out
    assert "FAILED latency_p50, onnxruntime bundle" in told
    assert "memory" not in told
    assert "nothing is said about how right" in told
    text = page.read_text("utf-8")
    assert text.index("Failed") < text.index("<svg")
    found = read_report(tmp_path / "report.json")
    assert found.passed is False
    assert [v.passed for v in found.verdicts] == [False, True]
    assert found.latency.clip.modalities == ("audio", "text", "video")
    assert found.bundle.name == "tiny"
    assert sorted(p.name for p in tmp_path.iterdir()) == ["report.html", "report.json"]


def test_kept_budgets_end_with_0_and_an_older_report_is_compared(
    bundle: Path, tmp_path: Path, quick: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    del quick
    page = tmp_path / "report.html"
    arguments = ["report", "--bundle", str(bundle), "--output", str(page), "--budget", "memory=400"]
    with pytest.raises(SystemExit) as ended:
        main(arguments)
    assert ended.value.code == 0
    assert "passed: every budget is kept" in capsys.readouterr().out
    # The older report may be the file that is written anew.
    with pytest.raises(SystemExit) as ended:
        main([*arguments, "--compare", str(tmp_path / "report.json")])
    assert ended.value.code == 0
    comparison = read_report(tmp_path / "report.json").comparison
    assert comparison is not None
    assert comparison.differences == ()
    assert comparison.not_compared == ()
    assert all(c.better is None for c in comparison.changes)
    assert {c.section for c in comparison.changes} >= {"live latency", "compute", "size"}


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["--budget", "speed=3"], "the budgets are latency_p50"),
        (["--budget", "ece=0.1"], "--data"),
        (["--precisions", "fp8"], "fp32, fp16"),
        (["--backends", "abacus"], "onnxruntime"),
        (["--sign-off", "int8"], "not among --precisions"),
        (["--threads", "two"], "whole numbers"),
        (["--streams", "0"], "from 1 on"),
        (["--output", "report.pdf"], "name it .html"),
        (["--output", "nowhere/report.html"], "does not exist"),
        (["--data", "nowhere"], "no folder"),
        (["--compare", "nowhere.json"], "cannot read the report"),
        (["--bundle", "nowhere"], "does not exist"),
        (["--clip", "nowhere.mp4"], "nowhere.mp4"),
    ],
)
def test_what_cannot_be_is_refused_with_one_line(
    arguments: list[str],
    says: str,
    bundle: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SystemExit) as ended:
        main(["report", "--bundle", str(bundle), *arguments])
    assert ended.value.code == 2
    lines = capsys.readouterr().err.strip().splitlines()
    assert len([line for line in lines if line.startswith("edge-ser: ")]) == 1
    assert says in " ".join(lines)
    assert list(tmp_path.iterdir()) == []


def test_an_interrupted_report_goes_on_where_it_stopped(
    bundle: Path, tmp_path: Path, quick: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    page = tmp_path / "report.html"
    live = report_measure.measure_live

    def interrupted(*_: Any) -> Any:
        raise KeyboardInterrupt

    monkeypatch.setattr(report_measure, "measure_live", interrupted)
    with pytest.raises(KeyboardInterrupt):
        make_report(_request(bundle, page))
    assert quick == ["measure_warm", "measure_cold"]
    assert not page.exists()
    monkeypatch.setattr(report_measure, "measure_live", live)
    quick.clear()
    assert make_report(_request(bundle, page)).resumed == 2
    assert quick == ["measure_live", "measure_energy"]
    # Once whole, nothing of it is taken for the next one.
    quick.clear()
    assert make_report(_request(bundle, page)).resumed == 0
    assert quick == ["measure_warm", "measure_cold", "measure_live", "measure_energy"]


def test_other_settings_do_not_take_what_was_measured(
    bundle: Path, tmp_path: Path, quick: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    page = tmp_path / "report.html"
    monkeypatch.setattr(
        report_measure, "measure_energy", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt)
    )
    with pytest.raises(KeyboardInterrupt):
        make_report(_request(bundle, page))
    quick.clear()
    with pytest.raises(KeyboardInterrupt):
        make_report(_request(bundle, page, decisions=20))
    assert quick == ["measure_warm", "measure_cold", "measure_live"]


def test_a_backend_that_is_not_here_is_told_of_and_does_not_pass(
    bundle: Path, tmp_path: Path, quick: list[str]
) -> None:
    del quick
    request = _request(
        bundle,
        tmp_path / "report.html",
        backends=("onnxruntime", "onnxruntime:qnn"),
        limits=parse_budgets("memory=400"),
    )
    found = make_report(request)
    (absent,) = found.latency.not_run
    assert absent.backend == "onnxruntime:qnn"
    assert "onnxruntime-qnn" in absent.why
    assert [v.passed for v in found.verdicts] == [True, False]
    alone = _request(bundle, tmp_path / "report.html", backends=("onnxruntime:qnn",))
    with pytest.raises(EngineError, match="nothing that was asked for can be run here"):
        make_report(alone)


def test_a_missing_extra_is_named(
    bundle: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(__import__("sys").modules, "jinja2", None)
    with pytest.raises(MissingExtraError, match=r"pip install \"edge-ser\[report\]\""):
        make_report(_request(bundle, tmp_path / "report.html"))


def test_what_is_no_report_is_not_read(tmp_path: Path) -> None:
    file = tmp_path / "old.json"
    document = json.loads(full_report().model_dump_json())
    for text in ("", "{}", "[1]", "\x00", json.dumps({**document, "schema_version": 2})):
        file.write_text(text)
        with pytest.raises(ConfigError, match="no report that this edge-ser"):
            read_report(file)
    with pytest.raises(ConfigError, match="cannot read"):
        read_report(tmp_path)


def test_a_page_may_have_a_long_name(bundle: Path, tmp_path: Path, quick: list[str]) -> None:
    page = tmp_path / f"{'p' * 250}.html"
    make_report(_request(bundle, page))
    assert sorted(tmp_path.iterdir()) == [page, page.with_suffix(".json")]
    quick.clear()
    with pytest.raises(ConfigError, match="choose a shorter name"):
        make_report(_request(bundle, tmp_path / f"{'p' * 251}.htm"))  # .json is too long
    assert quick == []
