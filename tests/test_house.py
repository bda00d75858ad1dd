"""The rules of the house that a machine can check: sizes, names, arrows between the parts."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).parent.parent
LONGEST_FILE = 500
FORBIDDEN_NAMES = {"util", "utils", "helper", "helpers", "manager", "misc", "common"}
RUNTIME_MAY_NOT_IMPORT = ("torch", "onnx", "lightning", "transformers", "sklearn", "pandas")


def _tracked(*patterns: str) -> list[Path]:
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard", *patterns],
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        check=True,
    )
    return [REPOSITORY / line for line in listed.stdout.splitlines()]


def _sources() -> list[Path]:
    found = _tracked("*.py", "*.cpp", "*.h", "*.c", "*.inc")
    assert len(found) > 50
    return [p for p in found if "third_party" not in p.parts and p.exists()]


def test_no_file_is_longer_than_a_room_allows() -> None:
    long = {str(p): n for p in _sources() if (n := len(p.read_text().splitlines())) > LONGEST_FILE}
    assert long == {}


def test_names_say_what_lives_there() -> None:
    bad = [str(p) for p in _sources() if FORBIDDEN_NAMES & set(p.stem.split("_"))]
    assert bad == []


def _imports(path: Path) -> set[str]:
    names: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            names.add(node.module)
    return names


@pytest.mark.parametrize("part", ["edge_ser", "export", "calibration"])
def test_arrows_between_the_parts_point_one_way(part: str) -> None:
    forbidden = {
        "edge_ser": ("edge_ser.export", "edge_ser.calibration", *RUNTIME_MAY_NOT_IMPORT),
        "export": ("edge_ser.calibration", "edge_ser.cli"),
        "calibration": ("edge_ser.cli",),
    }[part]
    files = [p for p in (REPOSITORY / part).rglob("*.py") if "cli" not in p.parts]
    assert files
    wrong = {
        str(path.relative_to(REPOSITORY)): sorted(bad)
        for path in files
        if (
            bad := {
                name
                for name in _imports(path)
                if any(name == f or name.startswith(f + ".") for f in forbidden)
            }
        )
    }
    assert wrong == {}


def test_importing_the_package_loads_nothing_heavy() -> None:
    program = "import sys, edge_ser; print(' '.join(sys.modules))"
    loaded = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    ).stdout.split()
    heavy = {"numpy", "onnxruntime", "av", "cv2", "pydantic", "tokenizers", "matplotlib", "torch"}
    assert heavy & set(loaded) == set()


def test_there_is_no_pickle_and_no_shell() -> None:
    for path in _sources():
        if path.suffix != ".py" or path == Path(__file__):
            continue
        text = path.read_text()
        if "tests" not in path.parts:
            assert "import pickle" not in text, path
        assert "shell=True" not in text, path
