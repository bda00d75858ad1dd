"""In a checkout the source folder hides the installed package: it works, or says what to do."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import edge_ser._kernels

USES = {
    "the runtime": ["-c", "import edge_ser; print(edge_ser.EdgeRecognizer.__name__)"],
    "the parts": ["-c", "import edge_ser.export, edge_ser.calibration; print('EdgeRecognizer')"],
    "a name": ["-c", "from edge_ser import EdgeRecognizer; print(EdgeRecognizer.__name__)"],
    "the command line": ["-m", "edge_ser", "bundle", "--help"],
    "pytest": ["-m", "pytest", "-q", "-p", "no:cacheprovider", "tests/test_clock.py"],
}


@pytest.fixture
def installed(repository: Path, tmp_path: Path) -> Path:
    """A folder with the package as `pip install .` lays it out, made of links."""
    package = tmp_path / "site" / "edge_ser"
    package.mkdir(parents=True)
    for part in (repository / "edge_ser").iterdir():
        if part.name != "__pycache__":
            (package / part.name).symlink_to(part)
    for part in ("export", "calibration"):
        (package / part).symlink_to(repository / part)
    kernels = Path(str(edge_ser._kernels.__file__))
    if not (package / kernels.name).exists():
        (package / kernels.name).symlink_to(kernels)
    return package.parent


def python(
    arguments: list[str], repository: Path, *folders: Path
) -> subprocess.CompletedProcess[str]:
    """Run Python in the checkout without its own site folder, so that no editable install helps."""
    libraries = str(Path(np.__file__).parents[1])
    return subprocess.run(
        [sys.executable, "-S", *arguments],
        cwd=repository,
        env={**os.environ, "PYTHONPATH": os.pathsep.join([*map(str, folders), libraries])},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.parametrize("use", USES)
def test_an_installed_package_is_found_behind_the_source(
    use: str, repository: Path, installed: Path
) -> None:
    done = python(USES[use], repository, installed)
    assert done.returncode == 0, done.stdout + done.stderr
    said = {"the command line": "Usage", "pytest": "passed"}.get(use, "EdgeRecognizer")
    assert said in done.stdout


@pytest.mark.parametrize("use", ["the runtime", "the command line"])
def test_without_an_installed_package_one_line_says_what_to_do(use: str, repository: Path) -> None:
    done = python(USES[use], repository)
    assert done.returncode != 0
    last = done.stderr.strip().splitlines()[-1]
    assert "edge-ser is not installed" in last
    assert "pip install" in last
    assert "make demo" in last
