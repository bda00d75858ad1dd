"""docs/signing.md tells the truth: its snippet and its commands run as printed."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest
from fixtures.bundle_factory import make_bundle

from edge_ser.cli.main import main

PAGE = (Path(__file__).parents[2] / "docs" / "signing.md").read_text("utf-8")


def snippets(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", PAGE, re.DOTALL)


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    make_bundle(tmp_path / "my-bundle")
    monkeypatch.chdir(tmp_path)


def test_the_snippet_runs(capsys: pytest.CaptureFixture[str]) -> None:
    (snippet,) = snippets("python")
    exec(compile(snippet, "signing.md", "exec"), {})  # noqa: S102 - our own page
    told = capsys.readouterr().out
    assert "<Bundle tiny" in told
    assert "not signed by a trusted key" in told


def test_the_commands_run_in_their_order(capsys: pytest.CaptureFixture[str]) -> None:
    commands = [line for text in snippets("sh") for line in text.splitlines()]
    assert len(commands) == 3
    for command in commands:
        with pytest.raises(SystemExit) as left:
            main(shlex.split(command)[1:])
        assert left.value.code == 0, capsys.readouterr().err
    assert "signed by owner.key.pub" in capsys.readouterr().out
