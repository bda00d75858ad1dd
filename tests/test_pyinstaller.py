"""A frozen program finds what lies beside the code, and what is imported by a name in a text."""

from __future__ import annotations

import ast
import importlib.util
import runpy
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib


@pytest.fixture(scope="module")
def hook(repository: Path) -> dict[str, Any]:
    """What the hook says, found as PyInstaller finds it."""
    project = tomllib.loads((repository / "pyproject.toml").read_text())["project"]
    module, _, function = project["entry-points"]["pyinstaller40"]["hook-dirs"].partition(":")
    (folder,) = getattr(importlib.import_module(module), function)()
    return runpy.run_path(str(Path(folder) / "hook-edge_ser.py"))


def test_every_file_beside_the_code_is_taken_along(hook: dict[str, Any], repository: Path) -> None:
    listed = subprocess.run(
        ["git", "ls-files", "edge_ser"], cwd=repository, capture_output=True, text=True, check=True
    )
    data = [f for f in listed.stdout.splitlines() if not f.endswith((".py", ".pyi", "py.typed"))]
    assert len(data) > 15
    targets = [target for _, target in hook["datas"]]
    assert [f for f in data if not any(Path(f).is_relative_to(t) for t in targets)] == []
    for source, target in hook["datas"]:
        assert Path(source) == repository / target
        assert Path(source).is_dir()


def test_every_module_that_is_imported_by_name_is_taken_along(
    hook: dict[str, Any], repository: Path
) -> None:
    assert all(importlib.util.find_spec(name) is not None for name in hook["hiddenimports"])
    # The names that the package offers without an import that can be read from its code.
    tree = ast.parse((repository / "edge_ser" / "__init__.py").read_text())
    block = next(n for n in tree.body if isinstance(n, ast.If))
    homes = {n.module for n in ast.walk(block) if isinstance(n, ast.ImportFrom)}
    assert len(homes) > 8
    assert homes <= set(hook["hiddenimports"])
