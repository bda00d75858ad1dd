"""The README tells the truth: every snippet runs, every command and folder that it names exists."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).parent.parent
README = (REPOSITORY / "README.md").read_text(encoding="utf-8")
LIVE = (REPOSITORY / "docs" / "live.md").read_text(encoding="utf-8")
SCALE = (REPOSITORY / "docs" / "scale.md").read_text(encoding="utf-8")


def _snippets(language: str, page: str = README) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", page, re.DOTALL)


def _snippets_without_devices() -> list[str]:
    live = [s for s in _snippets("python", LIVE) if "MicrophoneSource" not in s]
    assert live
    return [*_snippets("python"), *live, *_snippets("python", SCALE)]


def _commands() -> list[str]:
    snippets = [*_snippets("sh"), *_snippets("sh", SCALE)]
    return [line for snippet in snippets for line in snippet.splitlines() if line.strip()]


@pytest.fixture
def folder_with_clip(tmp_path: Path, demo_clip: Path) -> Path:
    shutil.copy(demo_clip, tmp_path / "clip.mp4")
    return tmp_path


@pytest.mark.parametrize("snippet", _snippets_without_devices())
def test_python_snippets_run(snippet: str, folder_with_clip: Path) -> None:
    outcome = subprocess.run(
        [sys.executable, "-c", snippet],
        cwd=folder_with_clip,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert outcome.returncode == 0, outcome.stderr
    assert outcome.stdout.strip()


@pytest.mark.parametrize("command", [c for c in _commands() if c.startswith("edge-ser")])
def test_commands_run_as_printed(command: str, folder_with_clip: Path) -> None:
    program = Path(sys.executable).with_name("edge-ser")
    outcome = subprocess.run(
        [str(program), *shlex.split(command)[1:]],
        cwd=folder_with_clip,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
        env={**os.environ, "COLUMNS": "120"},
    )
    assert outcome.returncode == 0, outcome.stderr
    assert outcome.stdout.strip()


def test_no_command_goes_unchecked() -> None:
    known = {"make demo", "make test", "pip install ."}
    assert [c for c in _commands() if not c.startswith("edge-ser ") and c not in known] == []


def test_make_targets_and_extras_exist() -> None:
    makefile = (REPOSITORY / "Makefile").read_text()
    for command in _commands():
        if command.startswith("make "):
            assert re.search(rf"^{command.split()[1]}:", makefile, re.MULTILINE)
    project = (REPOSITORY / "pyproject.toml").read_text()
    extras = re.search(r"\| extra \| brings \|\n\|---\|---\|\n((?:\|.*\n)+)", README)
    assert extras is not None
    for name in re.findall(r"`(\w+)`", "".join(r.split("|")[1] for r in extras[1].splitlines())):
        assert re.search(rf"^{name} = \[", project, re.MULTILINE), name


def test_linked_files_exist() -> None:
    for target in re.findall(r"\]\(([^)#:]+)\)", README):
        assert (REPOSITORY / target).exists(), target


@pytest.mark.parametrize(
    ("section", "line"),
    [("how fast", "whole process, cold"), ("corpora never seen", "ordinary read speech")],
)
def test_measured_figures_are_there(section: str, line: str) -> None:
    marks = rf"<!-- measured: {section} -->\n(.*)\n<!-- /measured: {section} -->"
    measured = re.search(marks, README, re.DOTALL)
    assert measured is not None
    assert line in measured[1]
