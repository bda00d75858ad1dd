"""In a checkout the source folder hides the installed package: it works, or says what to do."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
SHOW = "import edge_ser; print(edge_ser.EdgeRecognizer.__name__)"
USES = {
    "the runtime": ["-c", SHOW],
    "the parts": ["-c", "import edge_ser.export, edge_ser.calibration; print('EdgeRecognizer')"],
    "a name": ["-c", "from edge_ser import EdgeRecognizer; print(EdgeRecognizer.__name__)"],
    "a notebook": ["-c", f"import sys; sys.path[0] = {str(ROOT)!r}; {SHOW}"],
    "the command line": ["-m", "edge_ser", "bundle", "--help"],
    "the machine": ["-m", "edge_ser", "doctor"],
    "pytest": ["-m", "pytest", "-q", "-p", "no:cacheprovider", "tests/test_clock.py"],
}
SAID = {"the command line": "Usage", "the machine": "onnxruntime", "pytest": "passed"}


def run(python: Path | str, arguments: list[str], folder: Path) -> subprocess.CompletedProcess[str]:
    """Run a Python in a folder, without what the tests' own environment says of paths."""
    return subprocess.run(
        [str(python), *arguments],
        cwd=folder,
        env={k: v for k, v in os.environ.items() if k != "PYTHONPATH"},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.parametrize("use", USES)
def test_an_installed_package_is_found_behind_the_source(
    use: str, repository: Path, installed_python: Path
) -> None:
    done = run(installed_python, USES[use], repository)
    assert done.returncode == 0, done.stdout + done.stderr
    assert SAID.get(use, "EdgeRecognizer") in done.stdout


def test_what_is_found_is_used_whole(repository: Path, installed_python: Path) -> None:
    told = "import edge_ser, edge_ser.errors as e; print(edge_ser.__version__, e.__file__)"
    done = run(installed_python, ["-c", told], repository)
    version, file = done.stdout.split()
    assert version == "9.9.9"
    assert Path(file).is_relative_to(installed_python.parents[1])


@pytest.mark.parametrize("use", [use for use in USES if use != "pytest"])
def test_the_environment_of_the_tests_works_in_the_checkout(use: str, repository: Path) -> None:
    """`make test` installs it editable."""
    done = run(sys.executable, USES[use], repository)
    assert done.returncode == 0, done.stdout + done.stderr
    assert SAID.get(use, "EdgeRecognizer") in done.stdout


@pytest.mark.parametrize("use", [use for use in USES if use != "pytest"])
def test_without_an_installed_package_one_line_says_what_to_do(
    use: str, repository: Path, bare_python: Path
) -> None:
    done = run(bare_python, USES[use], repository)
    assert done.returncode != 0
    lines = done.stderr.strip().splitlines()
    for part in ("edge-ser is not installed", f"pip install {repository}", "make demo"):
        assert part in lines[-1]
    if USES[use][0] == "-m":
        assert len(lines) == 1
