"""Nothing is reported: no file of an identity, no host looked up, one place that imports."""

from __future__ import annotations

import ast
import os
import subprocess
import sys
from pathlib import Path

import pytest

GUARD = """
import os, socket
def refuse(*arguments, **options):
    with open(os.environ["GUARD_LOG"], "a") as log:
        log.write(repr(arguments) + "\\n")
    raise OSError("no network in this test")
for name in ("getaddrinfo", "gethostbyname", "create_connection"):
    setattr(socket, name, refuse)
socket.socket.connect = refuse
"""

COMMANDS = {
    "recognize": ["recognize", "{clip}", "--json"],
    "live": ["live", "--replay", "{clip}", "--headless", "--json"],
    "doctor": ["doctor"],
}


@pytest.mark.parametrize("command", COMMANDS)
def test_a_command_reports_nothing(command: str, tmp_path: Path, demo_clip: Path) -> None:
    (tmp_path / "guard").mkdir()
    (tmp_path / "guard" / "sitecustomize.py").write_text(GUARD)
    home, log = tmp_path / "home", tmp_path / "asked"
    home.mkdir()
    environment = {
        name: value
        for name, value in os.environ.items()
        if name not in ("XDG_CACHE_HOME", "ORT_DISABLE_TELEMETRY", "EDGE_SER_CACHE")
    }
    path = os.pathsep.join(filter(None, [str(tmp_path / "guard"), environment.get("PYTHONPATH")]))
    done = subprocess.run(
        [sys.executable, "-m", "edge_ser", *(a.format(clip=demo_clip) for a in COMMANDS[command])],
        env={**environment, "HOME": str(home), "PYTHONPATH": path, "GUARD_LOG": str(log)},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert not log.exists(), log.read_text()
    written = [p.relative_to(home) for p in home.rglob("*") if p.is_file()]
    # The optimised graphs are ours: they hold nothing but weights, and `edge-ser engines` tells.
    assert all(p.parts[:3] == (".cache", "edge-ser", "engines") for p in written), written


@pytest.mark.parametrize(
    "module", ["edge_ser.export.training.resumable", "recipes.text_encoder.model"]
)
def test_training_reports_nothing(module: str, tmp_path: Path, repository: Path) -> None:
    program = f"import {module}, lightning, onnxruntime"
    environment = {k: v for k, v in os.environ.items() if k != "ORT_DISABLE_TELEMETRY"}
    subprocess.run(
        [sys.executable, "-c", program],
        env={**environment, "XDG_CACHE_HOME": str(tmp_path)},
        cwd=repository,
        timeout=120,
        check=True,
    )
    assert [p for p in tmp_path.rglob("*") if "onnxruntime" in p.name] == []


def test_one_place_imports_onnx_runtime(repository: Path) -> None:
    allowed = repository / "edge_ser" / "runtime" / "onnxruntime_sessions.py"
    parts = ("edge_ser", "export", "calibration", "recipes", "tools", "examples", "tests")
    files = [path for part in parts for path in (repository / part).rglob("*.py")]
    assert [path for path in files if "onnxruntime" in _imported(path)] == [allowed]


def _imported(path: Path) -> set[str]:
    """Packages that a file imports, by statement or by name."""
    names = []
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            names += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            names.append(node.module or "")
        elif isinstance(node, ast.Call) and "import_" in ast.unparse(node.func):
            names += [a.value for a in node.args if isinstance(a, ast.Constant)]
    return {str(name).split(".")[0] for name in names}
