"""The check of a GPU machine, on a machine without one: a folder of tests stands in for ours."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from fixtures.report_factory import latency

from edge_ser.errors import EngineError
from edge_ser.machine.inspection import cuda_device_count
from tools import gpu_check
from tools.gpu_check import DOCUMENT, Measured, Outcome, Report, main
from tools.gpu_conversations import Crowd

TESTS = """
import pytest
pytestmark = pytest.mark.gpu
def test_that_runs(): pass
def test_that_breaks(): assert "{folder}" == "|"
def test_that_shirks(): pytest.skip("no TensorRT")
@pytest.mark.filterwarnings("default")
def test_of_the_same_mark(): pass
"""


@pytest.fixture
def tests(tmp_path: Path) -> Path:
    folder = tmp_path / "repository" / "tests"
    folder.mkdir(parents=True)
    (folder / "test_device.py").write_text(TESTS.format(folder=folder))
    (folder / "test_other.py").write_text("def test_that_needs_no_gpu(): assert False\n")
    (folder.parent / "pytest.ini").write_text("[pytest]\nmarkers = gpu: needs one\n")
    return folder


def _with_a_device(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gpu_check, "cuda_device_count", lambda: 1)


def test_the_report_holds_every_outcome_and_no_folder_and_skips_do_not_pass(
    tests: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    _with_a_device(monkeypatch)
    report = tmp_path / "report.md"
    assert main(tests, ["--tests-only", "--output", str(report)]) == gpu_check.EXIT_FAILED
    assert "2 of 4 GPU tests passed" in capsys.readouterr().out
    text = report.read_text()
    for name, state in (("runs", "passed"), ("breaks", "failed"), ("shirks", "skipped")):
        assert any(f"test_that_{name} | {state} |" in line for line in text.splitlines()), name
    assert "that_needs_no_gpu" not in text
    assert "no TensorRT" in text
    assert "CUDA driver" in text
    assert "default bundle" in text
    # Nothing tells whose machine it was.
    assert str(tests.parent) not in text
    assert str(Path.home()) + "/" not in text


def test_figures_and_reasons_are_written(
    tests: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _with_a_device(monkeypatch)
    passed = Outcome("test_device::test_that_runs", "passed", 0.1, "")
    monkeypatch.setattr(gpu_check, "run_tests", lambda _: ([passed], "1 passed"))
    row = Measured("tensorrt fp16", "face", 0.002, 1.0, 2.0, 3.0)
    reason = "tensorrt-rtx fp16: it is not installed"

    def measure(report: Report, rounds: int) -> None:
        assert rounds == 50
        report.figures.append(row)
        report.problems.append(reason)

    monkeypatch.setattr(gpu_check, "measure_default_bundle", measure)
    live = latency().live[0].model_copy(update={"streams": 200, "hops_skipped": 7})
    monkeypatch.setattr(gpu_check, "measure_crowds", lambda _: [Crowd(True, live)])
    document = tmp_path / "gpu.md"
    document.write_text((DOCUMENT).read_text("utf-8"), "utf-8")
    monkeypatch.setattr(gpu_check, "DOCUMENT", document)
    report = tmp_path / "report.md"
    assert main(tests, ["--output", str(report), "--write"]) == 0
    text = report.read_text()
    for written in (text, document.read_text("utf-8")):
        assert "| tensorrt fp16 | face | 0.002 | 1.000 | 2.000 | 3.000 |" in written
        assert f"| 200 | joined | {live.latency.p50:.0f} | " in written
        assert "CUDA driver" in written
    assert f"- not run: {reason}" in text


def test_an_unexpected_error_in_one_part_costs_that_part_alone(
    tests: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    _with_a_device(monkeypatch)
    tried = []

    def measured(_: object, variant: object, __: int) -> list[Measured]:
        tried.append(str(variant))
        if str(variant) == "tensorrt fp16":
            raise ValueError(f"cuInit gave {tests.parent}")
        if str(variant) == "tensorrt-rtx fp16":
            raise EngineError("it is not installed")
        return [Measured(str(variant), "face", 0.002, 1.0, 2.0, 3.0)]

    monkeypatch.setattr(gpu_check, "_measured", measured)
    monkeypatch.setattr(gpu_check, "measure_crowds", lambda _: 1 / 0)
    monkeypatch.setattr(gpu_check, "inspect_machine", lambda: 1 / 0)
    (tests / "test_torn.py").write_text("import pytest, no_such_module\npytest.mark.gpu\n")
    report = tmp_path / "report.md"
    assert main(tests, ["--output", str(report)]) == gpu_check.EXIT_FAILED
    assert (
        "2 of 5 GPU tests passed; doctor, tensorrt fp16, conversations failed"
        in capsys.readouterr().out
    )
    text = report.read_text()
    assert "test_that_runs | passed |" in text
    assert "No module named 'no_such_module'" in text
    assert "ValueError: cuInit gave ..." in text
    assert "ZeroDivisionError" in text
    assert "- not run: tensorrt-rtx fp16: it is not installed" in text
    assert len(tried) == 9
    assert "| onnxruntime:cuda int8 | face |" in text


def test_what_ends_the_process_leaves_a_report_of_the_tests(
    tests: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _with_a_device(monkeypatch)

    def killed(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(gpu_check, "measure_default_bundle", killed)
    report = tmp_path / "report.md"
    with pytest.raises(KeyboardInterrupt):
        main(tests, ["--output", str(report)])
    assert "test_that_runs | passed |" in report.read_text()


WITHOUT = """
import importlib.machinery
left_out = {
    "jinja2", "kaldi_native_fbank", "librosa", "lightning", "matplotlib", "moonshine_voice",
    "onnxscript", "parselmouth", "ray", "safetensors", "soxr", "torch", "transformers", "yaml",
}
find = importlib.machinery.PathFinder.find_spec
importlib.machinery.PathFinder.find_spec = lambda name, *rest: (
    None if name.split(".")[0] in left_out else find(name, *rest)
)
"""
"""A plug-in for pytest that hides what docs/jetson.md does not install."""


def test_the_install_of_the_documents_runs_the_check_and_collects_every_test_of_a_gpu(
    repository: Path, tmp_path: Path
) -> None:
    (tmp_path / "without.py").write_text(WITHOUT)
    files = gpu_check.marked_files(repository / "tests")
    names = {"test_cuda_gpu.py", "test_onnxruntime_gpu.py", "test_tensorrt_gpu.py"}
    assert names <= {file.name for file in files}
    collect = ("--collect-only", "-q", "-p", "no:cacheprovider")
    needed = "tools.gpu_check, edge_ser.export.comparison.compare"
    for arguments in (
        ("-c", f"import without, {needed}"),
        ("-m", "pytest", "-p", "without", *collect, *map(str, files)),
    ):
        done = subprocess.run(
            [sys.executable, *arguments],
            cwd=repository,
            env={**os.environ, "PYTHONPATH": str(tmp_path)},
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr


def test_a_report_that_cannot_be_written_is_a_users_error(
    tests: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    _with_a_device(monkeypatch)
    code = main(tests, ["--tests-only", "--output", str(tmp_path / "none" / "report.md")])
    assert code == gpu_check.EXIT_USER_ERROR
    assert "no such folder" in capsys.readouterr().err


@pytest.mark.skipif(cuda_device_count() > 0, reason="says what happens without a CUDA device")
def test_without_a_device_nothing_runs_and_the_exit_code_says_so(
    repository: Path, tmp_path: Path
) -> None:
    report = tmp_path / "report.md"
    done = subprocess.run(
        [sys.executable, "-m", "tools.gpu_check", "--output", report],
        cwd=repository,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == gpu_check.EXIT_NO_DEVICE
    assert "no CUDA device was found" in done.stderr
    assert "Traceback" not in done.stderr
    assert not report.exists()
